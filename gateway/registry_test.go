package gateway_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"kopir/gateway"
	"kopir/mappings"
	"kopir/signature/sigtest"
)

const withPOA = "karaganda-asp-recipient-certificate"

// represent files for the applicant through the State Corporation, by a
// representative with a power of attorney.
func (w *town) represent(id string, change map[string]string) *gateway.Application {
	w.t.Helper()
	s, ok := w.set.Service(withPOA)
	if !ok {
		w.t.Fatal("no service")
	}
	values := filled(s, "csc")
	for name, v := range map[string]string{
		"representative_iin": sigtest.IIN(20), "representative_name": "ПРОБОВА ПРОБА", "poa_notarised": "true", "poa_number": "ТД-1", "poa_date": "2026-01-12",
	} {
		values[name] = v
	}
	for name, v := range change {
		if values[name] = v; v == "" {
			delete(values, name)
		}
	}
	p := syncRequest(id, w.documentOf(s, "csc", values, "operator"), w.clock())
	p.RequestInfo.ServiceID, p.RequestInfo.Sender.SenderID = s.Gateway.ServiceID, "CON"
	if r := w.send(gateway.SyncDoor, w.envelope(p, "csc")); r.Code != "" {
		w.t.Fatalf("refused: %s %s", r.Code, r.Bytes)
	}
	w.deliver()
	return w.only()
}

func (w *town) notes() (all []string) {
	w.t.Helper()
	tl, err := w.bridge.Timeline(w.t.Context(), w.only().Number)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range tl.Events {
		if e.Kind == gateway.EventNote || e.Kind == gateway.EventRegistry {
			all = append(all, e.Actor.Name+": "+e.Detail)
		}
	}
	return all
}

// What the notaries' registry says decides: accepted, or refused with the
// regulated message and its ground.
func TestPowerOfAttorney(t *testing.T) {
	good := []gateway.Fact{{Name: "number", Value: "ТД-1"}, {Name: "principal_iin", Value: sigtest.IIN(10)}, {Name: "representative_iin", Value: sigtest.IIN(20)}, {Name: "valid_until", Value: "2099-12-31"}}
	with := func(name, value string) []gateway.Fact {
		all := slices.Clone(good)
		for i := range all {
			if all[i].Name == name {
				all[i].Value = value
			}
		}
		return all
	}
	for name, x := range map[string]struct {
		answer     gateway.Finding
		code, rule string // of the refusal; empty: accepted
		words      string
	}{
		"good":                 {gateway.Finding{Standing: gateway.Found, Facts: good}, "", "", ""},
		"no data":              {gateway.Finding{Standing: gateway.NoData}, "registry-no-data", "", "или данных доверенности в ЕНИС"},
		"revoked":              {gateway.Finding{Standing: gateway.Invalid, Reason: gateway.POARevoked, Facts: good}, "documents-faults", "revoked", "доверенность отменена"},
		"expired":              {gateway.Finding{Standing: gateway.Invalid, Reason: gateway.POAExpired, Facts: good}, "documents-faults", "expired", "истёк"},
		"not yet valid":        {gateway.Finding{Standing: gateway.Invalid, Reason: gateway.POANotYetValid, Facts: good}, "documents-faults", "not-yet-valid", "не начался"},
		"scope":                {gateway.Finding{Standing: gateway.Invalid, Reason: gateway.POAOutOfScope, Facts: good}, "documents-faults", "out-of-scope", "полномочий"},
		"other principal":      {gateway.Finding{Standing: gateway.Found, Facts: with("principal_iin", sigtest.IIN(60))}, "documents-faults", "other-principal", "не услугополучателем"},
		"other representative": {gateway.Finding{Standing: gateway.Found, Facts: with("representative_iin", sigtest.IIN(60))}, "documents-faults", "other-representative", "не этому представителю"},
		"parties not told":     {gateway.Finding{Standing: gateway.Found, Facts: good[:1]}, "documents-faults", "other-principal", "не услугополучателем"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.notary.answer = x.answer
			a := w.represent("m-1", nil)
			if x.code == "" {
				if a.State != gateway.Received || a.Refusal != nil {
					t.Fatalf("%s %+v", a.State, a.Refusal)
				}
			} else if a.State != gateway.Refused || a.Refusal.Code != x.code || (x.rule != "") != (len(a.Refusal.Faults) == 1) || x.rule != "" && (a.Refusal.Faults[0].Rule != x.rule || a.Refusal.Faults[0].Path == "") {
				t.Fatalf("%s %+v", a.State, a.Refusal)
			}
			told := w.codes(gateway.ToCSC)
			if last := told[len(told)-1]; (last == "4") != (x.code != "") {
				t.Errorf("the service centre was told %v", told)
			}
			if got := w.post.taken(); x.words != "" && !strings.Contains(string(got[len(got)-1].Body), x.words) {
				t.Errorf("the service centre was not told %q", x.words)
			}
			q := w.notary.asked[0]
			if q.Subject != "ТД-1" || q.Values["principal_iin"] != sigtest.IIN(10) || q.Values["representative_iin"] != sigtest.IIN(20) || q.Values["date"] != "2026-01-12" || q.Service != withPOA {
				t.Errorf("asked %+v", q.Values)
			}
		})
	}
}

