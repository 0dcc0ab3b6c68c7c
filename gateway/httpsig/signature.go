package httpsig

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Signature is one signature of a message as it was read, believed by nobody
// yet.
type Signature struct {
	Label     string
	Covered   []string // names of the components; @query-param with its name
	KeyID     string
	Algorithm string // alg; empty: not said
	Nonce     string
	Tag       string
	Created   time.Time // zero: not said
	Expires   time.Time // zero: not said
	Value     []byte
	Base      []byte // what is signed (RFC 9421, 2.5)

	query bool // the request has one
}

// Bounds of what is read: real ones are far below.
const (
	maxField    = 16 << 10
	maxCovered  = 64
	maxKeyBytes = 256 // keyid, nonce
)

// Read finds the one signature of a message. The error is an *Error.
func Read(m Message) (*Signature, error) {
	input, err := dictionary(m.Header, fieldInput)
	if err != nil {
		return nil, err
	}
	values, err := dictionary(m.Header, fieldSignature)
	if err != nil {
		return nil, err
	}
	if len(input) != 1 || len(values) != 1 || values[0].key != input[0].key {
		return nil, bad(NotOne, fieldInput, "", "there must be exactly one signature, with the same label in Signature-Input and Signature")
	}
	s := &Signature{Label: input[0].key}
	if !input[0].isList {
		return nil, bad(Malformed, fieldInput, "", "Signature-Input is not a list of components")
	}
	var ok bool
	if s.Value, ok = values[0].value.([]byte); !ok || len(s.Value) == 0 || len(values[0].params) > 0 {
		return nil, bad(Malformed, fieldSignature, "", "Signature is not a byte sequence alone")
	}
	if err := s.parameters(input[0].params); err != nil {
		return nil, err
	}
	if err := s.build(m, input[0].list, input[0].params); err != nil {
		return nil, bad(Malformed, fieldInput, "", "%v", err)
	}
	return s, nil
}

// parameters reads those of RFC 9421, 2.3; unknown ones are refused, as what
// they restrict is unknown.
func (s *Signature) parameters(all []param) error {
	for _, p := range all {
		ok := false
		switch p.key {
		case "created":
			s.Created, ok = moment(p.value)
		case "expires":
			s.Expires, ok = moment(p.value)
		case "keyid":
			s.KeyID, ok = word(p.value)
		case "alg":
			s.Algorithm, ok = word(p.value)
		case "nonce":
			s.Nonce, ok = word(p.value)
		case "tag":
			s.Tag, ok = word(p.value)
		default:
			return bad(Malformed, fieldInput, p.key, "the signature parameter %q is not known", p.key)
		}
		if !ok {
			return bad(Malformed, fieldInput, p.key, "the signature parameter %q has a wrong value", p.key)
		}
	}
	return nil
}

func moment(v any) (time.Time, bool) {
	n, ok := v.(int64)
	if !ok || n <= 0 || n > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(n, 0).UTC(), true
}

func word(v any) (string, bool) {
	s, ok := v.(string)
	return s, ok && s != "" && len(s) <= maxKeyBytes
}

// build makes the signature base from the message and the list that covers it.
func (s *Signature) build(m Message, list []element, params []param) error {
	if len(list) > maxCovered {
		return fmt.Errorf("more than %d components", maxCovered)
	}
	s.query = m.URL != nil && m.URL.RawQuery != ""
	var b strings.Builder
	for _, e := range list {
		covered := e.name()
		if slices.Contains(s.Covered, covered) {
			return fmt.Errorf("%s is covered twice", e.text())
		}
		s.Covered = append(s.Covered, covered)
		value, err := m.value(e)
		if err != nil {
			return err
		}
		b.WriteString(e.text() + ": " + value + "\n")
	}
	b.WriteString(paramsLine + text(list, params))
	s.Base = []byte(b.String())
	return nil
}

// name is that of a component among those that are covered.
func (e element) name() string {
	covered := e.value
	for _, p := range e.params {
		if p.key == "name" {
			covered += fmt.Sprintf(";%v", p.value)
		} else {
			covered += ";" + p.key
		}
	}
	return covered
}

// Policy is what a receiver asks of a signature beside its value.
type Policy struct {
	// Covered must be. In the place of @target-uri its parts may stand:
	// @authority and @request-target, or @authority, @path and, where there is a
	// query, @query.
	Covered []string
	MaxAge  time.Duration // of created
	Ahead   time.Duration // how far created may lie before us: clocks differ
	Nonce   bool          // must be there
}

