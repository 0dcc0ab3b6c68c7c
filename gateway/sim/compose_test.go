package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// TestFormsOfEveryService: a signed form of every service in each of its
// channels, small and large, is accepted by its description.
func TestFormsOfEveryService(t *testing.T) {
	s := newStage(t, nil)
	forms := 0
	for _, service := range s.set.Services() {
		for _, c := range service.Channels {
			for _, order := range []string{`"seed":0`, `"seed":7`, `"seed":8`} {
				body := fmt.Sprintf(`{"service":%q,"channel":%q,"person":"citizen2",%s}`, service.ID, c.ID, order)
				text := []byte(s.ask("POST", "/sim/documents", body, http.StatusOK, nil))
				doc, err := xmltree.Parse(text, xmltree.DefaultLimits())
				if err != nil {
					t.Fatal(err)
				}
				signer := "citizen2"
				if desk := clerks[c.ID]; desk != "" {
					signer = desk
				}
				who, _ := s.Person(signer)
				v := s.judgeAs(t, text, signature.Want{IIN: who.IIN})
				got := service.Read(doc.Root(), c.ID, s.now())
				applicant, _ := s.Person("citizen2")
				if v.Outcome != verdict.Passed || len(got.Faults) > 0 || len(got.Unknown) > 0 || got.Row.Text(service.Request.Signer) != applicant.IIN {
					t.Errorf("%s: %s %s, faults %v, unknown %v", body, v.Outcome, v.Reason, got.Faults, got.Unknown)
				}
				forms++
			}
		}
	}
	if forms < 90 {
		t.Errorf("only %d forms", forms)
	}
}

// TestRepresentative: with a notarised power of attorney its data are entered,
// with another one not.
func TestRepresentative(t *testing.T) {
	s := newStage(t, nil)
	const order = `{"service":"karaganda-targeted-social-assistance","channel":"csc","person":"citizen2","representative":"citizen3","attorney":%q}`
	for attorney, want := range map[string]string{"notarised": "true", "": "true", "plain": "false"} {
		text := s.ask("POST", "/sim/documents", fmt.Sprintf(order, attorney), http.StatusOK, nil)
		if !strings.Contains(text, "<notarised>"+want+"</notarised>") || strings.Contains(text, "<powerOfAttorney><notarised>"+want+"</notarised><number>") != (want == "true") || !strings.Contains(text, "<iin>791212300038</iin>") {
			t.Errorf("%s: %s", attorney, text)
		}
	}
	for _, wrong := range []string{fmt.Sprintf(order, "oral"), `{"channel":"csc","person":"citizen","representative":"noone"}`, `{"channel":"akim","person":"citizen"}`, `{"person":"citizen","values":{"consent":"no"}}`} {
		s.ask("POST", "/sim/documents", wrong, http.StatusUnprocessableEntity, nil)
	}
}

// TestBrokenForms: what is listed can be broken, over the interface.
func TestBrokenForms(t *testing.T) {
	s := newStage(t, nil)
	var offers []Offer
	s.ask("GET", "/sim/services", "", http.StatusOK, &offers)
	if len(offers) != len(s.set.Services()) {
		t.Fatalf("%d services are offered", len(offers))
	}
	i := slices.IndexFunc(offers, func(o Offer) bool { return o.Service == "karaganda-targeted-social-assistance" })
	for _, open := range offers[i].Channels {
		service, _ := s.set.Service(offers[i].Service)
		for _, names := range [][]string{{"surname:person-name"}, {"family.1.iin:iin", "district:residence"}, {"all"}} {
			for _, name := range names {
				if name != "all" && !slices.Contains(open.Rules, name) {
					t.Errorf("%s is not listed", name)
				}
			}
			list, err := json.Marshal(names)
			if err != nil {
				t.Fatal(err)
			}
			body := fmt.Sprintf(`{"service":%q,"channel":%q,"person":"citizen","tweaks":{"break":%s}}`, offers[i].Service, open.Channel, list)
			doc, err := xmltree.Parse([]byte(s.ask("POST", "/sim/documents", body, http.StatusOK, nil)), xmltree.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			got := service.Read(doc.Root(), open.Channel, s.now())
			if names[0] != "all" && len(got.Faults) != len(names) || names[0] == "all" && len(got.Faults) < 15 {
				t.Errorf("%s: %d faults", body, len(got.Faults))
			}
		}
	}
	s.ask("POST", "/sim/documents", `{"person":"citizen","tweaks":{"break":["surname:colour"]}}`, http.StatusUnprocessableEntity, nil)
}

// TestLogin: condition 1 of every service that has it. Wrong data are refused
// with the regulated text, and nothing is sent.
func TestLogin(t *testing.T) {
	s := newStage(t, nil)
	b := newBridge(t, s)
	tried := 0
	for _, service := range s.set.Services() {
		for _, c := range service.Channels {
			for _, k := range c.Conditions {
				login := map[string]string{"credentials-iin-password": `{"password":"wrong"}`, "credentials-login-password-or-eds": `{"password":"wrong"}`, "credentials-eds": `{"certificate":"revoked"}`}[k.Checks[0]]
				if login == "" || c.ID != "portal" && c.ID != "csc" {
					continue
				}
				tried++
				body := fmt.Sprintf(`{"service":%q,"channel":%q,"person":"citizen","login":%s}`, service.ID, c.ID, login)
				got := s.ask("POST", "/sim/applications", body, http.StatusForbidden, nil)
				want, _ := service.Refusal(k.Refusal, c.ID, mappings.Text{})
				quoted, err := json.Marshal(want.Ru)
				if err != nil {
					t.Fatal(err)
				}
				if k.Refusal != "auth-refused" || !strings.Contains(got, string(quoted)) {
					t.Errorf("%s: %s, want %s", body, got, want.Ru)
				}
			}
		}
	}
	s.ask("POST", "/sim/applications", `{"person":"citizen","login":{"password":"Qwerty12"}}`, http.StatusCreated, nil)
	b.await(1)
	if len(b.pushes) != 1 || tried < 7 {
		t.Errorf("%d applications were sent, %d logins tried", len(b.pushes), tried)
	}
}
