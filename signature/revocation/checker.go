package revocation

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"kopir/signature/hop"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// Source is where one authority publishes. Only these addresses are ever asked.
type Source struct {
	Issuer *nuc.Certificate // nil: every authority that has no source of its own
	OCSP   []string         // in the order of trying
	CRL    []string
	Delta  []string
}

// Options of a Checker. Zero values take the defaults named beside them.
type Options struct {
	Sources []Source
	Folder  string           // where fetched lists are kept; empty: in memory alone
	Now     func() time.Time // time.Now

	Timeout    time.Duration // of one request: 5 s
	Budget     time.Duration // of one question, with all its requests: 10 s
	Pause      time.Duration // how long an address that failed is left alone: 5 s
	CacheFor   time.Duration // how long an OCSP answer is used again: 5 min
	MaxOCSPAge time.Duration // of an answer without nextUpdate: 24 h
	Refresh    time.Duration // how often lists are fetched: 1 h
	MaxListAge time.Duration // how long a fetched list counts after the last successful fetch: 24 h

	// Defect is told of a panic, which whoever asked gets as an error; nil: the standard log is.
	Defect func(panicked any, stack []byte)

	Transport http.RoundTripper                     // http.DefaultTransport's settings
	Proxy     func(*http.Request) (*url.URL, error) // without Transport: that of the environment
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&o.Timeout, 5*time.Second)
	set(&o.Budget, 10*time.Second)
	set(&o.Pause, 5*time.Second)
	set(&o.CacheFor, 5*time.Minute)
	set(&o.MaxOCSPAge, 24*time.Hour)
	set(&o.Refresh, time.Hour)
	set(&o.MaxListAge, 24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Defect == nil {
		o.Defect = func(panicked any, stack []byte) { log.Printf("revocation: panic: %v\n%s", panicked, stack) }
	}
	return o
}

type fingerprint = [sha256.Size]byte

// pair is a certificate under an issuer.
type pair struct{ leaf, issuer fingerprint }

// Checker answers whether certificates are revoked. It is safe for concurrent use.
type Checker struct {
	o      Options
	client *http.Client
	flight singleflight.Group

	mu       sync.Mutex
	stored   []*CRL
	answers  []*Response
	verified map[[2]fingerprint]verdict.Check // stored list, issuer
	cached   map[pair]cachedFinding
	lists    map[fingerprint]*publication // by issuer
	resting  map[string]rest              // addresses that failed
	fresh    map[fingerprint]Freshness    // by issuer
}

type cachedFinding struct {
	finding
	at time.Time // when it was fetched
}

// maxCached bounds the remembered answers.
const maxCached = 16384

// NewChecker makes a Checker. Without sources and stored evidence it knows nothing.
func NewChecker(o Options) *Checker {
	o = o.withDefaults()
	return &Checker{
		o: o, client: newClient(o),
		verified: map[[2]fingerprint]verdict.Check{},
		cached:   map[pair]cachedFinding{},
		lists:    map[fingerprint]*publication{},
		resting:  map[string]rest{},
		fresh:    map[fingerprint]Freshness{},
	}
}

// AddCRL gives the checker a stored list. It is verified when it is used.
func (c *Checker) AddCRL(l *CRL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored = append(c.stored, l)
}

// AddOCSP gives the checker a stored answer. It is verified when it is used.
func (c *Checker) AddOCSP(r *Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = append(c.answers, r)
}

// UseStored replaces the stored lists and answers: when their files have changed.
func (c *Checker) UseStored(lists []*CRL, answers []*Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored, c.answers = lists, answers
	clear(c.verified)
}

// Check is Ask as the check of a verdict.
func (c *Checker) Check(ctx context.Context, leaf, issuer *nuc.Certificate, at time.Time) verdict.Check {
	return c.Ask(ctx, leaf, issuer, at).Check()
}

// Use replaces the sources: when other authorities are trusted than before.
func (c *Checker) Use(sources []Source) {
	c.mu.Lock()
	c.o.Sources = sources
	c.mu.Unlock()
	c.prepare()
}

func (c *Checker) sources() []Source {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.o.Sources
}

func (c *Checker) source(issuer *nuc.Certificate) Source {
	var any Source
	for _, s := range c.sources() {
		switch {
		case s.Issuer == nil:
			any = s
		case s.Issuer.Fingerprint == issuer.Fingerprint:
			return s
		}
	}
	return any
}

