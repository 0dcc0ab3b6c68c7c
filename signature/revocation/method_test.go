package revocation_test

import (
	"context"
	"testing"
	"time"

	"kopir/signature/revocation"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// TestAskBy: each kind answers for itself alone, and the addresses of the
// others are left in peace.
func TestAskBy(t *testing.T) {
	for k, row := range kinds {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.use(revocation.Options{}, revocation.Source{OCSP: []string{"/ocsp"}, CRL: []string{"/base.crl"}})
			cred, c := w.person(1)
			w.ca.Revoke(cred, w.clock().Add(-time.Hour), sigtest.ReasonKeyCompromise)
			for other := range kinds {
				w.supply(other, c)
			}
			a := w.checker.AskBy(context.Background(), c, w.issuer, w.clock(), k)
			if a.Status != revocation.Revoked {
				t.Errorf("%v: %s", a.Status, a.Detail)
			}
			for other, row := range kinds {
				asked := 0
				if row.path != "" {
					asked = w.requests(row.path)
				}
				if want := other == k && row.path != ""; (asked > 0) != want {
					t.Errorf("%s was asked %d times", row.name, asked)
				}
			}
		})
	}
	w := newWorld(t)
	w.use(revocation.Options{}, revocation.Source{})
	_, c := w.person(1)
	if a := w.checker.AskBy(context.Background(), c, w.issuer, w.clock(), revocation.Responder); a.Status != revocation.Unknown || a.Check().Outcome != verdict.Undetermined {
		t.Errorf("nothing configured: %+v", a)
	}
}
