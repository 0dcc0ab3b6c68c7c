package httpsig

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// label names our own signatures.
const label = "kopir"

// paramsLine begins the last line of a signature base.
const paramsLine = `"@signature-params": `

// Proof is what must be kept to verify the signature again: its base and its
// value, as they stand in RFC 9421. A body that is kept with it stands behind.
func (s *Signature) Proof() []byte {
	return append(append(slices.Clone(s.Base), '\n'), label+"=:"+base64.StdEncoding.EncodeToString(s.Value)+":\n"...)
}

// ReadProof reads what Proof made, and gives what stands behind it. The error
// is an *Error.
func ReadProof(kept []byte) (s *Signature, rest []byte, err error) {
	malformed := func(say string) (*Signature, []byte, error) {
		return nil, nil, bad(Malformed, fieldInput, "", "the kept signature does not read: %s", say)
	}
	s = &Signature{Label: label}
	var lines []string
	for rest = kept; ; {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found || len(lines) > maxCovered {
			return malformed("its base has no end")
		}
		lines, rest = append(lines, string(line)), after
		if bytes.HasPrefix(line, []byte(paramsLine)) {
			break
		}
	}
	s.Base = []byte(strings.Join(lines, "\n"))
	last := len(lines) - 1
	in := &reader{text: strings.TrimPrefix(lines[last], paramsLine)}
	if in.peek() != '(' {
		return malformed("there is no list of components")
	}
	list, err := in.innerList()
	if err != nil {
		return malformed(err.Error())
	}
	params, err := in.params()
	if err != nil || text(list, params) != in.text || len(list) != last {
		return malformed("the list of components is not that of its lines")
	}
	for i, e := range list {
		if !strings.HasPrefix(lines[i], e.text()+": ") || slices.Contains(s.Covered, e.name()) {
			return malformed("the list of components is not that of its lines")
		}
		s.Covered = append(s.Covered, e.name())
	}
	if err := s.parameters(params); err != nil {
		return nil, nil, err
	}
	value, rest, found := bytes.Cut(rest, []byte("\n"))
	if s.Value, err = base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(strings.TrimPrefix(string(value), label+"=:"), ":")); err != nil || !found || len(s.Value) == 0 ||
		!bytes.Equal(s.Proof(), kept[:len(kept)-len(rest)]) {
		return malformed("its value is not in base64")
	}
	return s, rest, nil
}

// Component is the value of a component without parameters, as it was signed.
func (s *Signature) Component(name string) (string, bool) {
	for line := range strings.Lines(string(s.Base)) {
		if v, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), element{value: name}.text()+": "); ok {
			return v, true
		}
	}
	return "", false
}

// CheckBody compares a body with the digest that is signed. The error is an
// *Error.
func (s *Signature) CheckBody(body []byte) error {
	v, ok := s.Component("content-digest")
	if !ok {
		return bad(NotCovered, fieldInput, "content-digest", "%q must be covered by the signature", "content-digest")
	}
	return CheckDigest(http.Header{fieldDigest: {v}}, body)
}
