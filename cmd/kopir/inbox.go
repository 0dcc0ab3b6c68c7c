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
		Name      string   `json:"name"`
		SHA256    string   `json:"sha256"`
		Verdict   *outcome `json:"verdict"`
		PaperName string   `json:"paper_name"`
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

// change posts a move with the ETag of the version the specialist saw; where a
// registry's answer came between, he looks again.
func (p *play) change(ctx context.Context, sc *scene, path, contentType string, body []byte) error {
	return p.changeBy(ctx, p.key, sc, path, contentType, body)
}

// changeBy is change with the API key of somebody else.
func (p *play) changeBy(ctx context.Context, key string, sc *scene, path, contentType string, body []byte) error {
	at, query, _ := strings.Cut(path, "?")
	u := p.bridge + "/api/v1/applications/" + url.PathEscape(sc.app.Number) + at
	if query != "" {
		u += "?" + query
	}
	for {
		if err := p.get(ctx, "/applications/"+url.PathEscape(sc.app.Number), &sc.app); err != nil {
			return err
		}
		status, b, err := p.call(ctx, "POST", u, contentType, body, http.Header{"If-Match": {fmt.Sprintf(`"v%d"`, sc.app.Version)}, "Authorization": {"Bearer " + key}})
		switch {
		case err != nil:
			return err
		case status == http.StatusPreconditionFailed:
		case status != http.StatusOK:
			x := problemOf(b)
			return fmt.Errorf("%s: %d %s %s", at, status, x.Title, x.Detail)
		default:
			sc.app = gateway.Application{}
			return json.Unmarshal(b, &sc.app)
		}
	}
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

// send makes one HTTP request and gives the body of a good answer.
func (p *play) send(ctx context.Context, method, address, contentType string, body []byte, header http.Header) ([]byte, error) {
	status, b, err := p.call(ctx, method, address, contentType, body, header)
	if err == nil && status/100 != 2 {
		x := problemOf(b)
		path, _, _ := strings.Cut(address, "?")
		err = fmt.Errorf("%s %s: %d %s %s", method, path, status, x.Title, x.Detail)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// problem is what is read of a problem document.
type problem struct {
	Title, Detail, Code string
	Faults              []struct{ Rule, Pointer, Message string }
}

// problemOf reads a problem document; of anything else it says so.
func problemOf(b []byte) (x problem) {
	if json.Unmarshal(b, &x) != nil || x.Title == "" {
		x.Title = "(no problem document)"
	}
	return x
}

// call makes one HTTP request; the bridge gets the API key, nobody else does.
func (p *play) call(ctx context.Context, method, address, contentType string, body []byte, header http.Header) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if p.stage != nil {
		r.Header.Set("Accept-Language", p.stage.lang)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	if strings.HasPrefix(address, p.bridge+"/api/") && r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+p.key)
	}
	a, err := p.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(a.Body, 64<<20))
	return a.StatusCode, b, err
}
