package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"kopir/gateway"
)

// inbox is what the story reads of a partner's inbox.
type inbox struct {
	Number       string `json:"number"`
	BridgeNumber string `json:"bridge_number"`
	Correlation  string `json:"correlation_id"`
	MessageID    string `json:"message_id"`
	Status       string `json:"status"`
	Delivery     string `json:"delivery"`
	Fault        string `json:"fault"`
	Notices      []struct {
		Type      string  `json:"type"`
		Code      string  `json:"code"`
		TextRU    string  `json:"text_ru"`
		TextKK    string  `json:"text_kk"`
		ReasonRU  string  `json:"reason_ru"`
		ReasonKK  string  `json:"reason_kk"`
		Transport outcome `json:"transport"`
	} `json:"notices"`
	Result *struct {
		Name    string   `json:"name"`
		SHA256  string   `json:"sha256"`
		Verdict *outcome `json:"verdict"`
	} `json:"result"`
}

type outcome struct {
	Outcome string `json:"outcome"`
}

const totalPassed = "TOTAL_PASSED"

func (p *play) portalCase(ctx context.Context, number, wait string) (inbox, error) {
	return p.caseOf(ctx, "portal", "number", number, wait)
}

func (p *play) caseOf(ctx context.Context, desk, by, value, wait string) (inbox, error) {
	var list []inbox
	b, err := p.fetch(ctx, p.simulator+"/sim/"+desk+"/applications?"+url.Values{by: {value}, "wait": {wait}}.Encode())
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		return inbox{}, err
	}
	if len(list) != 1 {
		return inbox{}, fmt.Errorf("%s has %d applications with this number", desk, len(list))
	}
	return list[0], nil
}

// change posts a move with the ETag of the version the specialist saw.
func (p *play) change(ctx context.Context, sc *scene, path, contentType string, body []byte) error {
	at, query, _ := strings.Cut(path, "?")
	u := p.bridge + "/api/v1/applications/" + url.PathEscape(sc.app.Number) + at
	if query != "" {
		u += "?" + query
	}
	if err := p.get(ctx, "/applications/"+url.PathEscape(sc.app.Number), &sc.app); err != nil {
		return err
	}
	b, err := p.send(ctx, "POST", u, contentType, body, http.Header{"If-Match": {fmt.Sprintf(`"v%d"`, sc.app.Version)}})
	if err != nil {
		return err
	}
	sc.app = gateway.Application{}
	return json.Unmarshal(b, &sc.app)
}

// get reads the REST door.
func (p *play) get(ctx context.Context, path string, into any) error {
	b, err := p.fetch(ctx, p.bridge+"/api/v1"+path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func (p *play) post(ctx context.Context, address, contentType string, body []byte, into any) error {
	b, err := p.send(ctx, "POST", address, contentType, body, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func (p *play) fetch(ctx context.Context, address string) ([]byte, error) {
	return p.send(ctx, "GET", address, "", nil, nil)
}

// send makes one HTTP request; the bridge gets the API key, nobody else does.
func (p *play) send(ctx context.Context, method, address, contentType string, body []byte, header http.Header) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		r.Header[k] = v
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if p.stage != nil {
		r.Header.Set("Accept-Language", p.stage.lang)
	}
	if strings.HasPrefix(address, p.bridge+"/api/") {
		r.Header.Set("Authorization", "Bearer "+p.key)
	}
	a, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(a.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if a.StatusCode/100 != 2 {
		var problem struct{ Title, Detail string }
		if json.Unmarshal(b, &problem) != nil || problem.Title == "" {
			problem.Title = a.Status
		}
		return nil, fmt.Errorf("%s %s: %d %s %s", method, r.URL.Path, a.StatusCode, problem.Title, problem.Detail)
	}
	return b, nil
}
