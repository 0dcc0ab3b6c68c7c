package mio

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	mssql "github.com/microsoft/go-mssqldb"
	ora "github.com/sijms/go-ora/v2"

	"kopir/mappings"
)

// datum is a value on its way into a column.
type datum struct {
	kind  string // the type of its field, or what mappings.Fits knows beside
	text  string
	at    time.Time // of the kind time; text is how a column of text has it
	bytes []byte
	yes   string // words for a truth value in a column of text
	no    string
}

// stamp is how a time stands in a column of text: it sorts, in UTC.
func stamp(t time.Time) string { return t.UTC().Format(isoSpace) }

func moment(t time.Time) datum { return datum{kind: "time", at: t, text: stamp(t)} }

// bind makes of a value what the driver takes for a column. zone is that of
// times in columns without one. Errors name no value.
func (d *Dialect) bind(c *mappings.Column, v datum, zone *time.Location) (any, error) {
	if !mappings.Fits(v.kind, c.Kind) {
		return nil, fmt.Errorf("the column %s is %s, which does not hold a %s", c.Name, c.Type, v.kind)
	}
	no := func(what string) error { return fmt.Errorf("a value for the column %s is no %s", c.Name, what) }
	switch {
	case v.kind == "bytes":
		return d.blob(c, v.bytes), nil
	case v.kind == "bool":
		yes, err := strconv.ParseBool(v.text)
		if err != nil {
			return nil, no("truth value")
		}
		return d.truth(c, v, yes), nil
	case v.kind == "time":
		switch c.Kind {
		case mappings.DateKind:
			return v.at.In(zone).Format(time.DateOnly), nil
		case mappings.DateTimeKind:
			return v.at.In(zone).Format(d.datetime), nil
		case mappings.InstantKind:
			return v.at.UTC().Format(d.instant), nil
		}
	case v.kind == "date":
		day, err := time.Parse(time.DateOnly, v.text)
		if err != nil {
			return nil, no("date")
		}
		if c.Kind == mappings.DateTimeKind {
			return day.Format(d.datetime), nil
		}
	case c.Kind == mappings.BoolKind: // of the kind any: a constant
		yes, err := strconv.ParseBool(v.text)
		if err != nil {
			return nil, no("truth value")
		}
		return d.truth(c, v, yes), nil
	case v.kind == "int", v.kind == "number", v.kind == "code" && c.Kind == mappings.IntKind:
		n, err := strconv.ParseInt(v.text, 10, 64)
		if err != nil {
			return nil, no("whole number")
		}
		if !d.words && c.Kind != mappings.TextKind {
			return n, nil
		}
	}
	return d.bindText(c, v.text), nil
}

// bindText is text for a column.
func (d *Dialect) bindText(c *mappings.Column, text string) any {
	if d.padded && c.Fixed && c.Length > utf8.RuneCountInString(text) {
		text += strings.Repeat(" ", c.Length-utf8.RuneCountInString(text))
	}
	if d.text != nil {
		return d.text(c, text)
	}
	return text
}

func (d *Dialect) blob(c *mappings.Column, b []byte) any {
	if b == nil {
		b = []byte{}
	}
	if d.bytes != nil {
		return d.bytes(c, b)
	}
	return b
}

// Text of any length goes into a CLOB, and bytes into a BLOB, in a wrapping of
// their own; the plain ones end at 32,767.
func oracleText(c *mappings.Column, s string) any {
	if c.Type == "CLOB" || c.Type == "NCLOB" {
		return ora.Clob{String: s, Valid: true}
	}
	return s
}

func oracleBytes(c *mappings.Column, b []byte) any {
	if c.Type == "BLOB" {
		return ora.Blob{Data: b, Valid: true}
	}
	return b
}

// A VARCHAR that is compared with Unicode text is compared without its index.
func sqlserverText(c *mappings.Column, s string) any {
	if c.Narrow && !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f }) {
		return mssql.VarChar(s)
	}
	return s
}

// truth is a truth value as its column has it.
func (d *Dialect) truth(c *mappings.Column, v datum, yes bool) any {
	n, word := int64(0), v.no
	if yes {
		n, word = 1, v.yes
	}
	switch {
	case c.Kind == mappings.TextKind && word != "":
		return d.bindText(c, word)
	case c.Kind == mappings.TextKind:
		return d.bindText(c, strconv.FormatInt(n, 10))
	case d.words && c.Kind == mappings.BoolKind:
		return strconv.FormatBool(yes)
	case d.words:
		return strconv.FormatInt(n, 10)
	}
	return n
}
