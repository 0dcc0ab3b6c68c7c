package mappings

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
)

// Row is what one document becomes: the fields in the order of the
// description, each with its column and its value.
type Row struct {
	Service string
	Edition string
	Channel string
	Values  []Value
	Groups  []GroupRow // what repeats, in the order of the document
}

// Value is one field of a row. Data is a string, IIN, Decimal, Date, int64 or
// bool; a field that the document leaves out has no Value.
type Value struct {
	Field  string
	Column string
	Label  Text
	Data   any
}

// Get finds the value of a field.
func (r *Row) Get(field string) (any, bool) {
	for i := range r.Values {
		if r.Values[i].Field == field {
			return r.Values[i].Data, true
		}
	}
	return nil, false
}

// Text gives the value of a field as the characters of its XML and SQL form,
// IINs unmasked; empty when there is none.
func (r *Row) Text(field string) string {
	v, ok := r.Get(field)
	if !ok {
		return ""
	}
	return Value{Data: v}.Text()
}

// Text gives the value as the characters of its XML and SQL form, IINs unmasked.
func (v Value) Text() string {
	switch d := v.Data.(type) {
	case string:
		return d
	case IIN:
		return string(d)
	case Decimal:
		return string(d)
	case Date:
		return d.String()
	case int64:
		return strconv.FormatInt(d, 10)
	case bool:
		return strconv.FormatBool(d)
	}
	return fmt.Sprint(v.Data)
}

// SQL gives the value as a database driver takes it: string, int64 or bool.
// Dates are text in ISO order, which every database reads as a date.
func (v Value) SQL() any {
	switch d := v.Data.(type) {
	case int64, bool:
		return d
	}
	return v.Text()
}

// MarshalJSON gives one object of columns, in the order of the description.
func (r Row) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, v := range r.Values {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(cmp.Or(v.Column, v.Field)) // a document about an application has no columns
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(v.SQL())
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
