package main

import (
	"context"
	"fmt"

	"kopir/gateway"
	"kopir/mappings"
)

// counterExample is an application that must not get through.
type counterExample struct {
	key    string
	person string
	order  string // what the portal is told to do
}

var counterExamples = []counterExample{
	{"step-tampered", "citizen2", `{"person":"citizen2","tweaks":{"tampered":true}}`},
	{"step-revoked", "citizen2", `{"person":"citizen2","tweaks":{"certificate":"revoked"}}`},
	{"step-other-iin", "citizen2", `{"person":"citizen2","tweaks":{"iin":"791212300038"}}`},
}

// refused: the portal learns the refusal with its ground, and neither the list
// nor the local database knows the application.
func (p *play) refused(ctx context.Context, sc *scene, c counterExample) error {
	var before gateway.Page
	if err := p.get(ctx, "/applications?limit=500", &before); err != nil {
		return err
	}
	rows, err := p.localRows(ctx, sc.service)
	if err != nil {
		return err
	}
	var sent inbox
	if err := p.post(ctx, p.simulator+"/sim/applications", "application/json", []byte(c.order), &sent); err != nil {
		return err
	}
	rejected, _ := sc.service.Status("refused")
	err = until(ctx, func() error {
		got, err := p.portalCase(ctx, sent.Number, "1s")
		if err != nil {
			return err
		}
		for _, n := range got.Notices {
			if n.Code == rejected.Portal {
				reason := n.ReasonRU
				if p.stage.lang == mappings.Kazakh {
					reason = n.ReasonKK
				}
				p.note("fact-refused", "code", n.Code, "reason", reason)
				return nil
			}
		}
		return fmt.Errorf("the portal has %d notices and the delivery is %s %s", len(got.Notices), got.Delivery, got.Fault)
	})
	if err != nil {
		return err
	}
	var after gateway.Page
	if err := p.get(ctx, "/applications?limit=500", &after); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, a := range before.Applications {
		known[a.Number] = true
	}
	for _, a := range after.Applications {
		if !known[a.Number] && a.State != gateway.Refused {
			return fmt.Errorf("application %s came through", a.Number)
		}
	}
	now, err := p.localRows(ctx, sc.service)
	if err == nil && now != rows {
		err = fmt.Errorf("the local database had %d rows and has %d", rows, now)
	}
	return err
}