// weigh chooses among answers: a revocation before everything, the responder
// not knowing the certificate before silence elsewhere, then the most recent
// good one. A certificate on hold is released by evidence that is newer.
func weigh(found []Answer) Answer {
	var hold, good, strange, other *Answer
	for i := range found {
		a := &found[i]
		switch {
		case a.Status == Revoked && a.Why != reasonNames[reasonHold]:
			return *a
		case a.Status == Revoked:
			if hold == nil || a.ThisUpdate.After(hold.ThisUpdate) {
				hold = a
			}
		case a.Status == Good:
			if good == nil || a.ThisUpdate.After(good.ThisUpdate) {
				good = a
			}
		case a.unissued:
			strange = a
		case other == nil:
			other = a
		}
	}
	switch {
	case hold != nil && (good == nil || !good.ThisUpdate.After(hold.ThisUpdate)):
		return *hold
	case strange != nil:
		return *strange
	case good != nil:
		return *good
	case other != nil:
		return *other
	default:
		return unknown(verdict.TryLater, "revocation", "nothing is known")
	}
}

// fromAnswers judges stored OCSP answers on the certificate.
func (c *Checker) fromAnswers(ctx context.Context, leaf, issuer *nuc.Certificate, at, now time.Time) []Answer {
	c.mu.Lock()
	answers := c.answers
	c.mu.Unlock()
	var out []Answer
	for _, r := range answers {
		one, err := r.about(leaf, issuer)
		if err != nil {
			continue // about another certificate
		}
		f, problem := c.believe(ctx, r, one, issuer, false)
		if problem != nil {
			out = append(out, *problem)
			continue
		}
		out = append(out, f.judge(at, now, leaf.NotAfter))
	}
	return out
}

// believe verifies an answer and the standing of its responder.
func (c *Checker) believe(ctx context.Context, r *Response, one *Single, issuer *nuc.Certificate, network bool) (finding, *Answer) {
	signer, check := r.Verify(issuer)
	if check.Outcome != verdict.Passed {
		a := unknown(check.Reason, "OCSP answer", "%s", check.Detail)
		return finding{}, &a
	}
	f := r.finding(one, signer, c.o.MaxOCSPAge)
	if signer.Fingerprint != issuer.Fingerprint && !signer.NoCheck {
		a := c.standing(ctx, signer, issuer, r.ProducedAt, network)
		if a.Status != Good {
			a = unknown(verdict.TryLater, "OCSP answer", "whether its responder is revoked is not known (%s)", a.Detail)
			return finding{}, &a
		}
		f.proofs = append(f.proofs, a.Proofs...)
	}
	return f, nil
}

// standing asks the lists about a responder: asking a responder about itself
// would prove nothing.
func (c *Checker) standing(ctx context.Context, responder, issuer *nuc.Certificate, at time.Time, network bool) Answer {
	now := c.o.Now()
	found := c.fromStored(responder, issuer, at, now)
	if source := c.source(issuer); network && len(source.CRL) > 0 {
		found = append(found, c.fromPublication(ctx, source, responder, issuer, at, now))
	}
	return weigh(found)
}

// fromStored judges every stored list of the issuer, each with the newest of
// the deltas that fit it.
func (c *Checker) fromStored(leaf, issuer *nuc.Certificate, at, now time.Time) []Answer {
	c.mu.Lock()
	stored := c.stored
	c.mu.Unlock()
	var out []Answer
	var usable []*CRL
	for _, l := range stored {
		if !l.IssuedBy(issuer) {
			continue
		}
		if check := c.verify(l, issuer); check.Outcome != verdict.Passed {
			out = append(out, unknown(check.Reason, l.String(), "%s", check.Detail))
			continue
		}
		usable = append(usable, l)
	}
	for _, base := range usable {
		if base.Delta {
			continue
		}
		if ok, why := base.covers(leaf); !ok {
			out = append(out, unknown(verdict.TryLater, base.String(), "%s", why))
			continue
		}
		var delta *CRL
		for _, d := range usable {
			if d.applies(base) && !d.ThisUpdate.After(now.Add(clockSkew)) && (delta == nil || d.ThisUpdate.After(delta.ThisUpdate)) {
				delta = d
			}
		}
		alone := findIn(base, nil, leaf).judge(at, now, leaf.NotAfter)
		if delta != nil {
			// A delta that ended earlier than its base takes nothing from the base.
			if both := findIn(base, delta, leaf).judge(at, now, leaf.NotAfter); both.Status != Unknown {
				alone = both
			}
		}
		out = append(out, alone)
	}
	return out
}

