package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"kopir/gateway"
)

// mailbox is a way to applicants that keeps what it carries.
type mailbox struct {
	mu   sync.Mutex
	got  []gateway.Letter
	fail error
}

func (m *mailbox) Post(_ context.Context, l gateway.Letter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil {
		m.got = append(m.got, l)
	}
	return m.fail
}

// withPosts gives the town's bridge ways to applicants.
func (w *town) withPosts() (email, sms *mailbox) {
	w.t.Helper()
	email, sms = &mailbox{}, &mailbox{}
	o := w.options(zapcore.NewNopCore())
	o.Posts = map[gateway.Route]gateway.Post{gateway.ToEmail: email, gateway.ToSMS: sms}
	var err error
	if w.bridge, err = gateway.New(o); err != nil {
		w.t.Fatal(err)
	}
	return email, sms
}

// finishWith is an application through the portal with some values of its own,
// completed.
func (w *town) finishWith(own map[string]string) *gateway.Application {
	w.t.Helper()
	values := form("portal")
	for name, v := range own {
		values[name] = v
	}
	if r := w.send(gateway.SyncDoor, w.envelope(syncRequest("m-1", w.document("portal", values, "citizen"), w.clock()), "portal")); r.Code != "" {
		w.t.Fatalf("refused: %s %s", r.Code, r.Bytes)
	}
	app, ann := w.only(), gateway.Actor{Name: "ann"}
	if _, err := w.bridge.Take(w.t.Context(), app.Number, ann); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.bridge.Decide(w.t.Context(), app.Number, ann, gateway.Decision{State: gateway.Completed, Result: w.result("official", app.Number, "")}); err != nil {
		w.t.Fatal(err)
	}
	return app
}

func (w *town) history(number string) (all []string) {
	w.t.Helper()
	tl, err := w.bridge.Timeline(w.t.Context(), number)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range tl.Events {
		all = append(all, string(e.Kind)+" "+e.Detail)
	}
	return all
}

// TestLetters: who asked for the result by e-mail gets it there, with the
// document, in his language; who did not, gets no letter.
func TestLetters(t *testing.T) {
	for _, c := range []struct{ delivery, language, subject string }{
		{"email", "kk", "UC-2026-000001 өтініші"}, {"email", "ru", "Заявление UC-2026-000001"}, {"in_person", "kk", ""},
	} {
		t.Run(c.delivery+" "+c.language, func(t *testing.T) {
			w := newTown(t)
			email, sms := w.withPosts()
			app := w.finishWith(map[string]string{"delivery": c.delivery, "language": c.language, "email": "citizen@example.kz"})
			w.deliver()
			w.deliver()
			if c.delivery != "email" {
				if len(email.got)+len(sms.got) != 0 {
					t.Errorf("%+v", email.got)
				}
				return
			}
			if len(email.got) != 1 {
				t.Fatalf("%d letters", len(email.got))
			}
			l := email.got[0]
			if l.To != "citizen@example.kz" || l.Subject != c.subject || l.ID == "" || !strings.Contains(l.Text, app.Number) || strings.Contains(l.Text, "{") {
				t.Errorf("%s: %s\n%s", l.To, l.Subject, l.Text)
			}
			if len(l.Enclosures) != 2 || !bytes.HasPrefix(l.Enclosures[0].Content, []byte("%PDF-")) || l.Enclosures[0].Name != app.Number+".pdf" || !bytes.HasPrefix(l.Enclosures[1].Content, []byte("<result")) {
				t.Errorf("%d enclosures; wanted are the paper and the signed document", len(l.Enclosures))
			}
			if !slices.Contains(w.history(app.Number), "delivered email") {
				t.Errorf("%v", w.history(app.Number))
			}
		})
	}
}

// TestALetterIsLost: what cannot be delivered is tried again within bounds, is
// listed, and is told in the cabinet.
func TestALetterIsLost(t *testing.T) {
	w := newTown(t)
	email, _ := w.withPosts()
	email.fail = errors.New("the server does not answer")
	app := w.finishWith(map[string]string{"delivery": "email", "email": "citizen@example.kz"})
	for range 80 {
		w.pass(time.Hour + 10*time.Minute)
		w.deliver()
	}
	p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToEmail, States: []gateway.DeliveryState{gateway.Dead}}, "", 10)
	if err != nil || len(p.Deliveries) != 1 || p.Deliveries[0].Tries < 20 {
		t.Fatalf("%+v, %v", p, err)
	}
	told := strings.Join(w.history(app.Number), "\n")
	if !strings.Contains(told, "dead email: the server does not answer") || !strings.Contains(told, "undelivered to email: the cabinet of the portal has the notice") {
		t.Error(told)
	}
}

