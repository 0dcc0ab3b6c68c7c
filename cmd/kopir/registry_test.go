package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/sim"
)

const asp = "karaganda-asp-recipient-certificate"

// withPower is an application through the State Corporation by a representative
// with a power of attorney.
func withPower(number string) string {
	return fmt.Sprintf(`{"channel":"csc","service":%q,"person":"citizen","tweaks":{"set":{"representative/iin":"791212300038","representative/powerOfAttorney/notarised":"true",
		"representative/powerOfAttorney/number":%q,"representative/powerOfAttorney/date":"2026-01-12"}}}`, asp, number)
}

// TestRegistriesEndToEnd has the bridge of `kopir run` ask persons and notaries
// over HTTP, in good and in bad weather, and then looks for what must be
// nowhere: personal data in log, metrics and errors.
func TestRegistriesEndToEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p, err := newPlay(ctx, t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	}()
	p.start(ctx)
	apply := func(order string) (number string) {
		t.Helper()
		var c sim.Case
		if err := p.post(ctx, p.simulator+"/sim/applications", "application/json", []byte(order), &c); err != nil {
			t.Fatal(err)
		}
		if err := until(ctx, func() error {
			var list []sim.Case
			b, err := p.fetch(ctx, p.simulator+"/sim/csc/applications?wait=1s&notices=1&number="+c.Number)
			if err != nil || json.Unmarshal(b, &list) != nil || len(list) == 0 {
				return errors.New("no notice yet")
			}
			number = list[0].BridgeNumber
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return number
	}
	timeline := func(number string) (tl gateway.Timeline) {
		t.Helper()
		if err := p.api(ctx, "GET", "/applications/"+number+"/timeline", &tl); err != nil {
			t.Fatal(err)
		}
		return tl
	}
	answered := func(number string, want ...string) gateway.Timeline {
		t.Helper()
		var tl gateway.Timeline
		if err := until(ctx, func() error {
			tl = timeline(number)
			var got []string
			for _, e := range tl.Events {
				if e.Kind == gateway.EventRegistry {
					got = append(got, e.Actor.Name+" "+e.Detail)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				return fmt.Errorf("answered %v, want %v", got, want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return tl
	}

	number := apply(withPower("ТД-2026-1"))
	tl := answered(number, "enis found", "gbd-fl found")
	if tl.Application.State != gateway.Received {
		t.Errorf("%s", tl.Application.State)
	}
	var seen struct{ Registries []gateway.RegistryAnswer }
	if err := p.api(ctx, "GET", "/applications/"+number+"/registries", &seen); err != nil || len(seen.Registries) != 2 {
		t.Errorf("%+v %v", seen, err)
	}
	if tl = timeline(number); !slices.ContainsFunc(tl.Events, func(e gateway.Event) bool { return e.Detail == "registry data read" && e.Actor.Name != "" }) {
		t.Error("that the data were read is not noted")
	}
	if tl = answered(apply(withPower("ТД-2026-2")), "enis invalid: revoked", "gbd-fl found"); tl.Application.Refusal == nil || tl.Application.Refusal.Code != "documents-faults" {
		t.Errorf("%s %+v", tl.Application.State, tl.Application.Refusal)
	}
	if tl = answered(apply(withPower("ТД-НЕТ")), "enis no-data", "gbd-fl found"); tl.Application.Refusal == nil || tl.Application.Refusal.Code != "registry-no-data" {
		t.Errorf("%s %+v", tl.Application.State, tl.Application.Refusal)
	}
	// The register of persons answers about somebody else, then falsely signed,
	// then not at all: nothing of it is believed, and the notaries are asked all
	// the same.
	for _, x := range []struct {
		part    sim.Part
		trouble sim.Trouble
	}{{sim.PartRegistry, sim.Trouble{OtherPerson: true}}, {sim.PartRegistry, sim.Trouble{Tamper: true}}, {sim.PartRegistry, sim.Trouble{Down: true}}} {
		if err := p.sim.SetTrouble(x.part, x.trouble); err != nil {
			t.Fatal(err)
		}
		number := apply(withPower("ТД-2026-1"))
		if tl = answered(number, "enis found"); tl.Application.State != gateway.Received {
			t.Errorf("%+v: %s", x.trouble, tl.Application.State)
		}
		if err := until(ctx, func() error {
			for _, d := range timeline(number).Deliveries {
				if d.Route == gateway.ToPersons && d.Tries > 0 && d.Error != "" {
					return nil
				}
			}
			return errors.New("the register was not tried")
		}); err != nil {
			t.Fatal(err)
		}
		if err := p.sim.SetTrouble(x.part, sim.Trouble{}); err != nil {
			t.Fatal(err)
		}
		answered(number, "enis found", "gbd-fl found") // asked again
	}
	// The gateway's own answer with somebody else's signature.
	if err := p.sim.SetTrouble(sim.PartSync, sim.Trouble{WrongSigner: true, Times: 2}); err != nil {
		t.Fatal(err)
	}
	answered(apply(withPower("ТД-2026-1")), "enis found", "gbd-fl found")

	log, err := os.ReadFile(filepath.Join(p.dir, "kopir.log"))
	if err != nil || len(log) == 0 {
		t.Fatal("no log", err)
	}
	metrics, err := p.fetch(ctx, p.bridge+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	var deliveries struct{ Deliveries []gateway.Delivery }
	if err := p.api(ctx, "GET", "/deliveries?limit=200", &deliveries); err != nil || len(deliveries.Deliveries) == 0 {
		t.Fatal("no deliveries", err)
	}
	outbox, err := json.Marshal(deliveries)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"log": string(log), "metrics": string(metrics), "outbox": string(outbox)} {
		for _, secret := range []string{"900101300017", "791212300038", "850505400028", "тестов\"", "тестович", "пробова", "примеров", "тд-2026"} {
			if strings.Contains(strings.ToLower(text), secret) {
				t.Errorf("the %s holds %q", name, secret)
			}
		}
	}
}

// api calls the bridge's REST door as the specialist's system.
func (p *play) api(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, p.bridge+"/api/v1"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.key)
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %d %s %v", resp.StatusCode, b, err)
	}
	return json.Unmarshal(b, into)
}

// TestRegistriesConfiguration: each key that cannot be, with its place; the
// older form is read too.
func TestRegistriesConfiguration(t *testing.T) {
	dir := t.TempDir()
	base := "listen: 127.0.0.1:0\nstore: {path: a}\nlocal: {path: b}\nkey: {p12: k, password_file: p}\ntrust: [t]\nrevocation: {ocsp: [\"http://o\"]}\n" +
		"gateway: {sync: \"http://s\", async: \"http://a\", sender_id: MIO, bins: [\"010240000008\"]}\nsenders: [{id: PEP, channel: portal, bins: [\"010240000008\"]}]\nofficials: [\"010540000009\"]\n"
	load := func(more string) (*loaded, []fault) {
		file := filepath.Join(dir, "kopir.yaml")
		if err := os.WriteFile(file, []byte(base+more), 0o600); err != nil {
			t.Fatal(err)
		}
		return loadConfig(file)
	}
	const consent = "consent: {company: A, company_bin: \"010540000009\", personal_data: x"
	for name, x := range map[string]struct{ text, key, problem string }{
		"unknown":          {"registries: [{id: gbd-xx}]", "registries[0].id", "unknown registry"},
		"twice":            {"registries: [{id: gbd-fl}, {id: gbd-fl}]", "registries[1].id", "stands twice"},
		"both forms":       {"registry: {sender_code: A}\nregistries: [{id: gbd-fl}]", "registry", "beside"},
		"another's key":    {"registries: [{id: gbd-ul, requestor_bin: \"010540000009\", typed: true}]", "registries[0].typed", "means nothing"},
		"no bin":           {"registries: [{id: gbd-ul}]", "registries[0].requestor_bin", "not a BIN"},
		"root":             {"registries: [{id: gbd-ul, requestor_bin: \"010540000009\", root: Anfrage}]", "registries[0].root", "unknown root"},
		"no shape":         {"registries: [{id: enis}]", "registries[0].shape", "is missing"},
		"shape says it":    {"registries: [{id: enis, shape: x.yaml, no_data: [\"1\"]}]", "registries[0].no_data", "means nothing"},
		"cache too long":   {"registries: [{id: gbd-fl, cache: 2h}]", "registries[0].cache", "too long"},
		"cache outlives":   {"registries: [{id: gbd-fl, cache: 1h, " + consent + ", lifetime: 10m}}]", "registries[0].cache", "longer than the consent"},
		"consent of whom":  {"registries: [{id: gbd-fl, consent: {personal_data: x}}]", "registries[0].consent.company", "is missing"},
		"consent to what":  {"registries: [{id: gbd-fl, consent: {company: A}}]", "registries[0].consent.personal_data", "is missing"},
		"consent bin":      {"registries: [{id: gbd-fl, consent: {company: A, personal_data: x, company_bin: \"1\"}}]", "registries[0].consent.company_bin", "not a BIN"},
		"older, with more": {"registry: {shape: x}", "registry.shape", "means nothing"},
		"unknown key":      {"registries: [{id: gbd-fl, colour: red}]", "registries[0].colour", ""},
	} {
		_, faults := load(x.text)
		if !slices.ContainsFunc(faults, func(f fault) bool { return f.Key == x.key && strings.Contains(f.Problem, x.problem) && f.Line > 0 }) {
			t.Errorf("%s: %v", name, faults)
		}
	}
	for _, good := range []string{"", "registry: {sender_code: A, no_data: [\"1\"]}", "registries:\n  - {id: gbd-fl, typed: true, cache: 10m, " + consent + ", lifetime: 1h}}\n  - {id: gbd-ul, requestor_bin: \"010540000009\"}\n  - {id: enis, shape: x.yaml}"} {
		l, faults := load(good)
		if len(faults) > 0 || !slices.ContainsFunc(l.asks(), func(a asked) bool { return a.ID == "gbd-fl" }) {
			t.Errorf("%q: %v", good, faults)
		}
	}
	// Files that are named and cannot be used.
	if err := os.WriteFile(filepath.Join(dir, "enis.yaml"), []byte("service_id: A\nanswers: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, _ := load("registries: [{id: enis, shape: enis.yaml}, {id: gbd-fl, " + consent + ", ticket_key: none.pem}}]")
	for _, f := range l.openRegistries(&materials{}) {
		if f.Line == 0 || f.Remedy == "" || f.Key != "registries[0].shape" && f.Key != "registries[1].consent.ticket_key" {
			t.Errorf("%+v", f)
		}
	}
	if n := len(l.openRegistries(&materials{})); n < 3 {
		t.Errorf("%d faults", n)
	}
}
