package mappings

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is what a column of a database holds, whatever the database calls it.
type Kind string

// The kinds of columns.
const (
	TextKind     Kind = "text"
	IntKind      Kind = "int"
	DecimalKind  Kind = "decimal"
	FloatKind    Kind = "float"
	BoolKind     Kind = "bool"
	DateKind     Kind = "date"
	DateTimeKind Kind = "datetime" // without a zone
	InstantKind  Kind = "instant"  // with one
	BytesKind    Kind = "bytes"
	OtherKind    Kind = "other" // the database judges what fits
)

// fits says which columns hold a value without loss, by the type of the field,
// or by what the bridge itself writes: code (statuses and keys), time, number,
// bytes and name (of a file).
var fits = map[string][]Kind{
	"string": {TextKind}, "iin": {TextKind}, "bin": {TextKind}, "email": {TextKind}, "phone": {TextKind},
	"code":    {TextKind, IntKind, DecimalKind},
	"date":    {DateKind, DateTimeKind, TextKind},
	"int":     {IntKind, DecimalKind, TextKind},
	"decimal": {DecimalKind, TextKind},
	"bool":    {BoolKind, IntKind, DecimalKind, TextKind},
	"time":    {DateTimeKind, InstantKind, DateKind, TextKind},
	"number":  {IntKind, DecimalKind, TextKind},
	"bytes":   {BytesKind},
	"any":     {TextKind, IntKind, DecimalKind, FloatKind, BoolKind, DateKind, DateTimeKind, InstantKind},
}

// Fits says whether a column of a kind holds values of a type.
func Fits(kind string, k Kind) bool { return k == OtherKind || slices.Contains(fits[kind], k) }

// Column is a column as it is in a database.
type Column struct {
	Name     string // as the database spells it
	Type     string // the database's own name of its type
	Kind     Kind
	Length   int  // of text, in characters; 0: no bound
	Bytes    bool // Length counts bytes, of which a Cyrillic letter takes two
	Narrow   bool // its character set lacks Kazakh letters
	Fixed    bool // padded with spaces
	Nullable bool
	Filled   bool // by a default, an identity or an expression
	Unique   bool // alone
}

// Table is a table or a view as it is in a database.
type Table struct {
	Name       string // as the database spells it, with its schema
	View       bool
	NoRollback bool // its engine keeps no transactions
	Columns    []Column
}

// Column finds a column by its name in any case; the exact spelling comes first.
func (t *Table) Column(name string) (*Column, bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		i = slices.IndexFunc(t.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
	}
	if i < 0 {
		return nil, false
	}
	return &t.Columns[i], true
}

// Access is what the bridge does with the columns of a table.
type Access struct{ Read, Insert, Update []string }

// Schema is a live database.
type Schema interface {
	// Table gives a table or view of a mapping; nil: there is none.
	Table(name string) (*Table, error)
	// Denied gives what the bridge may not do.
	Denied(table string, a Access) ([]Denial, error)
	// Hidden says whether a table, or with a name a column of it, that is not
	// found may be there and is not shown for want of rights; nil: no.
	Hidden(table, column string) (*Denial, error)
}

// need is what a description asks of one column.
type need struct {
	where  string // in the description
	column string
	kind   string // see fits; empty: it must be there, and a new row does not fill it
	length int    // of the longest value, in characters; 0: no bound known
	absent bool   // a row may come without it
	later  bool   // a new row does not fill it: a status does
	cyril  bool   // values are people's texts
}

// use is what a description does with one table.
type use struct {
	where, table string
	needs        []need
	read, update []string
	unique       string // this column must be unique, at uniqueAt
	uniqueAt     string
}

// CheckSchema compares every description with the local database: tables,
// columns, whether types and lengths fit, what must not be empty, unique keys and
// rights. The error is that of the database.
func (s *Set) CheckSchema(db Schema) ([]Fault, error) {
	var faults []Fault
	for _, v := range s.services {
		k := &checker{set: s, s: v}
		for _, u := range v.uses() {
			if err := k.use(u, db); err != nil {
				return nil, err
			}
		}
		faults = append(faults, k.faults...)
	}
	sortFaults(faults)
	return faults, nil
}

// use compares one table with what is done with it.
func (k *checker) use(u use, db Schema) error {
	t, err := db.Table(u.table)
	switch {
	case err != nil:
		return fmt.Errorf("mappings: columns of %s: %w", u.table, err)
	case t == nil:
		return k.missing(u.where, "no-table", db, u.table, "")
	}
	before := len(k.faults)
	a := Access{Read: k.spell(u, t, u.read), Update: k.spell(u, t, u.update)}
	for _, n := range u.needs {
		c, ok := t.Column(n.column)
		if !ok {
			if err := k.missing(n.where, "no-column", db, u.table, n.column); err != nil {
				return err
			}
			continue
		}
		if n.kind == "" {
			a.Read = append(a.Read, c.Name)
			continue
		}
		if !n.later {
			a.Insert = append(a.Insert, c.Name)
		}
		k.fit(n, u, t, c)
	}
	if len(a.Insert) > 0 {
		k.whole(u, t, a.Insert)
	}
	if len(k.faults) > before {
		return nil // what is missing may not be asked about
	}
	denied, err := db.Denied(u.table, a)
	if err != nil {
		return fmt.Errorf("mappings: rights on %s: %w", u.table, err)
	}
	for _, d := range denied {
		k.denial(u.where, u.table, d)
	}
	return nil
}

