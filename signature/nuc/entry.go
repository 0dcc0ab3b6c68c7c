package nuc

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Purpose is what an authority is believed for. National production and test
// hierarchies meet in one message (a test signature with a production time
// stamp), so the two are kept apart.
type Purpose uint8

const (
	PurposeSign  Purpose = 1 << iota // certificates that sign messages and documents
	PurposeStamp                     // certificates of time-stamping authorities
	PurposeAll   = PurposeSign | PurposeStamp
)

var purposeNames = []struct {
	p    Purpose
	name string
}{{PurposeSign, "sign"}, {PurposeStamp, "stamp"}}

// String gives the words of a bundle: "sign stamp".
func (p Purpose) String() string {
	var words []string
	for _, n := range purposeNames {
		if p&n.p != 0 {
			words = append(words, n.name)
		}
	}
	return strings.Join(words, " ")
}

// ParsePurpose reads words separated by blanks or commas.
func ParsePurpose(s string) (Purpose, error) {
	var p Purpose
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' }) {
		i := slices.IndexFunc(purposeNames, func(n struct {
			p    Purpose
			name string
		}) bool {
			return n.name == word
		})
		if i < 0 {
			return 0, fmt.Errorf("unknown purpose %q; it is sign, stamp or both", word)
		}
		p |= purposeNames[i].p
	}
	if p == 0 {
		return 0, fmt.Errorf("no purpose; it is sign, stamp or both")
	}
	return p, nil
}

// purposeOf is what a leaf's chain must be believed for; zero: anything. The
// lists and answers of an authority are judged by its own certificate.
func purposeOf(leaf *Certificate) Purpose {
	switch {
	case leaf.IsCA:
		return 0
	case slices.Equal(leaf.ExtKeyUsage, []string{EKUTimeStamping}):
		return PurposeStamp
	default:
		return PurposeSign
	}
}

// Entry is one configured authority.
type Entry struct {
	Certificate *Certificate
	Root        bool    // a trust anchor; else an authority that chains may pass through
	Candidate   bool    // report-only: a chain that needs it never passes, but its verdict says that it would
	Purpose     Purpose // not zero
	Comment     string  // one line for people
}

// Add adds an authority. A root that is self-issued must carry its own
// signature where the algorithm is known: a damaged root file is better found
// here than in a message.
func (t *Trust) Add(e Entry) error {
	if e.Purpose == 0 || e.Purpose&^PurposeAll != 0 {
		return fmt.Errorf("%s: unknown purpose", e.Certificate.SubjectName)
	}
	if e.Root {
		if err := checkRoot(e.Certificate); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := e.Certificate.Fingerprint
	old, there := t.entries[key]
	switch {
	case there && e.Candidate && !old.Candidate:
		return nil // trusted already
	case there && old.Candidate == e.Candidate:
		e.Purpose |= old.Purpose
		e.Root = e.Root || old.Root
		e.Comment = cmp.Or(e.Comment, old.Comment)
	}
	t.entries[key] = e
	t.paths.clear()
	if e.Candidate {
		t.candidates.add(e.Certificate, e.Root)
		return nil
	}
	t.candidates.drop(e.Certificate)
	t.known.add(e.Certificate)
	t.trusted.add(e.Certificate, e.Root)
	return nil
}

// authorities finds certificates by their subject's name: roots first.
type authorities map[string][]*Certificate

func (a authorities) add(c *Certificate, front bool) {
	name := string(c.RawSubject)
	list := a[name]
	if i := slices.IndexFunc(list, func(o *Certificate) bool { return o.Fingerprint == c.Fingerprint }); i >= 0 {
		if !front {
			return
		}
		list = slices.Delete(slices.Clone(list), i, i+1)
	}
	if front {
		a[name] = slices.Concat([]*Certificate{c}, list)
	} else {
		a[name] = slices.Concat(list, []*Certificate{c})
	}
}

func (a authorities) drop(c *Certificate) {
	name := string(c.RawSubject)
	a[name] = slices.DeleteFunc(slices.Clone(a[name]), func(o *Certificate) bool { return o.Fingerprint == c.Fingerprint })
}

// anchor tells whether a chain may end here.
func (t *Trust) anchor(c *Certificate, candidates bool) bool {
	e, ok := t.entries[c.Fingerprint]
	return ok && e.Root && (candidates || !e.Candidate)
}

// Entries lists every configured authority: trusted before candidates, roots
// before the others, by name.
func (t *Trust) Entries() []Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]Entry, 0, len(t.entries))
	for _, e := range t.entries {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(order(!a.Candidate, !b.Candidate), order(a.Root, b.Root),
			strings.Compare(a.Certificate.SubjectName.String(), b.Certificate.SubjectName.String()),
			slices.Compare(a.Certificate.Fingerprint[:], b.Certificate.Fingerprint[:]))
	})
	return out
}

// order puts what holds before what does not.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// Hit counts the chains that would have held if a candidate were trusted.
type Hit struct {
	Certificate *Certificate
	Chains      uint64
}

// Hits tells how often each candidate would have made the difference since
// the start. One that never did stands there with nought.
func (t *Trust) Hits() []Hit {
	var out []Hit
	for _, e := range t.Entries() {
		if e.Candidate {
			out = append(out, Hit{Certificate: e.Certificate})
		}
	}
	t.hitsMu.Lock()
	defer t.hitsMu.Unlock()
	for i := range out {
		out[i].Chains = t.hits[out[i].Certificate.Fingerprint]
	}
	return out
}

func (t *Trust) count(c *Certificate) {
	t.hitsMu.Lock()
	defer t.hitsMu.Unlock()
	if t.hits == nil {
		t.hits = map[[sha256.Size]byte]uint64{}
	}
	t.hits[c.Fingerprint]++
}

// Replace takes over everything that another store holds, in one step for
// whoever is judging meanwhile. The other must not be used any more.
func (t *Trust) Replace(o *Trust) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries, t.trusted, t.candidates, t.known = o.entries, o.trusted, o.candidates, o.known
	t.paths.clear()
}