// verify is CRL.Verify with a memory.
func (c *Checker) verify(l *CRL, issuer *nuc.Certificate) verdict.Check {
	key := [2]fingerprint{l.Fingerprint, issuer.Fingerprint}
	c.mu.Lock()
	check, ok := c.verified[key]
	c.mu.Unlock()
	if ok {
		return check
	}
	check = l.Verify(issuer)
	c.mu.Lock()
	c.verified[key] = check
	c.mu.Unlock()
	return check
}

// fromResponder uses a remembered answer or asks for a new one.
func (c *Checker) fromResponder(ctx context.Context, source Source, leaf, issuer *nuc.Certificate, at, now time.Time) Answer {
	key := pair{leaf.Fingerprint, issuer.Fingerprint}
	c.mu.Lock()
	kept, ok := c.cached[key]
	c.mu.Unlock()
	if ok && now.Sub(kept.at) < c.o.CacheFor && !now.Before(kept.at) {
		if a := kept.judge(at, now, leaf.NotAfter); a.Status != Unknown {
			return a
		}
	}
	result := c.flight.DoChan(fmt.Sprintf("ocsp %x %x", key.leaf, key.issuer), func() (any, error) {
		// One question serves all who wait for it, so it does not end with the
		// first of them; its span is in the trace of that one.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.o.Budget)
		defer cancel()
		var found asked
		err := c.guard(func() error {
			found = c.askResponders(ctx, source.OCSP, leaf, issuer)
			return nil
		})
		return found, err
	})
	select {
	case <-ctx.Done():
		return unknown(verdict.TryLater, "OCSP", "no answer in time: %v", ctx.Err())
	case r := <-result:
		if r.Err != nil {
			return unknown(verdict.TryLater, "OCSP", "%v", r.Err)
		}
		asked := r.Val.(asked)
		if asked.problem != nil {
			return *asked.problem
		}
		c.remember(key, asked.finding)
		return asked.finding.judge(at, c.o.Now(), leaf.NotAfter)
	}
}

type asked struct {
	finding finding
	problem *Answer
}

func (c *Checker) remember(key pair, f finding) {
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cached) >= maxCached {
		for k, v := range c.cached {
			if now.Sub(v.at) >= c.o.CacheFor {
				delete(c.cached, k)
			}
		}
		if len(c.cached) >= maxCached {
			clear(c.cached)
		}
	}
	c.cached[key] = cachedFinding{f, now}
}

// Forget drops remembered OCSP answers, so that the next question is asked anew.
func (c *Checker) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.cached)
}

// askResponders asks one address after another until one gives an answer that
// can be believed.
func (c *Checker) askResponders(ctx context.Context, urls []string, leaf, issuer *nuc.Certificate) asked {
	problem := unknown(verdict.TryLater, "OCSP", "every address is being left alone after a failure")
	for _, url := range urls {
		if c.rests(url) {
			continue
		}
		f, bad, down := c.query(ctx, url, leaf, issuer)
		if down {
			c.rest(url)
		} else {
			c.wakes(url)
		}
		if bad == nil {
			return asked{finding: f}
		}
		problem = *bad
	}
	return asked{problem: &problem}
}

// query asks one address. down says that the fault is the address's and not
// of this certificate: a responder that serves one authority and refuses
// another is well.
func (c *Checker) query(ctx context.Context, url string, leaf, issuer *nuc.Certificate) (f finding, problem *Answer, down bool) {
	outcome := hop.NoAnswer
	ctx, end := hop.Ask(ctx, "ocsp", url, &outcome)
	defer end()
	fail := func(down bool, err error) (finding, *Answer, bool) {
		a := unknown(verdict.TryLater, "OCSP at "+url, "%v", err)
		return finding{}, &a, down
	}
	nonce := NewNonce()
	request, err := NewOCSPRequest(leaf, issuer, nonce)
	if err != nil {
		return fail(false, err)
	}
	raw, err := c.post(ctx, url, request)
	if err != nil {
		return fail(true, err)
	}
	outcome = hop.Unusable
	r, err := ParseOCSP(raw)
	if err != nil {
		return fail(true, err)
	}
	if r.Status != 0 {
		return fail(r.Status == statusInternalError || r.Status == statusTryLater, fmt.Errorf("answered %v", r.Status))
	}
	if !r.hasNonce(nonce) {
		return fail(false, errors.New("the answer does not carry the nonce of the question: it may be an old one"))
	}
	one, err := r.about(leaf, issuer)
	if err != nil {
		return fail(false, err)
	}
	if f, problem = c.believe(ctx, r, one, issuer, true); problem == nil {
		outcome = hop.Answered
	}
	return f, problem, false
}
