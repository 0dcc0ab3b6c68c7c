package httpsig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// The subset of Structured Field Values (RFC 9651) that signatures and digests
// are written in: dictionaries whose members are strings, integers, booleans
// and byte sequences, or inner lists of strings. A key that stands twice is
// refused; the RFC lets the last one win.

// member is one entry of a dictionary: a bare item, or with list set the items
// of an inner list.
type member struct {
	key    string
	value  any // string, int64, bool or []byte
	list   []element
	isList bool
	params []param
}

// element is an item of an inner list.
type element struct {
	value  string
	params []param
}

type param struct {
	key   string
	value any
}

// dictionary reads a field, whose values in several lines are one.
func dictionary(h http.Header, field string) ([]member, error) {
	values := h.Values(field)
	text := strings.Join(values, ", ")
	switch {
	case len(values) == 0:
		return nil, bad(Missing, field, "", "the field %s is missing", field)
	case len(text) > maxField:
		return nil, bad(Malformed, field, "", "the field %s is longer than %d bytes", field, maxField)
	}
	r := &reader{text: text}
	all, err := r.dictionary()
	if err != nil {
		return nil, bad(Malformed, field, "", "the field %s is no dictionary (RFC 9651): %v at byte %d", field, err, r.at)
	}
	return all, nil
}

// reader reads from the left.
type reader struct {
	text string
	at   int
}

func (r *reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *reader) take(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *reader) skip(of string) {
	for r.at < len(r.text) && strings.IndexByte(of, r.text[r.at]) >= 0 {
		r.at++
	}
}

func (r *reader) dictionary() ([]member, error) {
	var all []member
	for r.skip(" "); r.at < len(r.text); {
		m, err := r.member()
		if err != nil {
			return nil, err
		}
		for _, old := range all {
			if old.key == m.key {
				return nil, fmt.Errorf("the key %q stands twice", m.key)
			}
		}
		all = append(all, m)
		r.skip(" \t")
		if r.at == len(r.text) {
			break
		}
		if !r.take(',') {
			return nil, errors.New("a comma is missing")
		}
		if r.skip(" \t"); r.at == len(r.text) {
			return nil, errors.New("nothing follows the comma")
		}
	}
	return all, nil
}

func (r *reader) member() (m member, err error) {
	if m.key, err = r.key(); err != nil {
		return m, err
	}
	switch {
	case !r.take('='):
		m.value = true
	case r.peek() == '(':
		m.isList = true
		m.list, err = r.innerList()
	default:
		m.value, err = r.bare()
	}
	if err == nil {
		m.params, err = r.params()
	}
	return m, err
}

func (r *reader) innerList() ([]element, error) {
	r.at++ // the bracket
	var all []element
	for {
		r.skip(" ")
		if r.take(')') {
			return all, nil
		}
		if r.at == len(r.text) {
			return nil, errors.New("the list has no end")
		}
		v, err := r.bare()
		if err != nil {
			return nil, err
		}
		e := element{}
		var ok bool
		if e.value, ok = v.(string); !ok {
			return nil, errors.New("an item of the list is not a string")
		}
		if e.params, err = r.params(); err != nil {
			return nil, err
		}
		if c := r.peek(); c != ' ' && c != ')' {
			return nil, errors.New("the items of a list are separated by spaces")
		}
		all = append(all, e)
	}
}

func (r *reader) params() ([]param, error) {
	var all []param
	for r.take(';') {
		r.skip(" ")
		key, err := r.key()
		if err != nil {
			return nil, err
		}
		p := param{key, true}
		if r.take('=') {
			if p.value, err = r.bare(); err != nil {
				return nil, err
			}
		}
		for _, old := range all {
			if old.key == key {
				return nil, fmt.Errorf("the parameter %q stands twice", key)
			}
		}
		all = append(all, p)
	}
	return all, nil
}

func (r *reader) key() (string, error) {
	start := r.at
	for r.at < len(r.text) {
		c := r.text[r.at]
		lower := c >= 'a' && c <= 'z' || c == '*'
		if !lower && (r.at == start || (c < '0' || c > '9') && strings.IndexByte("_-.", c) < 0) {
			break
		}
		r.at++
	}
	if r.at == start {
		return "", errors.New("a key is missing")
	}
	return r.text[start:r.at], nil
}

// bare reads a string, an integer, a byte sequence or a boolean.
func (r *reader) bare() (any, error) {
	switch c := r.peek(); {
	case c == '"':
		return r.str()
	case c == ':':
		return r.bytes()
	case c == '-' || c >= '0' && c <= '9':
		return r.integer()
	case r.take('?'):
		if r.take('1') {
			return true, nil
		} else if r.take('0') {
			return false, nil
		}
		return nil, errors.New("a boolean is ?0 or ?1")
	default:
		return nil, errors.New("no string, integer, boolean or byte sequence")
	}
}

func (r *reader) str() (string, error) {
	var b strings.Builder
	for r.at++; r.at < len(r.text); r.at++ {
		c := r.text[r.at]
		switch {
		case c == '"':
			r.at++
			return b.String(), nil
		case c == '\\':
			r.at++
			if c = r.peek(); c != '"' && c != '\\' {
				return "", errors.New("a backslash stands before neither quote nor backslash")
			}
		case c < 0x20 || c > 0x7e:
			return "", errors.New("a string holds a character that is not printable ASCII")
		}
		b.WriteByte(c)
	}
	return "", errors.New("the string has no end")
}

func (r *reader) bytes() ([]byte, error) {
	value, _, found := strings.Cut(r.text[r.at+1:], ":")
	if !found {
		return nil, errors.New("the byte sequence has no end")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || strings.ContainsAny(value, "\r\n") {
		return nil, errors.New("a byte sequence is not in base64")
	}
	r.at += len(value) + 2
	return b, nil
}

func (r *reader) integer() (int64, error) {
	start := r.at
	r.take('-')
	digits := r.at
	r.skip("0123456789")
	if n := r.at - digits; n < 1 || n > 15 {
		return 0, errors.New("an integer has 1 to 15 digits")
	}
	if r.peek() == '.' {
		return 0, errors.New("decimals are not read here")
	}
	return strconv.ParseInt(r.text[start:r.at], 10, 64)
}

// text writes a list with its parameters, as it must stand in the base.
func text(list []element, params []param) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, e := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(e.text())
	}
	b.WriteByte(')')
	writeParams(&b, params)
	return b.String()
}

func (e element) text() string {
	var b strings.Builder
	writeBare(&b, e.value)
	writeParams(&b, e.params)
	return b.String()
}

func writeParams(b *strings.Builder, params []param) {
	for _, p := range params {
		b.WriteString(";" + p.key)
		if p.value != true {
			b.WriteByte('=')
			writeBare(b, p.value)
		}
	}
}

func writeBare(b *strings.Builder, v any) {
	switch x := v.(type) {
	case string:
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(x) + `"`)
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case []byte:
		b.WriteString(":" + base64.StdEncoding.EncodeToString(x) + ":")
	case bool:
		if x {
			b.WriteString("?1")
		} else {
			b.WriteString("?0")
		}
	}
}
