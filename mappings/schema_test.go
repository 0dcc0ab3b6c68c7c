package mappings

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// paperSchema is a database as a test describes it.
type paperSchema struct {
	tables map[string]*Table
	denied []Denial
	err    error
}

func (p paperSchema) Table(name string) (*Table, error) { return p.tables[name], p.err }

func (p paperSchema) Denied(string, Access) ([]Denial, error) { return p.denied, nil }
func (p paperSchema) Hidden(string, string) (*Denial, error)  { return nil, nil }

// fitting is a database that a service needs, without a fault.
func fitting(s *Service) paperSchema {
	p := paperSchema{tables: map[string]*Table{}}
	for _, u := range s.uses() {
		t := p.tables[u.table]
		if t == nil {
			t = &Table{Name: u.table}
			p.tables[u.table] = t
		}
		for _, n := range u.needs {
			if _, ok := t.Column(n.column); ok || n.column == "" {
				continue
			}
			kind := TextKind
			if known := fits[n.kind]; len(known) > 0 {
				kind = known[0]
			}
			t.Columns = append(t.Columns, Column{Name: strings.ToUpper(n.column), Type: string(kind), Kind: kind, Nullable: true, Unique: n.column == u.unique})
		}
	}
	return p
}

func TestSchema(t *testing.T) {
	set := builtinSet(t)
	s := certificate(t)
	db := fitting(s)
	main := db.tables[s.Local.Table]
	main.Columns = slices.DeleteFunc(main.Columns, func(c Column) bool { return c.Name == "ADDRESS" })
	delete(db.tables, s.Local.Files.Table)
	all, err := set.CheckSchema(db)
	var faults []Fault
	for _, f := range all {
		if f.File == s.file {
			faults = append(faults, f)
		} else if f.Code != "no-table" {
			t.Errorf("%v", f)
		}
	}
	if err != nil || len(faults) != 2 {
		t.Fatalf("%v %v", faults, err)
	}
	got := faults[0].Code + " " + faults[1].Code
	if got != "no-column no-table" || !strings.Contains(faults[0].Error(), "no column address") || faults[0].Line == 1 {
		t.Errorf("%v", faults)
	}
	if _, err := set.CheckSchema(paperSchema{err: os.ErrPermission}); err == nil {
		t.Error("a database that does not answer was judged")
	}
}

// Whatever does not fit is told at its place in the description, in words.
func TestSchemaFits(t *testing.T) {
	set := builtinSet(t)
	only, _ := set.Only([]string{certificateService})
	s := certificate(t)
	main := s.Local.Table
	set1 := func(column string, change func(*Column)) func(*paperSchema) {
		return func(p *paperSchema) {
			c, ok := p.tables[main].Column(column)
			if !ok {
				t.Fatal("no column " + column)
			}
			change(c)
		}
	}
	for _, c := range []struct {
		want, where string
		change      func(*paperSchema)
	}{
		{"", "", func(*paperSchema) {}},
		{"column-type", ".column", set1("applicant_iin", func(c *Column) { c.Kind, c.Type = IntKind, "bigint" })},
		{"column-short", ".column", set1("surname", func(c *Column) { c.Length = 10 })},
		{"column-short", ".column", set1("surname", func(c *Column) { c.Length, c.Bytes = 120, true })},
		{"column-short", "local.key", set1("application_no", func(c *Column) { c.Length = 5 })},
		{"column-letters", ".column", set1("surname", func(c *Column) { c.Narrow = true })},
		{"column-not-null", ".column", set1("patronymic", func(c *Column) { c.Nullable = false })},
		{"column-unfilled", "local.table", func(p *paperSchema) {
			p.tables[main].Columns = append(p.tables[main].Columns, Column{Name: "SOURCE", Kind: TextKind})
		}},
		{"key-not-unique", "local.key", set1("application_no", func(c *Column) { c.Unique = false })},
		{"no-rollback", "local.table", func(p *paperSchema) { p.tables[main].NoRollback = true }},
		{"no-right", "local", func(p *paperSchema) { p.denied = []Denial{{Right: "INSERT", Columns: []string{"a"}, Grant: "GRANT"}} }},
		{"", "", set1("application_no", func(c *Column) { c.Nullable = false })},
		{"", "", func(p *paperSchema) {
			p.tables[main].Columns = append(p.tables[main].Columns, Column{Name: "ID", Kind: IntKind, Filled: true})
		}},
	} {
		db := fitting(s)
		c.change(&db)
		faults, err := only.CheckSchema(db)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "" {
			if len(faults) > 0 {
				t.Errorf("a fault where none is: %v", faults)
			}
			continue
		}
		if len(faults) == 0 || faults[0].Code != c.want || !strings.Contains(faults[0].Path, c.where) || faults[0].Line < 2 {
			t.Errorf("%s: %v", c.want, faults)
			continue
		}
		for _, lang := range []string{English, Russian, Kazakh} {
			if line := faults[0].In(lang); strings.Contains(line, "[fault.") || strings.Contains(line, "{") {
				t.Errorf("%s: %s", c.want, fmt.Sprint(line))
			}
		}
	}
}
