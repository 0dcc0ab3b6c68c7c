package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// A tour drives services through their channels, on the ways that end well and
// on those that end with a refusal, and tells what was seen.
type tour struct {
	p    *play
	set  *mappings.Set
	lang string // of refusals: Russian unless it is Kazakh; partners are told in these two
}

// sight is what was seen of one application. Missing says what was expected
// and not seen; empty: everything was.
type sight struct {
	Service  string        `json:"service"`
	Channel  string        `json:"channel"`
	Way      string        `json:"way"` // accepted, or what is wrong with it
	Accepted bool          `json:"accepted"`
	Number   string        `json:"number,omitempty"`
	Row      string        `json:"row,omitempty"` // status code in the local table, or "written" where that cannot be read
	Notices  []string      `json:"notices,omitempty"`
	States   []string      `json:"states,omitempty"`
	Result   string        `json:"result,omitempty"` // verdict on it, where it came
	Ground   string        `json:"ground,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Due      time.Time     `json:"due,omitzero"` // the first term that ran
	Took     time.Duration `json:"took_ns"`
	Missing  string        `json:"missing,omitempty"`
}

// trip is one application to make.
type trip struct {
	service *mappings.Service
	channel *mappings.Channel
	way     string
	ground  string                                     // refusal that must follow; empty: accepted
	order   map[string]any                             // what the simulator is told beside service and channel
	desk    string                                     // of the simulator where it is filed; empty: the channel's
	labels  []string                                   // that the reason must name
	decide  func(*tour, context.Context, *scene) error // after it was taken in; nil: it must not be
	asks    string                                     // a registry that must have answered
}

// tripsOf picks "all", SERVICE or SERVICE/CHANNEL.
func (t *tour) tripsOf(what string) ([]trip, error) {
	id, channel, _ := strings.Cut(what, "/")
	var all []trip
	for _, s := range t.set.Offers(time.Now()) {
		for i := range s.Channels {
			if c := &s.Channels[i]; (what == "all" || id == s.ID) && (channel == "" || channel == c.ID) {
				all = append(all, trips(s, c)...)
				if t.p.admin != "" && (&scene{service: s, channel: c}).suspends() { // a specialist may not
					all = append(all, trip{service: s, channel: c, way: "suspended", order: map[string]any{"person": "citizen", "seed": 1000}, decide: (*tour).suspended})
				}
			}
		}
	}
	if t.p.loaded == nil {
		all = slices.DeleteFunc(all, func(r trip) bool { return r.desk == phoneDesk })
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no service or channel %q; `kopir run -list` names them", what)
	}
	return all, nil
}

// phoneDesk is the desk of the simulator that speaks REST. A running bridge of
// somebody else's need not know it.
const phoneDesk = "mobile"

// trips are the ways of one channel: to the result, and to each refusal of the
// service that can follow there.
func trips(s *mappings.Service, c *mappings.Channel) []trip {
	with := func(more ...any) map[string]any {
		order := map[string]any{"person": "citizen"}
		for i := 0; i < len(more); i += 2 {
			order[more[i].(string)] = more[i+1]
		}
		return order
	}
	all := []trip{{way: "accepted", order: with(), decide: (*tour).completed}}
	for _, k := range c.Conditions {
		switch atDesk := c.ID == "portal" || c.ID == "csc"; {
		case !atDesk:
		case slices.Contains(k.Checks, "credentials-eds"):
			all = append(all, trip{way: "login", ground: k.Refusal, order: with("login", map[string]string{"certificate": "revoked"})})
		case slices.ContainsFunc(k.Checks, func(check string) bool { return strings.HasPrefix(check, "credentials-") }):
			all = append(all, trip{way: "login", ground: k.Refusal, order: with("login", map[string]string{"password": "wrong"})})
		}
	}
	for _, r := range s.Refusals {
		switch r.ID {
		case "eds-not-confirmed":
			stranger := map[string]string{"portal": "citizen2", "csc": "citizen2"}[c.ID]
			if stranger == "" {
				stranger = "stranger"
			}
			all = append(all, trip{way: "signed by another", ground: r.ID, order: with("signed_by", stranger)},
				trip{way: "changed", ground: r.ID, order: with("tweaks", map[string]any{"tampered": true})},
				trip{way: "revoked", ground: r.ID, order: with("tweaks", map[string]any{"certificate": "revoked"})})
		case "field-faults":
			var labels []string
			for _, b := range s.OneBreachOfEach(mappings.Filling{Channel: c.ID, At: time.Now()}) {
				if f, ok := s.Field(b.Field); ok {
					labels = append(labels, f.Label.Ru)
				}
			}
			all = append(all, trip{way: "faults", ground: r.ID, labels: labels, order: with("tweaks", map[string]any{"break": []string{"all"}})})
		case "registry-no-data":
			if slices.ContainsFunc(s.Registries, func(u mappings.RegistryUse) bool {
				return u.ID == "gbd-fl" && u.NoData == r.ID && slices.Contains(u.Channels, c.ID)
			}) {
				all = append(all, trip{way: "unknown person", ground: r.ID, order: with("person", "nobody"), decide: (*tour).nothing})
			}
		case "auth-refused":
		default:
			all = append(all, trip{way: "decided", ground: r.ID, order: with(), decide: (*tour).refused})
		}
	}
	all = append(all, registryTrips(s, c, with)...)
	if c.ID == "portal" { // the portal's own system that speaks REST
		all = append(all, trip{way: "REST", order: with(), desk: phoneDesk, decide: (*tour).completed},
			trip{way: "REST, CMS", order: with("signed", "cms"), desk: phoneDesk, decide: (*tour).completed},
			trip{way: "REST, CMS changed", ground: "eds-not-confirmed", order: with("signed", "cms", "tweaks", map[string]any{"tampered": true}), desk: phoneDesk})
	}
	for i := range all {
		all[i].service, all[i].channel = s, c
		// Another form for each, so that no two documents are the same.
		all[i].order["seed"] = i + 1
	}
	return all
}

// run makes the trips, a few at a time, and gives what was seen, in order.
func (t *tour) run(ctx context.Context, list []trip) []sight {
	seen := make([]sight, len(list))
	next := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range next {
				seen[i] = t.make(ctx, list[i])
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	wg.Wait()
	return seen
}

// make makes one trip.
func (t *tour) make(ctx context.Context, r trip) (saw sight) {
	ctx, cancel := context.WithTimeout(ctx, t.p.patience)
	defer cancel()
	saw = sight{Service: r.service.ID, Channel: r.channel.ID, Way: r.way}
	start := time.Now()
	err := t.travel(ctx, r, &saw)
	if saw.Took = time.Since(start); err != nil {
		saw.Missing = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return saw
}

func (t *tour) travel(ctx context.Context, r trip, saw *sight) error {
	sc := &scene{service: r.service, channel: r.channel, ground: r.ground, desk: cmp.Or(r.desk, r.channel.ID)}
	refusal, err := t.apply(ctx, sc, r.order)
	if err != nil {
		return err
	}
	if refusal != "" && r.decide == nil || refusal == "" && sc.app.Number == "" {
		return t.refusalIs(r, refusal, saw)
	}
	if refusal != "" {
		return fmt.Errorf("refused at once: %s", refusal)
	}
	if r.decide == nil {
		return fmt.Errorf("it was accepted as %s", sc.app.Number)
	}
	saw.Number, saw.Due = sc.app.Number, sc.app.DueAt
	if err := r.decide(t, ctx, sc); err != nil {
		return err
	}
	return t.look(ctx, r, sc, saw)
}

// refusalIs compares a refusal at once with the regulated text.
func (t *tour) refusalIs(r trip, reason string, saw *sight) error {
	want, _ := r.service.Refusal(r.ground, r.channel.ID, mappings.Text{})
	saw.Ground, saw.Reason = r.ground, reason
	if !strings.HasPrefix(reason, want.Ru) {
		return fmt.Errorf("the refusal is %q, not %q", reason, want.Ru)
	}
	for _, label := range r.labels {
		if !strings.Contains(reason, label) {
			return fmt.Errorf("the refusal does not name %q", label)
		}
	}
	return nil
}

// apply files an application by its channel. A refusal that follows at once is
// given as its sentence.
func (t *tour) apply(ctx context.Context, sc *scene, order map[string]any) (refusal string, err error) {
	full := map[string]any{"service": sc.service.ID, "channel": sc.desk}
	maps.Copy(full, order)
	body, err := json.Marshal(full)
	if err != nil {
		return "", err
	}
	if sc.channel.ID != "portal" && sc.channel.ID != "csc" {
		return t.submit(ctx, sc, body)
	}
	status, b, err := t.p.call(ctx, "POST", t.p.simulator+"/sim/applications", "application/json", body, nil)
	switch {
	case err != nil:
		return "", err
	case status == http.StatusForbidden:
		return problemOf(b).Detail, nil
	case status != http.StatusCreated:
		return "", fmt.Errorf("the simulator: %d %s", status, problemOf(b).Detail)
	}
	if err := json.Unmarshal(b, &sc.sent); err != nil {
		return "", err
	}
	refused, _ := sc.service.Status("refused")
	err = until(ctx, func() error {
		c, err := t.p.caseOf(ctx, sc.desk, "number", sc.sent.Number, "1s")
		if err != nil {
			return err
		}
		if len(c.Notices) == 0 {
			return fmt.Errorf("no notice has come; the gateway says %s %s", c.Delivery, c.Fault)
		}
		if n := c.Notices[0]; c.BridgeNumber == "" && n.Code == refused.Code(sc.channel.ID) {
			if refusal = n.ReasonRU; t.lang == mappings.Kazakh {
				refusal = n.ReasonKK
			}
			return nil
		}
		return t.p.get(ctx, "/applications/"+url.PathEscape(c.BridgeNumber), &sc.app)
	})
	return refusal, err
}

// submit files an application of the office or the akim by REST.
func (t *tour) submit(ctx context.Context, sc *scene, order []byte) (refusal string, err error) {
	document, err := t.p.send(ctx, "POST", t.p.simulator+"/sim/documents", "application/json", order, nil)
	if err != nil {
		return "", err
	}
	q := url.Values{"service": {sc.service.ID}, "channel": {sc.channel.ID}}
	status, b, err := t.p.call(ctx, "POST", t.p.bridge+"/api/v1/applications?"+q.Encode(), "application/xml", document, http.Header{"Accept-Language": {cmp.Or(t.lang, mappings.Russian)}})
	switch {
	case err != nil:
		return "", err
	case status == http.StatusCreated:
		return "", json.Unmarshal(b, &sc.app)
	case status == http.StatusUnprocessableEntity:
		problem := problemOf(b)
		for _, f := range problem.Faults {
			refusal += f.Message + "; "
		}
		if problem.Code == string(gateway.InvalidFields) { // the faults alone; the frame is the title's
			want, _ := sc.service.Refusal("field-faults", sc.channel.ID, mappings.Text{})
			refusal = want.In(t.lang) + ": " + refusal
		}
		return refusal, nil
	}
	return "", fmt.Errorf("the office door: %d %s", status, problemOf(b).Title)
}

// nothing is decided by nobody: a registry's answer does it.
func (t *tour) nothing(context.Context, *scene) error { return nil }

// work brings an application to where it is decided.
func (t *tour) work(ctx context.Context, sc *scene) error {
	if sc.takes() {
		if err := t.p.change(ctx, sc, "/take", "application/json", []byte(`{}`)); err != nil {
			return err
		}
	}
	return t.p.forward(ctx, sc, gateway.HolderProvider)
}

// completed ends it with a result that the official signed.
func (t *tour) completed(ctx context.Context, sc *scene) error {
	if err := t.work(ctx, sc); err != nil {
		return err
	}
	return t.finished(ctx, sc)
}

// finished is what follows the work.
func (t *tour) finished(ctx context.Context, sc *scene) error {
	if err := t.p.sign(ctx, sc); err != nil {
		return err
	}
	if err := t.p.change(ctx, sc, "/decision?name=result.xml", "application/xml", sc.result); err != nil {
		return err
	}
	return t.p.forward(ctx, sc, gateway.HolderAkim)
}

// refused ends it with the service's own ground, in words where it has none.
func (t *tour) refused(ctx context.Context, sc *scene) error {
	if err := t.work(ctx, sc); err != nil {
		return err
	}
	ground := map[string]any{"code": sc.ground}
	if sc.service.NeedsGround(sc.ground, sc.channel.ID) {
		sample := t.set.Texts.Text("sample.text")
		ground["text"] = map[string]string{"ru": sample.Ru, "kk": sample.Kk}
	}
	body, err := json.Marshal(map[string]any{"ground": ground})
	if err != nil {
		return err
	}
	if err := t.p.change(ctx, sc, "/refusal", "application/json", body); err != nil {
		return err
	}
	return t.p.forward(ctx, sc, gateway.HolderAkim)
}
