package mappings

import (
	"fmt"
	"slices"
	"strings"
)

// Local says where in the akimat's database an application goes, and where its
// status comes from. The tables are the akimat's own: what they need beside the
// values of the document is said here.
type Local struct {
	Table     string        `yaml:"table,required"` // or a view that takes rows
	Key       string        `yaml:"key,required"`   // unique: a repeated message makes no second row
	ID        string        `yaml:"id"`             // column that the database numbers by itself, for children keyed by it
	Status    LocalStatus   `yaml:"status,required"`
	System    []SystemValue `yaml:"system"` // values that the bridge knows and the document does not
	Constants []Constant    `yaml:"constants"`
	Lookups   []Lookup      `yaml:"lookups"`
	Entities  []Entity      `yaml:"entities"`
	Codes     []LocalCodes  `yaml:"codes"`
	Files     *LocalFiles   `yaml:"files"`
	Result    *LocalResult  `yaml:"result"`
}

// LocalStatus names the columns that carry the state, both ways.
type LocalStatus struct {
	Column  string `yaml:"column,required"`
	Changed string `yaml:"changed"` // time of the last change: makes news travel faster
	Reason  string `yaml:"reason"`  // ground of a refusal, for people
}

// SystemValue puts a value of the bridge into a column; see systemValues.
type SystemValue struct {
	Value  string `yaml:"value,required"`
	Column string `yaml:"column,required"`
}

// Constant puts the same value into a column of every new row.
type Constant struct {
	Column string `yaml:"column,required"`
	Value  string `yaml:"value,required"`
	Entity string `yaml:"entity"` // whose table has the column, see FilesName
}

// Lookup translates what goes into a column: the column gets the id of the row
// of Table that has the value in its column Code. Of the status column it
// translates back as well.
type Lookup struct {
	Column string `yaml:"column,required"`
	Table  string `yaml:"table,required"`
	Code   string `yaml:"code,required"`
	ID     string `yaml:"id,required"`
	Entity string `yaml:"entity"` // whose table has the column, see FilesName
}

// FilesName stands for the table of enclosed documents where a constant or a
// lookup names a table by entity; the others are the entities and the groups,
// by their names, and without a name the service's own table.
const FilesName = "files"

// Entity is a row that applications share, such as a person: found by its key,
// made when it is not there, never changed. Fields and constants name it.
type Entity struct {
	Name   string `yaml:"name,required"`
	Table  string `yaml:"table,required"`
	Key    string `yaml:"key,required"`    // unique; a field fills it
	ID     string `yaml:"id,required"`     // what the application's row gets
	Column string `yaml:"column,required"` // and in which column
}

// LocalCodes is a code list that the akimat keeps in a table.
type LocalCodes struct {
	Name    string `yaml:",key"`
	Table   string `yaml:"table,required"`
	Code    string `yaml:"code,required"`
	TitleRu string `yaml:"title_ru,required"`
	TitleKk string `yaml:"title_kk,required"`
}

// LocalFiles is the table of enclosed documents.
type LocalFiles struct {
	Table   string `yaml:"table,required"`
	Key     string `yaml:"key,required"` // application number, or what key_is says
	KeyIs   string `yaml:"key_is"`       // number, id (of the row of local.table)
	Kind    string `yaml:"kind,required"`
	Name    string `yaml:"name,required"`
	Type    string `yaml:"type,required"`
	SHA256  string `yaml:"sha256,required"`
	Content string `yaml:"content,required"`
}

// LocalResult names the columns of the service's table that get the result with
// the status that ends the application; each may be left out.
type LocalResult struct {
	Document  string `yaml:"document"`  // the signed document, its bytes
	Signature string `yaml:"signature"` // the official's, where it stands beside the document (CMS, DER)
	Paper     string `yaml:"paper"`     // printed for people (PDF)
	Name      string `yaml:"name"`      // of the document's file
	SHA256    string `yaml:"sha256"`    // of the document, hexadecimal
	Address   string `yaml:"address"`   // where anybody can verify it
}

// LocalResultColumn is a column with what it holds: document, signature,
// paper, name, sha256 or address.
type LocalResultColumn struct{ What, Column string }

