package revocation_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// kinds says how a test world makes one kind of evidence: what it needs of the
// configuration, and where the network sees a question.
var kinds = map[revocation.Kind]struct {
	name   string
	source func() revocation.Source
	path   string // asked over HTTP; empty: stored
}{
	revocation.StoredAnswers: {"stored answers", func() revocation.Source { return revocation.Source{} }, ""},
	revocation.StoredLists:   {"stored lists", func() revocation.Source { return revocation.Source{} }, ""},
	revocation.Responder:     {"responder", ocsp, "/ocsp"},
	revocation.Lists:         {"lists", func() revocation.Source { return revocation.Source{CRL: []string{"/base.crl"}} }, "/base.crl"},
}

// supply puts what one kind says about a certificate, as of the world's clock,
// where the checker finds it.
func (w *world) supply(k revocation.Kind, c *nuc.Certificate) {
	w.t.Helper()
	now := w.clock()
	switch k {
	case revocation.StoredAnswers:
		w.checker.AddOCSP(w.answer(c, now))
	case revocation.StoredLists:
		w.checker.AddCRL(parseCRL(w.t, w.crl(now, now.Add(30*day))))
	case revocation.Lists:
		raw := w.crl(now, now.Add(30*day))
		w.set(func() { w.base = raw })
	}
}

func (w *world) answer(c *nuc.Certificate, at time.Time) *revocation.Response {
	w.t.Helper()
	request, err := revocation.NewOCSPRequest(c, w.issuer, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := w.ca.OCSP(request, at, sigtest.OCSPOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := revocation.ParseOCSP(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// TestPolicyTable walks the table: every kind alone decides both ways, and
// after what came before it is asked exactly when its line says so.
func TestPolicyTable(t *testing.T) {
	table := revocation.Policy()
	if len(table) != len(kinds) {
		t.Fatalf("%d lines, %d kinds", len(table), len(kinds))
	}
	for i, rule := range table {
		k, ok := kinds[rule.Kind]
		if !ok || rule.Silence == "" {
			t.Fatalf("line %d: %+v", i, rule)
		}
		for _, revoked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s alone, revoked=%v", k.name, revoked), func(t *testing.T) {
				w := newWorld(t)
				w.use(revocation.Options{}, k.source())
				cred, c := w.person(1)
				want := revocation.Good
				if revoked {
					w.ca.Revoke(cred, w.clock().Add(-time.Hour), 1)
					want = revocation.Revoked
				}
				w.supply(rule.Kind, c)
				if a := w.ask(c); a.Status != want {
					t.Fatalf("%+v", a)
				}
			})
		}
		for j, before := range table[:i] {
			b := kinds[before.Kind]
			for _, revoked := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s after %s, revoked=%v", k.name, b.name, revoked), func(t *testing.T) {
					if k.path == "" {
						if rule.Asking != revocation.Always {
							t.Fatalf("stored evidence costs nothing, its line says %d", rule.Asking)
						}
						return
					}
					w := newWorld(t)
					source := k.source()
					source.OCSP = append(source.OCSP, b.source().OCSP...)
					w.use(revocation.Options{}, source)
					cred, c := w.person(1)
					if revoked {
						w.ca.Revoke(cred, w.clock().Add(-time.Hour), 1)
					}
					w.supply(rule.Kind, c)
					w.supply(before.Kind, c)
					w.ask(c)
					asked := w.requests(k.path) > 0
					want := true
					switch rule.Asking {
					case revocation.UnlessSpent:
						want = !revoked
					case revocation.UnlessSettled:
						want = !revoked && table[j].Kind != revocation.Responder
					}
					if asked != want {
						t.Errorf("asked: %v, the line says %v", asked, want)
					}
				})
			}
		}
	}
}

