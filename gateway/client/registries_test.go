package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/sim"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// citizens of the simulator.
const (
	citizen  = "900101300017"
	citizen2 = "850505400028"
	citizen3 = "791212300038"
	akimat   = "010540000009"
)

// signer signs documents as the bridge.
func (s *simulated) signer(t *testing.T) func([]byte) ([]byte, error) {
	t.Helper()
	issued, err := s.Credential("bridge")
	if err != nil {
		t.Fatal(err)
	}
	c, err := nuc.ParseCertificate(issued.DER)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keystore.NewKey(c, issued.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return func(b []byte) ([]byte, error) { return signature.SignEnveloped(b, key, signature.SignOptions{}) }
}

func (s *simulated) trouble(t *testing.T, p sim.Part, v sim.Trouble) {
	t.Helper()
	if err := s.SetTrouble(p, v); err != nil {
		t.Fatal(err)
	}
}

func ask(r gateway.Registry, subject string) (gateway.Finding, error) {
	return r.Ask(context.Background(), gateway.Question{MessageID: "q-" + subject, Subject: subject, At: time.Now()})
}

// TestRegistriesInTrouble: whatever happens on the way, nothing but a signed
// answer about the one who was asked for is a finding.
func TestRegistriesInTrouble(t *testing.T) {
	s := simulate(t)
	channel := newSync(t, s.peer(t, "bridge", s.Addresses().Sync))
	shape, faults := mappings.ReadShape("enis.yaml", sim.ShapeYAML())
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	all := []struct {
		part     sim.Part
		registry gateway.Registry
		subject  string
	}{
		{sim.PartRegistry, &Persons{Channel: channel, SenderCode: "MIO", NoData: []string{"00001"}}, citizen},
		{sim.PartEntities, &Entities{Channel: channel, Requestor: akimat, NoData: []string{"404"}, Sign: s.signer(t)}, akimat},
		{sim.PartNotary, &Notaries{Channel: channel, Shape: shape, SenderBIN: akimat, Sign: s.signer(t)}, "ТД-2026-1"},
	}
	for _, x := range all {
		for name, at := range map[string]struct {
			part    sim.Part
			trouble sim.Trouble
			want    gateway.Standing // empty: an error
		}{
			"none":               {x.part, sim.Trouble{}, gateway.Found},
			"no data":            {x.part, sim.Trouble{NoData: true}, gateway.NoData},
			"somebody else":      {x.part, sim.Trouble{OtherPerson: true}, ""},
			"outage":             {x.part, sim.Trouble{Down: true}, ""},
			"garbage":            {x.part, sim.Trouble{Garbage: true}, ""},
			"fault":              {x.part, sim.Trouble{Fault: "SCE909"}, ""},
			"registry unsigned":  {x.part, sim.Trouble{Unsigned: true}, ""},
			"registry tampered":  {x.part, sim.Trouble{Tamper: true}, ""},
			"gateway unsigned":   {sim.PartSync, sim.Trouble{Unsigned: true}, ""},
			"gateway tampered":   {sim.PartSync, sim.Trouble{Tamper: true}, ""},
			"gateway impostor":   {sim.PartSync, sim.Trouble{WrongSigner: true}, ""},
			"gateway overloaded": {sim.PartSync, sim.Trouble{Status: 503}, ""},
		} {
			s.Reset()
			s.trouble(t, at.part, at.trouble)
			f, err := ask(x.registry, x.subject)
			if f.Standing != at.want || (err == nil) != (at.want != "") {
				t.Errorf("%s, %s: %q, %v", x.part, name, f.Standing, err)
			}
			if err == nil && (len(f.Asked) == 0 || len(f.Answer) == 0 || f.Verdict == nil) {
				t.Errorf("%s, %s: no evidence", x.part, name)
			}
			if err != nil && (strings.Contains(err.Error(), x.subject) || strings.Contains(strings.ToUpper(err.Error()), "ТЕСТОВ")) {
				t.Errorf("%s, %s: the error quotes somebody: %v", x.part, name, err)
			}
		}
	}
}

// TestConsentOfSimulator: the token of a consent opens the register, and
// nothing else does.
func TestConsentOfSimulator(t *testing.T) {
	s := simulate(t)
	channel := newSync(t, s.peer(t, "bridge", s.Addresses().Sync))
	resp, err := http.Get(s.Addresses().Control + "consent/ticket.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	block, _ := pem.Decode(text)
	if err != nil || block == nil {
		t.Fatal("no key for tickets", err)
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	persons := func(ticket *rsa.PrivateKey, lifetime time.Duration) *Persons {
		return &Persons{Channel: channel, SenderCode: "MIO", NoData: []string{"00001"}, NoConsent: []string{"00002"}, Consent: &Consents{
			Channel: channel, Company: "ТЕСТ", CompanyBIN: akimat, Responsible: "ТЕСТ", Employee: "ТЕСТ", PersonalData: "address", Lifetime: lifetime,
			Ticket: ticket, Refused: []string{"REFUSED"}, Expired: []string{"EXPIRED"},
		}}
	}
	r := persons(key, time.Hour)
	for _, x := range []struct {
		answer string
		want   gateway.Standing
		reason string
	}{
		{"pending", "", ""}, {"expired", "", ""}, {"refused", gateway.NoData, gateway.ConsentRefused}, {"given", gateway.Found, ""},
		{"refused", gateway.Found, ""}, // what was given lasts for this question
	} {
		if err := s.SetConsent("citizen", x.answer); err != nil {
			t.Fatal(err)
		}
		f, err := ask(r, citizen)
		if f.Standing != x.want || f.Reason != x.reason || (err == nil) != (x.want != "") {
			t.Errorf("%s: %q %q, %v", x.answer, f.Standing, f.Reason, err)
		}
		if (len(f.Consent) > 0) != (x.want == gateway.Found) || bytes.Contains(f.Consent, f.Answer) && len(f.Answer) > 0 {
			t.Errorf("%s: evidence of the consent: %d bytes", x.answer, len(f.Consent))
		}
	}
	// A token that the register does not take any more is asked for anew.
	if err := s.SetConsent("citizen2", "given"); err != nil {
		t.Fatal(err)
	}
	stale := persons(key, time.Hour)
	stale.Consent.given = map[string]Consent{"q-" + citizen2: {Token: "old", PublicKey: "old", until: time.Now().Add(time.Hour)}}
	if f, err := ask(stale, citizen2); err == nil || f.Standing != "" {
		t.Errorf("an old token opened the register: %q", f.Standing)
	}
	if f, err := ask(stale, citizen2); err != nil || f.Standing != gateway.Found {
		t.Errorf("no new token was asked for: %q, %v", f.Standing, err)
	}
	// A ticket by somebody else's key is a fault; without consent nothing is asked.
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := ask(persons(other, time.Hour), citizen3); err == nil {
		t.Errorf("a foreign ticket was taken: %q", f.Standing)
	}
	if f, err := ask(&Persons{Channel: channel, ServiceID: PersonServiceConsent, NoData: []string{"00001"}}, citizen); err == nil {
		t.Errorf("asked without a token: %q", f.Standing)
	}
}

// TestNotariesOfSimulator: what a power of attorney can be.
func TestNotariesOfSimulator(t *testing.T) {
	s := simulate(t)
	shape, faults := mappings.ReadShape("enis.yaml", sim.ShapeYAML())
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	today := time.Now()
	later := sim.Power{Number: "ТД-ЗАВТРА", Date: today.Format(time.DateOnly), ValidFrom: today.AddDate(0, 0, 2).Format(time.DateOnly), ValidUntil: "2099-12-31", Principal: "citizen", Representative: "citizen3", Scope: "GENERAL"}
	ended := sim.Power{Number: "ТД-КОНЕЦ", Date: "2020-01-01", ValidUntil: "2020-12-31", Principal: "citizen", Representative: "citizen3", Scope: "GENERAL", State: "expired"}
	for _, p := range []sim.Power{later, ended} {
		if err := s.AddPower(p); err != nil {
			t.Fatal(err)
		}
	}
	r := &Notaries{Channel: newSync(t, s.peer(t, "bridge", s.Addresses().Sync)), Shape: shape, SenderBIN: akimat, Sign: s.signer(t)}
	for number, want := range map[string]string{
		"ТД-2026-1": "found ", "ТД-2026-2": "invalid revoked", "ТД-2020-3": "invalid expired", "ТД-2026-4": "found ", "ТД-2026-5": "invalid out-of-scope",
		"ТД-ЗАВТРА": "invalid not-yet-valid", "ТД-КОНЕЦ": "invalid expired", "ТД-НЕТ": "no-data ",
	} {
		f, err := ask(r, number)
		if got := fmt.Sprint(f.Standing, " ", f.Reason); err != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", number, got, want, err)
		}
	}
	f, err := ask(r, "ТД-2026-1")
	if err != nil || value(f, "principal_iin") != citizen || value(f, "representative_iin") != citizen3 || value(f, "valid_until") != "2099-12-31" {
		t.Errorf("%v %v", f.Facts, err)
	}
	// The sender's own signature is looked at on the other side.
	r.Sign = func(b []byte) ([]byte, error) { return b, nil }
	if f, err := ask(r, "ТД-2026-1"); err == nil {
		t.Errorf("an unsigned question was answered: %q", f.Standing)
	}
}

// The last day of a power of attorney counts whole, in the zone of the country.
func TestValidity(t *testing.T) {
	zone := time.FixedZone("", 5*3600)
	r := &Notaries{Zone: zone}
	said := map[string]string{"valid_from": "2026-01-10", "valid_until": "2026-01-15+05:00"}
	for at, want := range map[string]string{
		"2026-01-09T18:59:59Z": gateway.POANotYetValid, "2026-01-09T19:00:00Z": "", "2026-01-15T18:59:59Z": "", "2026-01-15T19:00:00Z": gateway.POAExpired,
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.validity(said, when); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", at, got, want, err)
		}
	}
	if _, err := r.validity(map[string]string{"valid_until": "tomorrow"}, time.Now()); err == nil || strings.Contains(err.Error(), "tomorrow") {
		t.Errorf("a date that is none: %v", err)
	}
}
