package httpsig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Signature is one signature of a request as it was read, believed by nobody
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
}

// Bounds of what is read: real ones are far below.
const (
	maxField    = 16 << 10
	maxCovered  = 64
	maxKeyBytes = 256 // keyid, nonce
)

// Read finds the one signature of a message.
func Read(m Message) (*Signature, error) {
	input, err := dictionary(m.Header, "Signature-Input")
	if err != nil {
		return nil, err
	}
	values, err := dictionary(m.Header, "Signature")
	if err != nil {
		return nil, err
	}
	if len(input) != 1 || len(values) != 1 || values[0].key != input[0].key {
		return nil, errors.New("httpsig: there must be exactly one signature, with the same label in Signature-Input and Signature")
	}
	s := &Signature{Label: input[0].key}
	if !input[0].isList {
		return nil, errors.New("httpsig: Signature-Input is not a list of components")
	}
	var ok bool
	if s.Value, ok = values[0].value.([]byte); !ok || len(s.Value) == 0 || len(values[0].params) > 0 {
		return nil, errors.New("httpsig: Signature is not a byte sequence alone")
	}
	if err := s.parameters(input[0].params); err != nil {
		return nil, err
	}
	return s, s.build(m, input[0].list, input[0].params)
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
			return fmt.Errorf("httpsig: the signature parameter %q is not known", p.key)
		}
		if !ok {
			return fmt.Errorf("httpsig: the signature parameter %q has a wrong value", p.key)
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
		return fmt.Errorf("httpsig: more than %d components", maxCovered)
	}
	var b strings.Builder
	for _, e := range list {
		covered := e.value
		if len(e.params) == 1 && e.params[0].key == "name" {
			covered += fmt.Sprintf(";%v", e.params[0].value)
		}
		if slices.Contains(s.Covered, covered) {
			return fmt.Errorf("httpsig: %s is covered twice", e.text())
		}
		s.Covered = append(s.Covered, covered)
		value, err := m.value(e)
		if err != nil {
			return fmt.Errorf("httpsig: %w", err)
		}
		b.WriteString(e.text() + ": " + value + "\n")
	}
	b.WriteString(`"@signature-params": ` + text(list, params))
	s.Base = []byte(b.String())
	return nil
}

// Policy is what a receiver asks of a signature beside its value.
type Policy struct {
	Covered []string      // must be
	MaxAge  time.Duration // of created
	Ahead   time.Duration // how far created may lie before us: clocks differ
	Nonce   bool          // must be there
}

// Check compares the signature with a policy; zero times of a signature fail.
func (s *Signature) Check(p Policy, at time.Time) error {
	for _, name := range p.Covered {
		if !slices.Contains(s.Covered, name) {
			return fmt.Errorf("httpsig: %q must be covered by the signature", name)
		}
	}
	switch {
	case s.Created.IsZero():
		return errors.New("httpsig: the parameter created is missing")
	case s.Created.After(at.Add(p.Ahead)):
		return errors.New("httpsig: created lies ahead of our clock")
	case at.Sub(s.Created) > p.MaxAge:
		return fmt.Errorf("httpsig: the signature is older than %s; sign anew", p.MaxAge)
	case !s.Expires.IsZero() && !at.Before(s.Expires):
		return errors.New("httpsig: the signature has expired")
	case s.KeyID == "":
		return errors.New("httpsig: the parameter keyid is missing")
	case p.Nonce && s.Nonce == "":
		return errors.New("httpsig: the parameter nonce is missing")
	}
	return nil
}

// Verify checks the value with a key. The key's algorithm decides.
func (s *Signature) Verify(k Key) error {
	if s.Algorithm != "" && s.Algorithm != k.Algorithm {
		return fmt.Errorf("httpsig: alg is %q, and the key is one for %s", s.Algorithm, k.Algorithm)
	}
	if err := k.Verify(s.Base, s.Value); err != nil {
		return errors.New("httpsig: the signature does not belong to this request and key")
	}
	return nil
}

// label names our own signatures.
const label = "kopir"

// Sign puts Content-Digest (when there is a body), Signature-Input and
// Signature on a request. covered are components that are there; created is in
// whole seconds.
func Sign(r *http.Request, body []byte, covered []string, with Signer, created time.Time, nonce string) error {
	if body != nil {
		r.Header.Set("Content-Digest", Digest(body))
	}
	var list []element
	for _, name := range covered {
		list = append(list, element{value: name})
	}
	params := []param{{"created", created.Unix()}, {"keyid", with.KeyID}, {"alg", with.Algorithm}}
	if nonce != "" {
		params = append(params, param{"nonce", nonce})
	}
	var s Signature
	if err := s.build(Outgoing(r), list, params); err != nil {
		return err
	}
	value, err := with.Sign(s.Base)
	if err != nil {
		return fmt.Errorf("httpsig: sign: %w", err)
	}
	r.Header.Set("Signature-Input", label+"="+text(list, params))
	r.Header.Set("Signature", label+"=:"+base64.StdEncoding.EncodeToString(value)+":")
	return nil
}