// Bytes says whether it holds a file.
func (c LocalResultColumn) Bytes() bool {
	return c.What == "document" || c.What == "signature" || c.What == "paper"
}

// Columns are those that the description names.
func (r *LocalResult) Columns() []LocalResultColumn {
	if r == nil {
		return nil
	}
	return slices.DeleteFunc([]LocalResultColumn{
		{"document", r.Document}, {"signature", r.Signature}, {"paper", r.Paper}, {"name", r.Name}, {"sha256", r.SHA256}, {"address", r.Address},
	}, func(c LocalResultColumn) bool { return c.Column == "" })
}

// KeyedByID says whether a child table's key is the parent's id.
func KeyedByID(keyIs string) bool { return keyIs == "id" }

// Lookup finds the translation of a column of the service's table, or of an
// entity's.
func (l *Local) Lookup(entity, column string) (*Lookup, bool) {
	for i := range l.Lookups {
		if v := &l.Lookups[i]; v.Entity == entity && strings.EqualFold(v.Column, column) {
			return v, true
		}
	}
	return nil, false
}

// entity finds an entity by name; nil: there is none.
func (l *Local) entity(name string) *Entity {
	for i := range l.Entities {
		if l.Entities[i].Name == name {
			return &l.Entities[i]
		}
	}
	return nil
}

// Foreign says whether the description fits itself to tables that somebody
// else made: then the bridge makes none.
func (l *Local) Foreign() bool {
	return l.ID != "" || len(l.Constants)+len(l.Lookups)+len(l.Entities)+len(l.Codes) > 0
}

// columnSet holds the lower-cased names of the columns of one table.
type columnSet = map[string]bool

// keyColumns are the columns that are taken before any field, by entity.
func (l *Local) keyColumns() map[string]columnSet {
	taken := map[string]columnSet{"": {strings.ToLower(l.Key): true}}
	for _, e := range l.Entities {
		taken[e.Name] = columnSet{}
		if e.ID != e.Key {
			taken[e.Name][strings.ToLower(e.ID)] = true
		}
	}
	return taken
}

// systemValues are what local.system may put into columns.
var systemValues = []string{"channel", "received_at", "edition", "sender", "message_id", "correlation_id", "signer_iin", "signer_name", "office_id", "language"}

// keyIs checks what a child table is keyed by.
func (k *checker) keyIs(at, value string) {
	if value == "" || !k.oneOf(at+".key_is", value, "number", "id") {
		return
	}
	if value == "id" && k.s.Local.ID == "" {
		k.fault(at+".key_is", "missing-key", "key", "local.id")
	}
}

func (k *checker) local() {
	l := &k.s.Local
	k.identifier("local.table", l.Table, true)
	k.identifier("local.key", l.Key, false)
	taken := l.keyColumns()
	for _, f := range k.s.ApplicationFields() {
		if columns, ok := taken[f.Entity]; ok {
			columns[strings.ToLower(f.Column)] = true
		}
	}
	for _, g := range k.s.Request.Groups {
		taken[g.Name] = columnSet{strings.ToLower(g.Key): true, strings.ToLower(g.Number): true}
		for _, f := range g.Fields {
			taken[g.Name][strings.ToLower(f.Column)] = true
		}
	}
	if l.Files != nil {
		if taken[FilesName] != nil {
			k.fault("local.files", "repeated", "what", "name", "value", FilesName)
		}
		taken[FilesName] = columnSet{}
		for _, c := range l.Files.columns() {
			taken[FilesName][strings.ToLower(c[1])] = true
		}
	}
	column := func(where, entity, name string) {
		if name == "" {
			return
		}
		k.identifier(where, name, false)
		columns, ok := taken[entity]
		if !ok {
			k.fault(where, "unknown-name", "what", "entity", "value", entity)
			return
		}
		k.repeated(columns, where, "column", strings.ToLower(name))
	}
	column("local.id", "", l.ID)
	column("local.status.column", "", l.Status.Column)
	column("local.status.changed", "", l.Status.Changed)
	column("local.status.reason", "", l.Status.Reason)
	for _, c := range l.Result.Columns() {
		column("local.result."+c.What, "", c.Column)
	}
	for i, v := range l.System {
		at := fmt.Sprintf("local.system[%d]", i)
		k.oneOf(at+".value", v.Value, systemValues...)
		column(at+".column", "", v.Column)
	}
	for i, v := range l.Constants {
		column(fmt.Sprintf("local.constants[%d].column", i), v.Entity, v.Column)
	}
	k.entities(column)
	k.lookups(taken)
	k.localCodes()
	k.files()
}