// spell gives the names of columns as the database has them.
func (k *checker) spell(u use, t *Table, names []string) []string {
	var out []string
	for _, name := range names {
		if c, ok := t.Column(name); ok {
			out = append(out, c.Name)
		}
	}
	return out
}

// fit compares a value with its column.
func (k *checker) fit(n need, u use, t *Table, c *Column) {
	args := []any{"table", u.table, "value", c.Name, "type", c.Type}
	if !Fits(n.kind, c.Kind) {
		k.fault(n.where, "column-type", append(args, "want", n.kind)...)
		return
	}
	length := n.length
	if n.cyril && c.Bytes {
		length *= 2
	}
	if c.Kind == TextKind && c.Length > 0 && length > c.Length {
		k.fault(n.where, "column-short", append(args, "want", length, "limit", c.Length)...)
	}
	if n.cyril && c.Narrow {
		k.fault(n.where, "column-letters", args...)
	}
	if n.absent && !c.Nullable && !c.Filled && !t.View {
		k.fault(n.where, "column-not-null", args...)
	}
}

// whole finds what a new row lacks and what would let it come twice.
func (k *checker) whole(u use, t *Table, filled []string) {
	for _, c := range t.Columns {
		if !t.View && !c.Nullable && !c.Filled && !slices.Contains(filled, c.Name) {
			k.fault(u.where, "column-unfilled", "table", u.table, "value", c.Name)
		}
	}
	if t.NoRollback {
		k.fault(u.where, "no-rollback", "table", u.table)
	}
	if c, ok := t.Column(u.unique); ok && u.unique != "" && !t.View && !c.Unique {
		k.fault(u.uniqueAt, "key-not-unique", "table", u.table, "value", c.Name)
	}
}

// uses lists what a service does in the local database, table by table.
func (s *Service) uses() []use {
	l := &s.Local
	main := &use{where: "local.table", table: l.Table, unique: l.Key, uniqueAt: "local.key"}
	all, entities := []*use{main}, map[string]*use{"": main}
	for i, e := range l.Entities {
		at := fmt.Sprintf("local.entities[%d]", i)
		u := &use{where: at + ".table", table: e.Table, unique: e.Key, uniqueAt: at + ".key", read: []string{e.Key, e.ID}}
		entities[e.Name] = u
		all = append(all, u)
		main.needs = append(main.needs, need{where: at + ".column", column: e.Column, kind: "any", absent: s.mayLack(e)})
	}
	add := func(entity string, n need) {
		if u := entities[entity]; u != nil && n.column != "" {
			u.needs = append(u.needs, l.looked(entity, n))
		}
	}
	add("", need{where: "local.key", column: l.Key, kind: "code", length: s.Numbering.length()})
	for i := range s.Request.Fields {
		f := &s.Request.Fields[i]
		n := s.fieldNeed(fmt.Sprintf("request.fields[%d].column", i), f)
		if e := l.entity(f.Entity); e != nil && strings.EqualFold(e.Key, f.Column) {
			n.absent = false // without it there is no row
		}
		add(f.Entity, n)
	}
	for i, m := range s.Messages {
		for j := range m.Request.Fields {
			f := &m.Request.Fields[j]
			if _, known := s.Request.field(f.Name); m.Does == Apply && !known {
				n := s.fieldNeed(fmt.Sprintf("messages[%d].request.fields[%d].column", i, j), f)
				n.absent = true // in the service's own form
				add(f.Entity, n)
			}
		}
	}
	for i, v := range l.System {
		n := need{where: fmt.Sprintf("local.system[%d].column", i), column: v.Column, kind: "string", absent: !slices.Contains([]string{"channel", "received_at", "edition"}, v.Value)}
		if v.Value == "received_at" {
			n.kind = "time"
		}
		add("", n)
	}
	main.needs = append(main.needs, l.constants("")...)
	for _, e := range l.Entities {
		entities[e.Name].needs = append(entities[e.Name].needs, l.constants(e.Name)...)
	}
	add("", need{where: "local.status.column", column: l.Status.Column, kind: "code", length: s.longestStatus()})
	add("", need{where: "local.status.changed", column: l.Status.Changed, kind: "time"})
	add("", need{where: "local.status.reason", column: l.Status.Reason, kind: "string", later: true, cyril: true})
	add("", need{where: "local.id", column: l.ID})
	main.read = []string{l.Key, l.Status.Column, l.Status.Changed, l.Status.Reason}
	main.update = []string{l.Status.Column, l.Status.Changed, l.Status.Reason}
	for _, c := range l.Result.Columns() {
		n := need{where: "local.result." + c.What, column: c.Column, kind: "string", later: true, cyril: c.What == "name"}
		switch {
		case c.Bytes():
			n.kind = "bytes"
		case c.What == "sha256":
			n.length = 64
		}
		add("", n)
		main.update = append(main.update, c.Column)
	}
	out := slices.Concat(s.childUses(), s.listUses())
	for _, u := range all {
		out = append(out, *u)
	}
	return out
}

