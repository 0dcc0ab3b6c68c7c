package keystore

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"kopir/signature/nuc"
)

// Source gives the key to sign with at a time: a key itself, or a Ring in
// which one follows another.
type Source interface {
	Signing(at time.Time) *Key
}

// Signing is the key itself.
func (k *Key) Signing(time.Time) *Key { return k }

// Turn is a key and when its turn comes.
type Turn struct {
	Key  *Key
	From time.Time // zero: as soon as its certificate is valid
}

// begins is when the key may sign: not before its certificate.
func (t Turn) begins() time.Time {
	if t.From.After(t.Key.Certificate.NotBefore) {
		return t.From
	}
	return t.Key.Certificate.NotBefore
}

// State says what part a certificate has in a ring.
type State string

const (
	Signing  State = "signing"  // messages are signed with its key
	Next     State = "next"     // its turn has not come
	Previous State = "previous" // signs no more; what it signed is still about
)

// Standing is one certificate of a ring.
type Standing struct {
	Certificate *nuc.Certificate
	State       State
}

// Ring holds the keys of one holder while one follows another. Those that
// have gone are remembered by their certificates until these end: partners
// still refer to them. It is safe for concurrent use.
type Ring struct {
	mu    sync.RWMutex
	turns []Turn
	gone  []*nuc.Certificate
}

// NewRing makes a ring of one key or more.
func NewRing(turns ...Turn) *Ring {
	r := &Ring{}
	r.Replace(turns...)
	return r
}

// Signing gives the key whose turn began last among those whose certificates
// hold. Where none does, the one that held last is given: what it signs is
// refused by others, which is loud, and not lost.
func (r *Ring) Signing(at time.Time) *Key {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.signing(at)
}

func (r *Ring) signing(at time.Time) *Key {
	var best, last *Turn
	for i := range r.turns {
		t := &r.turns[i]
		if last == nil || t.Key.Certificate.NotAfter.After(last.Key.Certificate.NotAfter) && !t.begins().After(at) {
			last = t
		}
		if t.begins().After(at) || at.After(t.Key.Certificate.NotAfter) {
			continue
		}
		if best == nil || t.begins().After(best.begins()) {
			best = t
		}
	}
	if best == nil {
		best = last
	}
	if best == nil {
		return nil
	}
	return best.Key
}

// Replace puts other keys in the place of those that are there. A key that is
// not among them goes, its certificate stays until its end.
func (r *Ring) Replace(turns ...Turn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, old := range r.turns {
		if c := old.Key.Certificate; !slices.ContainsFunc(r.gone, func(o *nuc.Certificate) bool { return o.Fingerprint == c.Fingerprint }) {
			r.gone = append(r.gone, c)
		}
	}
	r.turns = slices.Clone(turns)
	slices.SortStableFunc(r.turns, func(a, b Turn) int { return a.begins().Compare(b.begins()) })
	r.gone = slices.DeleteFunc(r.gone, func(c *nuc.Certificate) bool {
		return slices.ContainsFunc(r.turns, func(t Turn) bool { return t.Key.Certificate.Fingerprint == c.Fingerprint })
	})
}

// Remember adds a certificate whose key signs no more.
func (r *Ring) Remember(c *nuc.Certificate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	there := func(o *nuc.Certificate) bool { return o.Fingerprint == c.Fingerprint }
	if !slices.ContainsFunc(r.gone, there) && !slices.ContainsFunc(r.turns, func(t Turn) bool { return there(t.Key.Certificate) }) {
		r.gone = append(r.gone, c)
	}
}

// Standing lists the certificates: the signing one, those to come, those that
// have gone and have not ended.
func (r *Ring) Standing(at time.Time) []Standing {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now := r.signing(at)
	var out []Standing
	for _, t := range r.turns {
		s := Standing{t.Key.Certificate, Previous}
		switch {
		case t.Key == now:
			s.State = Signing
		case t.begins().After(at):
			s.State = Next
		case at.After(t.Key.Certificate.NotAfter):
			continue
		}
		out = append(out, s)
	}
	for _, c := range r.gone {
		if !at.After(c.NotAfter) {
			out = append(out, Standing{c, Previous})
		}
	}
	rank := map[State]int{Signing: 0, Next: 1, Previous: 2}
	slices.SortStableFunc(out, func(a, b Standing) int { return cmp.Compare(rank[a.State], rank[b.State]) })
	return out
}