// TestOneSourceStandsInForTheOther: with either of them down the other decides,
// both ways; with both down, or with a list that is too old, nothing is known.
func TestOneSourceStandsInForTheOther(t *testing.T) {
	both := func() revocation.Source {
		return revocation.Source{OCSP: []string{"/ocsp"}, CRL: []string{"/base.crl"}}
	}
	down := func(w *world, paths ...string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			for _, p := range paths {
				if r.URL.Path == p {
					http.Error(rw, "down", http.StatusServiceUnavailable)
					return
				}
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(rw, err.Error(), http.StatusBadRequest)
				return
			}
			w.honest(rw, r, body)
		}
	}
	for _, x := range []struct {
		name    string
		down    []string
		warm    bool          // the lists were fetched before the outage
		later   time.Duration // how long after
		revoked bool
		want    revocation.Status
	}{
		{"OCSP down, list fresh", []string{"/ocsp"}, false, 0, false, revocation.Good},
		{"OCSP down, list names it", []string{"/ocsp"}, false, 0, true, revocation.Revoked},
		{"list down, OCSP answers", []string{"/base.crl"}, false, 0, false, revocation.Good},
		{"list down, OCSP names it", []string{"/base.crl"}, false, 0, true, revocation.Revoked},
		{"both down", []string{"/ocsp", "/base.crl"}, false, 0, false, revocation.Unknown},
		{"both down, list fetched before and fresh enough", []string{"/ocsp", "/base.crl"}, true, 23 * time.Hour, false, revocation.Good},
		{"both down, list fetched too long ago", []string{"/ocsp", "/base.crl"}, true, 25 * time.Hour, false, revocation.Unknown},
		{"both down, an old list names it", []string{"/ocsp", "/base.crl"}, true, 25 * time.Hour, true, revocation.Revoked},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			w.use(revocation.Options{}, both())
			cred, c := w.person(1)
			if x.revoked {
				w.ca.Revoke(cred, w.clock().Add(-time.Hour), 1)
			}
			w.supply(revocation.Lists, c)
			if x.warm {
				w.set(func() { w.replace = down(w, "/ocsp") })
				if a := w.ask(c); a.Status == revocation.Unknown {
					t.Fatalf("before the outage: %+v", a)
				}
			}
			w.set(func() { w.replace = down(w, x.down...) })
			w.advance(x.later)
			a := w.ask(c)
			if a.Status != x.want || a.Detail == "" {
				t.Fatalf("%+v", a)
			}
			if x.want == revocation.Unknown && a.Check().Outcome != verdict.Undetermined {
				t.Fatalf("%+v", a.Check())
			}
		})
	}
}

// TestPastTimes: once a certificate has ended, only what was made before that
// says that it was good; the network can speak against and not for.
func TestPastTimes(t *testing.T) {
	for _, x := range []struct {
		name            string
		stored, revoked bool
		want            revocation.Status
		reason          verdict.Reason
	}{
		{"stored evidence", true, false, revocation.Good, verdict.None},
		{"silence of the living", false, false, revocation.Unknown, verdict.NoPOE},
		{"the living know better", true, true, revocation.Revoked, verdict.Revoked},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			w.use(revocation.Options{}, revocation.Source{OCSP: []string{"/ocsp"}, CRL: []string{"/base.crl"}})
			at := w.clock()
			cred, err := w.ca.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(1), Surname: "ТЕСТОВ", GivenName: "ТЕСТ", NotAfter: at.Add(10 * day)})
			if err != nil {
				t.Fatal(err)
			}
			c := w.parse(cred.DER)
			if x.stored {
				w.supply(revocation.StoredLists, c)
			}
			if x.revoked {
				w.ca.Revoke(cred, at.Add(time.Hour), 1)
			}
			w.set(func() { w.now = c.NotAfter.Add(day) })
			w.supply(revocation.Lists, c)
			if a := w.askAt(c, at.Add(2*time.Hour)); a.Status != x.want || a.Reason != x.reason {
				t.Fatalf("%+v", a)
			}
		})
	}
}