// How old the signature of a request may be, and how far ahead of our clock.
const (
	RequestAge   = 5 * time.Minute
	RequestAhead = time.Minute
)

// OfRequest is what a server asks of a partner's request: whatever decides about
// what is done is signed, and it serves once.
func OfRequest(body bool, headers ...string) Policy {
	p := Policy{Covered: []string{"@method", "@target-uri"}, MaxAge: RequestAge, Ahead: RequestAhead, Nonce: true}
	if body {
		p.Covered = append(p.Covered, "content-digest", "content-type")
	}
	p.Covered = append(p.Covered, headers...)
	return p
}

// covers says whether a component is signed, @target-uri also in its parts.
func (s *Signature) covers(name string) bool {
	has := func(one string) bool { return slices.Contains(s.Covered, one) }
	if has(name) || name != "@target-uri" {
		return has(name)
	}
	return has("@authority") && (has("@request-target") || has("@path") && (has("@query") || !s.query))
}

// Check compares the signature with a policy; zero times of a signature fail.
// The error is an *Error.
func (s *Signature) Check(p Policy, at time.Time) error {
	for _, name := range p.Covered {
		if !s.covers(name) {
			return bad(NotCovered, fieldInput, name, "%q must be covered by the signature", name)
		}
	}
	absent := func(name string) error {
		return bad(Incomplete, fieldInput, name, "the parameter %s is missing", name)
	}
	switch {
	case s.Created.IsZero():
		return absent("created")
	case s.Created.After(at.Add(p.Ahead)):
		return bad(Ahead, fieldInput, "created", "created lies ahead of our clock")
	case at.Sub(s.Created) > p.MaxAge:
		return bad(Expired, fieldInput, "created", "the signature is older than %s; sign anew", p.MaxAge)
	case !s.Expires.IsZero() && !at.Before(s.Expires):
		return bad(Expired, fieldInput, "expires", "the signature has expired")
	case s.KeyID == "":
		return absent("keyid")
	case p.Nonce && s.Nonce == "":
		return absent("nonce")
	}
	return nil
}

// Verify checks the value with a key. The key's algorithm decides. The error
// is an *Error.
func (s *Signature) Verify(k Key) error {
	if s.Algorithm != "" && s.Algorithm != k.Algorithm {
		return bad(OtherAlgorithm, fieldInput, "alg", "alg is %q, and the key is one for %s", s.Algorithm, k.Algorithm)
	}
	if err := k.Verify(s.Base, s.Value); err != nil {
		return bad(Mismatch, fieldSignature, "", "the signature does not belong to this message and key")
	}
	return nil
}

// Sign puts Content-Digest (when there is a body), Signature-Input and
// Signature on a request. covered are components that are there; created is in
// whole seconds.
func Sign(r *http.Request, body []byte, covered []string, with Signer, created time.Time, nonce string) error {
	if body != nil {
		r.Header.Set(fieldDigest, Digest(body))
	}
	return sign(Outgoing(r), covered, with, created, nonce)
}

// SignAnswer puts the same on a response. A component of the request bears the
// suffix ";req".
func SignAnswer(m Message, body []byte, covered []string, with Signer, created time.Time) error {
	m.Header.Set(fieldDigest, Digest(body))
	return sign(m, covered, with, created, "")
}

func sign(m Message, covered []string, with Signer, created time.Time, nonce string) error {
	var list []element
	for _, name := range covered {
		e := element{}
		var req bool
		if e.value, req = strings.CutSuffix(name, ";req"); req {
			e.params = []param{{"req", true}}
		}
		list = append(list, e)
	}
	params := []param{{"created", created.Unix()}, {"keyid", with.KeyID}, {"alg", with.Algorithm}}
	if nonce != "" {
		params = append(params, param{"nonce", nonce})
	}
	var s Signature
	if err := s.build(m, list, params); err != nil {
		return fmt.Errorf("httpsig: %w", err)
	}
	value, err := with.Sign(s.Base)
	if err != nil {
		return fmt.Errorf("httpsig: sign: %w", err)
	}
	m.Header.Set(fieldInput, label+"="+text(list, params))
	m.Header.Set(fieldSignature, label+"=:"+base64.StdEncoding.EncodeToString(value)+":")
	return nil
}
