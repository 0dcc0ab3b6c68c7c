package store

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/signature/verdict"
)

// refusedWithin: of the refused messages of a sender so much is kept whole in a
// day; of the others digest, size, verdict and answer.
func refusedWithin(t *testing.T, s *Store) {
	refuse := func(key, sender string, at time.Time, bytes int) error {
		m := message(key, sender, key, "")
		m.Raw, m.Code, m.At = []byte(strings.Repeat("x", bytes-50)), gateway.ServiceRefused, at
		return s.Commit(t.Context(), gateway.Change{Message: m, KeepRefused: 1000, Evidence: []gateway.Evidence{{
			Message: m.ID, Application: "message/" + m.ID, Kind: gateway.ByPerson, At: at, Outcome: verdict.Failed, Reason: verdict.Revoked, Verdict: []byte("{}"), Document: make([]byte, 50),
			Proofs: []verdict.Proof{verdict.Prove(verdict.ProofSigner, []byte("certificate"))},
		}}})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	kept := func(key, sender string, whole bool) {
		t.Helper()
		m, err := s.Message(t.Context(), sender, key)
		must(err)
		if (len(m.Raw) > 0) != whole || len(m.Reply) == 0 || m.SHA256 == "" || (m.Keeping == gateway.ReplyPlain) != whole {
			t.Errorf("%s: %d bytes, %d of the answer, kept as %d", key, len(m.Raw), len(m.Reply), m.Keeping)
		}
	}
	for _, c := range []struct {
		key, sender string
		at          time.Time
		bytes       int
		whole       bool
	}{
		{"r1", "PORTAL", t0, 400, true}, {"r2", "PORTAL", t0, 600, true}, {"r3", "PORTAL", t0, 100, false}, {"r4", "CSC", t0, 900, true},
		{"r5", "CSC", t0, 101, false}, {"r6", "CSC", t0, 100, true}, {"r7", "PORTAL", t0.Add(24 * time.Hour), 1000, true},
	} {
		must(refuse(c.key, c.sender, c.at, c.bytes))
		kept(c.key, c.sender, c.whole)
	}
	if err := refuse("r1", "PORTAL", t0, 400); !errors.Is(err, gateway.ErrDuplicate) {
		t.Error(err)
	}
	all, err := s.Refusals(t.Context(), t0)
	must(err)
	if len(all) != 2 || all[0] != (Refused{"CSC", 1000, 3, 1}) || all[1] != (Refused{"PORTAL", 1000, 3, 1}) {
		t.Errorf("%+v", all)
	}
	m, err := s.Message(t.Context(), "PORTAL", "r3")
	must(err)
	said := false
	must(s.Journal(t.Context(), 0, "message/"+m.ID, func(l Link) error {
		said = said || bytes.Contains(l.Body, []byte("50 bytes not kept"))
		return nil
	}))
	if !said {
		t.Error("the journal does not tell the size")
	}
	a := audit(t, s)
	if len(a.Faults) > 0 || a.Rows == 0 {
		t.Errorf("%+v", a)
	}
	// What is over goes, and nothing is left to answer by.
	owners, _, err := s.Over(t.Context(), t0.Add(time.Hour), true, "", 10)
	must(err)
	if len(owners) != 6 {
		t.Errorf("%v", owners)
	}
	must(s.Remove(t.Context(), "message/"+m.ID, gateway.Removal{What: gateway.Erased, At: t0, By: "test"}, nil))
	if m, err = s.Message(t.Context(), "PORTAL", "r3"); err != nil || m.Keeping != gateway.ReplyGone || len(m.Reply) > 0 {
		t.Errorf("%+v %v", m, err)
	}
	must(refuse("r8", "PORTAL", t0.Add((refusalDays+2)*24*time.Hour), 100))
	if all, err = s.Refusals(t.Context(), t0); err != nil || len(all) != 0 {
		t.Errorf("%+v %v", all, err)
	}
}