// looked is what a column needs that gets the id of a row of another table.
func (l *Local) looked(entity string, n need) need {
	if _, ok := l.Lookup(entity, n.column); ok && n.kind != "" {
		n.kind, n.length, n.cyril = "any", 0, false
	}
	return n
}

// constants is what the constants of a table need.
func (l *Local) constants(entity string) (all []need) {
	for i, v := range l.Constants {
		if v.Entity == entity {
			at := fmt.Sprintf("local.constants[%d].column", i)
			all = append(all, l.looked(entity, need{where: at, column: v.Column, kind: "any", length: utf8.RuneCountInString(v.Value), cyril: !plainASCII(v.Value)}))
		}
	}
	return all
}

// childUses are the tables of groups and files.
func (s *Service) childUses() []use {
	key := func(at, column, keyIs string) need {
		if KeyedByID(keyIs) {
			return need{where: at, column: column, kind: "any"}
		}
		return need{where: at, column: column, kind: "code", length: s.Numbering.length()}
	}
	var all []use
	for i, g := range s.Request.Groups {
		at := fmt.Sprintf("request.groups[%d]", i)
		u := use{where: at + ".table", table: g.Table, needs: []need{key(at+".key", g.Key, g.KeyIs), {where: at + ".number", column: g.Number, kind: "number"}}}
		for j := range g.Fields {
			u.needs = append(u.needs, s.Local.looked(g.Name, s.fieldNeed(fmt.Sprintf("%s.fields[%d].column", at, j), &g.Fields[j])))
		}
		u.needs = append(u.needs, s.Local.constants(g.Name)...)
		all = append(all, u)
	}
	if f := s.Local.Files; f != nil {
		u := use{where: "local.files.table", table: f.Table, needs: []need{key("local.files.key", f.Key, f.KeyIs)}}
		for _, c := range f.columns()[1:] {
			n := need{where: "local.files." + c[0], column: c[1], kind: "string"}
			switch c[0] {
			case "name":
				n.cyril = true
			case "sha256":
				n.length = 64
			case "content":
				n.kind = "bytes"
			}
			u.needs = append(u.needs, s.Local.looked(FilesName, n))
		}
		u.needs = append(u.needs, s.Local.constants(FilesName)...)
		all = append(all, u)
	}
	return all
}

// optional says whether an application may come without a field.
func (s *Service) optional(f *Field) bool {
	lacks := func(m Message) bool {
		_, has := m.Request.field(f.Name)
		return m.Does == Apply && !has
	}
	return f.Optional || len(f.Channels) > 0 && len(f.Channels) < len(s.Channels) || slices.ContainsFunc(s.Messages, lacks)
}

// mayLack says whether an application may come without an entity.
func (s *Service) mayLack(e Entity) bool {
	return slices.ContainsFunc(s.Request.Fields, func(f Field) bool {
		return f.Entity == e.Name && strings.EqualFold(f.Column, e.Key) && s.optional(&f)
	})
}

// fieldNeed is what a field asks of its column.
func (s *Service) fieldNeed(where string, f *Field) need {
	n := need{where: where, column: f.Column, kind: f.Type, absent: s.optional(f)}
	switch f.Type {
	case "string":
		n.length, n.cyril = f.MaxLen, true
	case "iin", "bin":
		n.length = 12
	case "phone":
		n.length = 16
	case "date":
		n.length = 10
	case "code":
		if list, ok := s.CodeList(f.Codes); ok {
			for _, c := range list.Codes {
				n.length = max(n.length, utf8.RuneCountInString(c.Value))
			}
		}
	case "bool":
		n.length = max(1, utf8.RuneCountInString(f.Yes), utf8.RuneCountInString(f.No))
		n.cyril = !plainASCII(f.Yes + f.No)
	}
	return n
}

// length is that of a number for an application.
func (n Numbering) length() int {
	l := strings.NewReplacer("{year}", "2026", "{seq}", strings.Repeat("9", n.Digits), "{check}", "9").Replace(n.Format)
	return utf8.RuneCountInString(l)
}

func (s *Service) longestStatus() (n int) {
	for _, r := range s.Statuses {
		n = max(n, utf8.RuneCountInString(r.Local))
	}
	return n
}

func plainASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}
