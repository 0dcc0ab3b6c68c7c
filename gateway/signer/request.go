package signer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// fields is a JSON object from which members are taken by name. All faults are
// gathered and told at once. Members that nobody asks for are passed over, as
// NCANode does; a member that stands twice is a refusal.
type fields struct {
	path    string // of the object in the request: empty, or "signers[1]."
	members map[string]json.RawMessage
	faults  *[]string
	secrets *[][]byte // overwritten when the request is done
}

func readObject(raw []byte) (*fields, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("not UTF-8")
	}
	f := &fields{faults: new([]string), secrets: new([][]byte)}
	var err error
	f.members, err = objectMembers(raw)
	return f, err
}

// forget overwrites what was decoded from the request's secrets.
func (f *fields) forget() {
	for _, s := range *f.secrets {
		clear(s)
	}
}

// maxMembers bounds an object; those of the interface have up to seven.
const maxMembers = 64

func objectMembers(raw []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	t, err := d.Token()
	if err != nil {
		return nil, shortly(err)
	}
	if t != json.Delim('{') {
		return nil, errors.New("it begins as something else")
	}
	out := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, shortly(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, shortly(err)
		}
		// The name is not repeated in the error: it is the caller's text.
		if _, twice := out[name.(string)]; twice {
			return nil, errors.New("a member stands in it twice")
		}
		if len(out) == maxMembers {
			return nil, fmt.Errorf("it has more than %d members", maxMembers)
		}
		out[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, shortly(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows it")
	}
	return out, nil
}

// shortly says where JSON is broken without the text around it, which may be
// a password.
func shortly(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("syntax error at byte %d", syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends too early")
	default:
		return errors.New("it is broken")
	}
}

func (f *fields) fault(name, format string, args ...any) {
	const most = 20
	if len(*f.faults) < most {
		*f.faults = append(*f.faults, f.path+name+": "+fmt.Sprintf(format, args...))
	}
}

// bad is the answer to all faults, nil if there are none.
func (f *fields) bad() *fail {
	if len(*f.faults) == 0 {
		return nil
	}
	return badRequest("%s", strings.Join(*f.faults, "; "))
}

func (f *fields) raw(name string) (json.RawMessage, bool) {
	v, ok := f.members[name]
	return v, ok && string(v) != "null"
}

// text is a string member; empty where it is absent.
func (f *fields) text(name string) string {
	v, ok := f.raw(name)
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		f.fault(name, "must be a string")
		return ""
	}
	// A lone surrogate would silently become another character, and what is
	// signed would not be what was sent.
	written := strings.Count(string(v), "�") + strings.Count(strings.ToLower(string(v)), `\ufffd`)
	if strings.Count(s, "�") > written {
		f.fault(name, "holds half of a surrogate pair")
		return ""
	}
	return s
}

// required is a string that must be there and say something.
func (f *fields) required(name string) string {
	s := f.text(name)
	if _, there := f.raw(name); !there || string(f.members[name]) == `""` {
		f.fault(name, "is required and must not be empty")
	}
	return s
}

// requiredBytes is required, in base64.
func (f *fields) requiredBytes(name string) []byte {
	if f.required(name) == "" {
		return nil
	}
	return f.bytes(name)
}

func (f *fields) flag(name string) bool {
	v, ok := f.raw(name)
	var b bool
	if ok && json.Unmarshal(v, &b) != nil {
		f.fault(name, "must be true or false")
	}
	return b
}

// bytes is a member in base64, padded or not, on one line or many; nil where
// it is absent.
func (f *fields) bytes(name string) []byte {
	if _, ok := f.raw(name); !ok {
		return nil
	}
	return f.decode(name, f.text(name))
}

func (f *fields) decode(name, s string) []byte {
	s = strings.NewReplacer("\r", "", "\n", "", " ", "", "\t", "").Replace(s)
	out, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		f.fault(name, "is not base64")
		return nil
	}
	return out
}

// list is a member that is an array; nil where it is absent.
func (f *fields) list(name string, most int) []json.RawMessage {
	v, ok := f.raw(name)
	if !ok {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(v))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		f.fault(name, "must be a list")
		return nil
	}
	var out []json.RawMessage
	for d.More() {
		var one json.RawMessage
		if d.Decode(&one) != nil {
			f.fault(name, "must be a list")
			return nil
		}
		if len(out) == most {
			f.fault(name, "has more than %d members", most)
			return nil
		}
		out = append(out, one)
	}
	return out
}

// objects is a list of objects, which must not be empty.
func (f *fields) objects(name string, most int) []*fields {
	var out []*fields
	for i, raw := range f.list(name, most) {
		at := fmt.Sprintf("%s[%d]", name, i)
		members, err := objectMembers(raw)
		if err != nil {
			f.fault(at, "is not a JSON object: %v", err)
			continue
		}
		out = append(out, &fields{path: f.path + at + ".", members: members, faults: f.faults, secrets: f.secrets})
	}
	if len(out) == 0 && len(*f.faults) == 0 {
		f.fault(name, "is required and must not be empty")
	}
	return out
}

// one is a word of a closed list; empty where it is absent.
func (f *fields) one(name string, words ...string) string {
	s := f.text(name)
	if s != "" && !slices.Contains(words, s) {
		f.fault(name, "must be %s", strings.Join(words, " or "))
	}
	return s
}

// methods reads revocationCheck: which of OCSP and CRL to ask, each once.
func (f *fields) methods() []method {
	const name = "revocationCheck"
	var out []method
	for _, raw := range f.list(name, 16) {
		var word string
		if json.Unmarshal(raw, &word) != nil || word != string(byOCSP) && word != string(byCRL) {
			f.fault(name, "holds OCSP, CRL, both or nothing")
			return nil
		}
		if !slices.Contains(out, method(word)) {
			out = append(out, method(word))
		}
	}
	return out
}