// A representative without a notarised power of attorney is nobody's to find:
// the specialist is told to look himself. Without a representative nothing is.
func TestPowerOfAttorneyByHand(t *testing.T) {
	w := newTown(t)
	w.represent("m-1", map[string]string{"poa_notarised": "false", "poa_number": "", "poa_date": ""})
	if len(w.notary.asked) != 0 || !slices.Contains(w.notes(), "bridge: by-hand: enis") {
		t.Errorf("asked %d times, notes %v", len(w.notary.asked), w.notes())
	}
	w = newTown(t)
	w.represent("m-1", map[string]string{"representative_iin": "", "representative_name": "", "poa_notarised": "", "poa_number": "", "poa_date": ""})
	if len(w.notary.asked) != 0 || slices.Contains(w.notes(), "bridge: by-hand: enis") {
		t.Errorf("asked %d times, notes %v", len(w.notary.asked), w.notes())
	}
}

// fromCSC files through the service centre and runs the outbox.
func (w *town) fromCSC(id string, change map[string]string) {
	w.t.Helper()
	values := form("csc")
	for name, v := range change {
		values[name] = v
	}
	p := syncRequest(id, w.document("csc", values, "operator"), w.clock())
	p.RequestInfo.Sender.SenderID = "CON"
	if r := w.send(gateway.SyncDoor, w.envelope(p, "csc")); r.Code != "" {
		w.t.Fatalf("%s", r.Bytes)
	}
	w.deliver()
}

// Names that are spelled alike are the same; others are told to the specialist
// by the fields' labels, without a value, and refuse nothing.
func TestComparedWithTheRegister(t *testing.T) {
	w := newTown(t)
	w.reg.answer = gateway.Finding{Standing: gateway.Found, Facts: []gateway.Fact{
		{Name: "surname", Value: " Тёстов "}, {Name: "given_name", Value: "тест"}, {Name: "patronymic", Value: "ИНАЧЕВИЧ"}, {Name: "birth_date", Value: "1981-01-11"},
		{Name: "address", Value: "ГДЕ-ТО"}, {Name: "document", Value: "УДОСТОВЕРЕНИЕ 000000000"},
	}, Answer: []byte("<persons/>")}
	w.fromCSC("m-1", map[string]string{"surname": "ТЕСТОВ"})
	if a := w.only(); a.State != gateway.Received {
		t.Errorf("%s", a.State)
	}
	if got := w.notes(); !slices.Equal(got, []string{"gbd-fl: found", "gbd-fl: differs: patronymic, applicant_birth_date"}) {
		t.Errorf("%v", got)
	}
	tl, err := w.bridge.Timeline(t.Context(), w.only().Number)
	if err != nil {
		t.Fatal(err)
	}
	if text := tl.Events[len(tl.Events)-1].Text; !strings.Contains(text.RU, "Отчество, Дата рождения") || !strings.Contains(text.KK, "Әкесінің аты") {
		t.Errorf("%+v", text)
	}
	history, _ := json.Marshal(tl)
	for _, secret := range []string{"ИНАЧЕВИЧ", "1981-01-11", "ГДЕ-ТО", "000000000 "} {
		if strings.Contains(string(history), secret) {
			t.Errorf("the history holds %s", secret)
		}
	}
	// The office sees what the form needs, and that it looked is noted.
	answers, err := w.bridge.Registries(t.Context(), w.only().Number, gateway.Actor{Name: "ann"})
	if err != nil || len(answers) != 1 || len(answers[0].Facts) != 5 || answers[0].Standing != gateway.Found || !slices.Equal(answers[0].Differs, []string{"patronymic", "applicant_birth_date"}) {
		t.Errorf("%+v %v", answers, err)
	}
	for _, f := range answers[0].Facts {
		if f.Name == "document" {
			t.Error("more is shown than the form needs")
		}
	}
	if got := w.notes(); got[len(got)-1] != "ann: registry data read" {
		t.Errorf("%v", got)
	}
	if a := w.only(); a.Version != 2 {
		t.Errorf("reading changed the application: version %d", a.Version)
	}
}

// The person's refusal of consent leads to the regulated message, with its own
// ground instead of "holds no data".
func TestConsentRefused(t *testing.T) {
	w := newTown(t)
	w.reg.answer = gateway.Finding{Standing: gateway.NoData, Reason: gateway.ConsentRefused, Answer: []byte("<consent/>")}
	w.fromCSC("m-1", nil)
	a := w.only()
	if a.State != gateway.Refused || a.Refusal.Code != "registry-no-data" || !strings.HasPrefix(a.Refusal.Text.RU, "Невозможно получить данные в связи с отказом услугополучателя в согласии") || strings.Contains(a.Refusal.Text.RU, "отсутствием данных") {
		t.Errorf("%s %+v", a.State, a.Refusal)
	}
}