// A letter that is lost is given up as well when the cabinet cannot be told of it.
func TestDefectOnTheWayToTheCabinet(t *testing.T) {
	w := newTown(t)
	s, email := &faultyStore{Store: w.store}, &mailbox{fail: &gateway.SendError{Permanent: true, Code: "550", Err: errors.New("no such mailbox")}}
	w.rewire(func(o *gateway.Options) { o.Store, o.Posts = s, map[gateway.Route]gateway.Post{gateway.ToEmail: email} })
	s.commit = func(c gateway.Change) {
		for _, e := range c.Events {
			if strings.HasPrefix(e.Detail, "undelivered to email") {
				panic("a cabinet that nobody thought of")
			}
		}
	}
	app := w.finishWith(map[string]string{"delivery": "email", "email": "citizen@example.kz"})
	letter := func(passes int) gateway.Delivery {
		t.Helper()
		for range passes {
			w.pass(time.Hour + 10*time.Minute)
			w.deliver()
		}
		p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToEmail}, "", 2)
		if err != nil || len(p.Deliveries) != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
		return p.Deliveries[0]
	}
	if d := letter(1); d.State != gateway.Queued || d.Cause != gateway.CauseDefect || d.Tries == 0 {
		t.Errorf("at first: %+v", d)
	}
	if d := letter(80); d.State != gateway.Dead || d.Cause != gateway.CauseDefect || d.Tries < 20 {
		t.Errorf("at last: %+v", d)
	}
	if told := strings.Join(w.history(app.Number), "\n"); !strings.Contains(told, "dead email: a defect of the bridge") {
		t.Error(told)
	}
}

// TestALetterGoesToTheCabinet: where the portal was not told of the state, it is
// when the letter is refused for good; with the result, as it was to be enclosed.
// Where the portal has no word for it, the letter is given up all the same.
func TestALetterGoesToTheCabinet(t *testing.T) {
	t.Run("", func(t *testing.T) { letterToCabinet(t, false) })
	t.Run("no code", func(t *testing.T) { letterToCabinet(t, true) })
}

func letterToCabinet(t *testing.T, nameless bool) {
	set, faults := builtin()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	only, _ := set.Only([]string{certificate})
	s, _ := only.Service(certificate)
	kept := s.Notifications
	t.Cleanup(func() { s.Notifications = kept })
	changed := slices.Clone(kept)
	changed[0].On = []string{"received"}
	s.Notifications = changed
	w := newTownOf(t, only)
	email, _ := w.withPosts()
	email.fail = &gateway.SendError{Permanent: true, Code: "550", Err: errors.New("no such mailbox")}
	app := w.finishWith(map[string]string{"delivery": "email", "email": "citizen@example.kz"})
	if nameless {
		known := s.Statuses
		t.Cleanup(func() { s.Statuses = known })
		s.Statuses = slices.Clone(known)
		for i := range s.Statuses {
			s.Statuses[i].Portal = ""
		}
	}
	for range 3 {
		w.deliver()
	}
	if nameless {
		p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToEmail}, "", 2)
		if err != nil || len(p.Deliveries) != 1 || p.Deliveries[0].State != gateway.Dead {
			t.Errorf("%+v, %v", p, err)
		}
		if told := strings.Join(w.history(app.Number), "\n"); !strings.Contains(told, "not put into the cabinet either: ") {
			t.Error(told)
		}
		return
	}
	if got := w.codes(gateway.ToPortal); !slices.Equal(got, []string{"ACCEPTED", "COMPLETED"}) {
		t.Errorf("the portal got %v", got)
	}
	last := w.post.taken()[len(w.post.taken())-1]
	if !strings.Contains(string(last.Body), "FileContent") && len(last.Body) < 1000 {
		t.Errorf("without the result: %s", last.Body)
	}
	if told := strings.Join(w.history(app.Number), "\n"); !strings.Contains(told, "undelivered to email: the notice goes to the cabinet") {
		t.Error(told)
	}
}
