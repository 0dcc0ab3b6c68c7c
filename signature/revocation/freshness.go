package revocation

import (
	"slices"
	"strings"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// Freshness is how it stands with what an authority says of its certificates,
// by the questions that were asked about the present.
type Freshness struct {
	Authority string
	Asked     time.Time // last
	Answered  time.Time // last question that got an answer; zero: none did
	Listed    time.Time // when its list was last fetched; zero: never, or it has none
	// Silent is since when questions get no answer; zero: the last one did. Then
	// nothing that hangs on this authority can be judged.
	Silent time.Time
	Fault  string
}

// present is how old a time of judgement may be to be about the present.
const present = time.Hour

// maxAuthorities bounds those that are remembered; there are a handful.
const maxAuthorities = 256

// note remembers how a question about the present ended.
func (c *Checker) note(issuer *nuc.Certificate, at, now time.Time, a Answer) {
	if now.Sub(at).Abs() > present {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f, known := c.fresh[issuer.Fingerprint]
	if !known && len(c.fresh) >= maxAuthorities {
		return
	}
	f.Authority, f.Asked = issuer.SubjectName.String(), now
	if a.Status == Unknown && a.Reason == verdict.TryLater && !a.unissued {
		f.Fault = a.Detail
		if f.Silent.IsZero() {
			f.Silent = now
		}
	} else {
		f.Answered, f.Silent, f.Fault = now, time.Time{}, ""
	}
	c.fresh[issuer.Fingerprint] = f
}

// Freshness tells how it stands with every authority that was asked about, and
// with those whose lists are fetched, by name.
func (c *Checker) Freshness() []Freshness {
	c.mu.Lock()
	all := map[fingerprint]Freshness{}
	for k, f := range c.fresh {
		all[k] = f
	}
	lists := map[fingerprint]*publication{}
	for k, p := range c.lists {
		lists[k] = p
	}
	c.mu.Unlock()
	for k, p := range lists {
		f := all[k]
		f.Authority = p.issuer.SubjectName.String()
		_, _, f.Listed, _ = p.state()
		all[k] = f
	}
	out := make([]Freshness, 0, len(all))
	for _, f := range all {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Freshness) int { return strings.Compare(a.Authority, b.Authority) })
	return out
}