func (k *checker) entities(column func(where, entity, name string)) {
	names := map[string]bool{"": true}
	for _, g := range k.s.Request.Groups {
		names[g.Name] = true
	}
	for i, e := range k.s.Local.Entities {
		at := fmt.Sprintf("local.entities[%d]", i)
		k.name(at+".name", e.Name)
		k.repeated(names, at+".name", "name", e.Name)
		k.identifier(at+".table", e.Table, true)
		k.identifier(at+".key", e.Key, false)
		k.identifier(at+".id", e.ID, false)
		column(at+".column", "", e.Column)
		filled := false
		for _, f := range k.s.Request.Fields {
			filled = filled || f.Entity == e.Name && strings.EqualFold(f.Column, e.Key)
		}
		if !filled {
			k.fault(at+".key", "no-key-field", "value", e.Key)
		}
	}
}

func (k *checker) lookups(taken map[string]columnSet) {
	seen := map[string]bool{}
	for i, v := range k.s.Local.Lookups {
		at := fmt.Sprintf("local.lookups[%d]", i)
		if !taken[v.Entity][strings.ToLower(v.Column)] {
			k.fault(at+".column", "unknown-name", "what", "column", "value", v.Column)
		}
		k.repeated(seen, at+".column", "column", strings.ToLower(v.Entity+"/"+v.Column))
		k.identifier(at+".table", v.Table, true)
		k.identifier(at+".code", v.Code, false)
		k.identifier(at+".id", v.ID, false)
	}
}

func (k *checker) localCodes() {
	for _, v := range k.s.Local.Codes {
		at := "local.codes." + v.Name
		k.name(at, v.Name)
		if _, shared := k.s.codes[v.Name]; shared || v.Name == CodesOfOffices {
			k.fault(at, "repeated", "what", "code list", "value", v.Name)
		}
		k.identifier(at+".table", v.Table, true)
		for _, c := range [][2]string{{"code", v.Code}, {"title_ru", v.TitleRu}, {"title_kk", v.TitleKk}} {
			k.identifier(at+"."+c[0], c[1], false)
		}
	}
}

func (k *checker) files() {
	f := k.s.Local.Files
	if f == nil {
		return
	}
	k.identifier("local.files.table", f.Table, true)
	k.keyIs("local.files", f.KeyIs)
	own := columnSet{}
	for _, c := range f.columns() {
		k.identifier("local.files."+c[0], c[1], false)
		k.repeated(own, "local.files."+c[0], "column", strings.ToLower(c[1]))
	}
}

// columns are the columns of the table of files by their keys.
func (f *LocalFiles) columns() [][2]string {
	return [][2]string{{"key", f.Key}, {"kind", f.Kind}, {"name", f.Name}, {"type", f.Type}, {"sha256", f.SHA256}, {"content", f.Content}}
}

// listUses are the tables that are only read.
func (s *Service) listUses() []use {
	var all []use
	for i, v := range s.Local.Lookups {
		at := fmt.Sprintf("local.lookups[%d]", i)
		all = append(all, use{where: at + ".table", table: v.Table, needs: []need{{where: at + ".code", column: v.Code}, {where: at + ".id", column: v.ID}}})
	}
	for _, v := range s.Local.Codes {
		at := "local.codes." + v.Name
		all = append(all, use{where: at + ".table", table: v.Table, needs: []need{
			{where: at + ".code", column: v.Code}, {where: at + ".title_ru", column: v.TitleRu}, {where: at + ".title_kk", column: v.TitleKk}}})
	}
	return all
}