// A decision comes after the registries. What nobody will answer any more is
// dropped with a reason.
func TestDecisionAwaitsTheRegistries(t *testing.T) {
	w := newTown(t)
	w.reg.err = errDown
	w.fromCSC("m-1", nil)
	number, ann := w.only().Number, gateway.Actor{Name: "ann"}
	if _, err := w.bridge.Take(t.Context(), number, ann); err != nil {
		t.Fatal(err)
	}
	decide := func(ctx context.Context) error {
		_, err := w.bridge.Decide(ctx, number, ann, gateway.Decision{State: gateway.Completed, Result: w.result("official", number, "")})
		return err
	}
	short, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel) // nobody waits that long
	if err := decide(short); gateway.CodeOf(err) != gateway.TryLater {
		t.Fatalf("decided without the register: %v", err)
	}
	p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToPersons}, "", 10)
	if err != nil || len(p.Deliveries) != 1 || p.Deliveries[0].State != gateway.Queued {
		t.Fatalf("%+v %v", p.Deliveries, err)
	}
	if wait := p.Deliveries[0].NextAt.Sub(w.clock()); wait > 15*time.Minute {
		t.Errorf("asked again in %s: the clock runs", wait)
	}
	if err := w.bridge.Retry(t.Context(), p.Deliveries[0].ID, ann); gateway.CodeOf(err) != gateway.MoveNotAllowed {
		t.Errorf("sent again what is on its way: %v", err)
	}
	if err := w.bridge.Drop(t.Context(), p.Deliveries[0].ID, ann, "asked by letter"); err != nil {
		t.Fatal(err)
	}
	if err := decide(t.Context()); err != nil {
		t.Error(err)
	}
}

// Each registry has its own route: one that is stuck holds up no other.
func TestASlowRegistryHoldsUpNoOther(t *testing.T) {
	w := newTown(t)
	stuck, free := make(chan struct{}), make(chan struct{})
	o := w.options(zapcore.NewNopCore())
	o.Registries = map[string]gateway.Registry{mappings.Persons: slow{stuck, free}, mappings.Notaries: w.notary}
	var err error
	if w.bridge, err = gateway.New(o); err != nil {
		t.Fatal(err)
	}
	s, _ := w.set.Service(withPOA)
	values := filled(s, "csc")
	for name, v := range map[string]string{"representative_iin": sigtest.IIN(20), "poa_notarised": "true", "poa_number": "ТД-1", "poa_date": "2026-01-12"} {
		values[name] = v
	}
	p := syncRequest("m-1", w.documentOf(s, "csc", values, "operator"), w.clock())
	p.RequestInfo.ServiceID, p.RequestInfo.Sender.SenderID = s.Gateway.ServiceID, "CON"
	if r := w.send(gateway.SyncDoor, w.envelope(p, "csc")); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.bridge.Run(ctx) }()
	<-stuck // the register of persons is being asked, and does not answer
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		done, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{States: []gateway.DeliveryState{gateway.Done}}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(done.Deliveries) == 3 { // notaries, local row, notice
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of 3 are done", len(done.Deliveries))
		}
	}
	close(free)
	stop()
	<-ended
}

type slow struct{ stuck, free chan struct{} }

func (s slow) Ask(ctx context.Context, _ gateway.Question) (gateway.Finding, error) {
	s.stuck <- struct{}{}
	select {
	case <-s.free:
	case <-ctx.Done():
	}
	return gateway.Finding{}, errDown
}

// Positive answers serve the same question of the same service for a while, and
// nothing else.
func TestReuse(t *testing.T) {
	r := &register{unknown: map[string]bool{"2": true}}
	now := morning
	c := gateway.Reuse(r, 10*time.Minute, func() time.Time { return now })
	ask := func(service, subject string, reused bool) {
		t.Helper()
		n := len(r.asked)
		f, err := c.Ask(t.Context(), gateway.Question{Service: service, Subject: subject})
		if err != nil || f.Reused != reused || (len(r.asked) == n) != reused {
			t.Errorf("%s %s: reused %v, asked %d times more, %v", service, subject, f.Reused, len(r.asked)-n, err)
		}
	}
	ask("a", "1", false)
	ask("a", "1", true)
	ask("b", "1", false) // another purpose
	ask("a", "3", false) // another person
	ask("a", "2", false)
	ask("a", "2", false) // "no data" is asked anew
	now = now.Add(10*time.Minute - time.Second)
	ask("a", "1", true)
	now = now.Add(time.Second)
	ask("a", "1", false)
	if long := gateway.Reuse(r, 24*time.Hour, func() time.Time { return now }); long != nil {
		f, err := long.Ask(t.Context(), gateway.Question{Service: "a", Subject: "9"})
		now = now.Add(gateway.MaxReuse)
		g, err2 := long.Ask(t.Context(), gateway.Question{Service: "a", Subject: "9"})
		if err != nil || err2 != nil || f.Reused || g.Reused {
			t.Error("an answer outlived the limit")
		}
	}
	if gateway.Reuse(r, 0, nil) != gateway.Registry(r) {
		t.Error("something is kept that was not asked for")
	}
}
