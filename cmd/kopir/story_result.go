package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// signResult asks the bridge for the result document and has the official
// sign exactly that.
func (p *play) signResult(ctx context.Context, sc *scene) error {
	if err := p.sign(ctx, sc); err != nil {
		return err
	}
	p.note("fact-signed", "bytes", len(sc.result))
	return nil
}

func (p *play) sign(ctx context.Context, sc *scene) error {
	i := slices.IndexFunc(sc.service.Results, func(r mappings.Result) bool { return r.State == mappings.Completed })
	if i < 0 {
		return errors.New("the service has no result that completes it")
	}
	wish, err := json.Marshal(map[string]any{"result": sc.service.Results[i].ID, "values": sc.service.Results[i].Sample(time.Now())})
	if err != nil {
		return err
	}
	unsigned, err := p.send(ctx, "POST", p.bridge+"/api/v1/applications/"+url.PathEscape(sc.app.Number)+"/result/draft", "application/json", wish, nil)
	if err != nil {
		return err
	}
	sc.result, err = p.send(ctx, "POST", p.simulator+"/sim/people/official/sign", "application/xml", unsigned, nil)
	if err != nil {
		return err
	}
	if !bytes.Contains(sc.result, []byte("Signature")) {
		return errors.New("the document came back unsigned")
	}
	return nil
}

func (p *play) decideIt(ctx context.Context, sc *scene) error {
	if err := p.change(ctx, sc, "/decision", "application/xml", sc.result); err != nil {
		return err
	}
	if sc.app.State != gateway.Completed {
		return fmt.Errorf("the state is %s", sc.app.State)
	}
	if r := sc.app.Result; r == nil || r.SignedBy == nil {
		return errors.New("no signed result is kept with the application")
	} else {
		p.note("fact-decided", "name", r.SignedBy.Name, "file", r.Name)
	}
	return p.rowIs(ctx, sc, "completed")
}

// printIt writes the result as people get it into the folder of the data.
func (p *play) printIt(ctx context.Context, sc *scene) error {
	var err error
	sc.paper, err = p.send(ctx, "GET", p.bridge+"/api/v1/applications/"+url.PathEscape(sc.app.Number)+"/result?format=pdf", "", nil, nil)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(sc.paper, []byte("%PDF-")) {
		return errors.New("what was printed is no PDF")
	}
	file := filepath.Join(p.dir, "results", sc.app.Number+".pdf")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(file, sc.paper, 0o600); err != nil {
		return err
	}
	p.note("fact-paper", "path", file)
	return nil
}

// resultArrives: the partner holds the very bytes that the official signed,
// and judges the signature good.
func (p *play) resultArrives(partner string) func(context.Context, *scene) error {
	return func(ctx context.Context, sc *scene) error {
		want, _ := sc.service.Status("completed")
		return until(ctx, func() error {
			c, err := p.caseOf(ctx, partner, "bridge_number", sc.app.Number, "1s")
			if err != nil {
				return err
			}
			if c.Result == nil || c.Status != want.Code(partner) {
				return fmt.Errorf("%s shows the status %q and no result", partner, c.Status)
			}
			got, err := p.fetch(ctx, p.simulator+"/sim/"+partner+"/applications/"+url.PathEscape(c.Number)+"/result")
			if err != nil {
				return err
			}
			if !bytes.Equal(got, sc.result) {
				return fmt.Errorf("the result at %s is not the one that was signed", partner)
			}
			if c.Result.Verdict == nil || c.Result.Verdict.Outcome != totalPassed {
				return fmt.Errorf("%s does not confirm the official's signature", partner)
			}
			if got, err = p.fetch(ctx, p.simulator+"/sim/"+partner+"/applications/"+url.PathEscape(c.Number)+"/paper"); err != nil {
				return err
			}
			if !bytes.Equal(got, sc.paper) {
				return fmt.Errorf("the paper at %s is not the one that was printed", partner)
			}
			p.note("fact-result", "file", c.Result.Name, "bytes", len(sc.result), "outcome", c.Result.Verdict.Outcome)
			p.note("fact-result-paper", "file", c.Result.PaperName, "bytes", len(got))
			return p.noticed(c, want.Code(partner))
		})
	}
}
