package keystore_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/signature/keystore"
	"kopir/signature/sigtest"
)

func keyFor(t testing.TB, a *sigtest.Authority, n int, from, to time.Time) *keystore.Key {
	t.Helper()
	c, err := a.Issue(sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(n), CommonName: fmt.Sprintf("SYSTEM %d", n), NotBefore: from, NotAfter: to})
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.Key()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestRingOverlap: the new key signs from its turn, the old one is named until
// its end and no longer.
func TestRingOverlap(t *testing.T) {
	a, err := sigtest.NewAuthority("ring", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	noon, day := sigtest.Noon(), 24*time.Hour
	old := keyFor(t, a, 1, noon.Add(-300*day), noon.Add(65*day))
	young := keyFor(t, a, 2, noon.Add(-day), noon.Add(364*day))
	ring := keystore.NewRing(keystore.Turn{Key: young, From: noon.Add(10 * day)}, keystore.Turn{Key: old})
	states := func(at time.Time) string {
		var words []string
		for _, s := range ring.Standing(at) {
			words = append(words, s.Certificate.Subject.CN+" "+string(s.State))
		}
		return strings.Join(words, ", ")
	}
	for _, c := range []struct {
		after time.Duration
		signs *keystore.Key
		list  string
	}{
		{0, old, "SYSTEM 1 signing, SYSTEM 2 next"},
		{10*day - time.Second, old, "SYSTEM 1 signing, SYSTEM 2 next"},
		{10 * day, young, "SYSTEM 2 signing, SYSTEM 1 previous"},
		{65 * day, young, "SYSTEM 2 signing, SYSTEM 1 previous"},
		{66 * day, young, "SYSTEM 2 signing"},
		{400 * day, young, "SYSTEM 2 signing"}, // both ended: the one that held last, and refusals are loud
	} {
		at := noon.Add(c.after)
		if got := ring.Signing(at); got != c.signs {
			t.Errorf("after %s signs %s", c.after, got.Certificate.Subject.CN)
		}
		if got := states(at); got != c.list {
			t.Errorf("after %s: %s", c.after, got)
		}
	}
	// Replaced at once: the old one goes, and is still named.
	ring.Replace(keystore.Turn{Key: young})
	if ring.Signing(noon) != young || states(noon) != "SYSTEM 2 signing, SYSTEM 1 previous" || states(noon.Add(66*day)) != "SYSTEM 2 signing" {
		t.Errorf("%s", states(noon))
	}
	// And back.
	ring.Replace(keystore.Turn{Key: old})
	if states(noon) != "SYSTEM 1 signing, SYSTEM 2 previous" {
		t.Errorf("%s", states(noon))
	}
	ring.Remember(old.Certificate)
	if states(noon) != "SYSTEM 1 signing, SYSTEM 2 previous" {
		t.Errorf("%s", states(noon))
	}
	signs(t, ring.Signing(noon))
	if keystore.NewRing().Signing(noon) != nil || old.Signing(noon) != old {
		t.Error("an empty ring signs, or a key is not its own source")
	}
}

func TestRingConcurrently(t *testing.T) {
	a, err := sigtest.NewAuthority("ring", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	noon := sigtest.Noon()
	one, two := keyFor(t, a, 1, noon, noon.AddDate(1, 0, 0)), keyFor(t, a, 2, noon, noon.AddDate(1, 0, 0))
	ring := keystore.NewRing(keystore.Turn{Key: one})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				if k := ring.Signing(noon); k != one && k != two {
					t.Error("nobody signs")
				}
				ring.Replace(keystore.Turn{Key: []*keystore.Key{one, two}[i%2]})
			}
		})
	}
	wg.Wait()
	if n := len(ring.Standing(noon)); n != 2 {
		t.Errorf("%d certificates are named", n)
	}
}
