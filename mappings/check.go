package mappings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// checker collects the faults of one description.
type checker struct {
	set    *Set
	s      *Service
	in     string // where in the file what is checked stands; empty: at its top
	faults []Fault
}

func (k *checker) fault(where, code string, args ...any) {
	where = k.in + where
	at, ok := k.s.places[where]
	for p := where; !ok && p != ""; {
		// A key that is not there is reported where its mapping stands.
		if i := strings.LastIndexAny(p, ".["); i >= 0 {
			p = p[:i]
		} else {
			p = ""
		}
		at, ok = k.s.places[p]
	}
	if !ok {
		at = place{1, 1}
	}
	k.faults = append(k.faults, Fault{File: k.s.file, Line: at.line, Column: at.column, Code: code, Path: where, args: args})
}

// checkService judges one description that has been read without a fault.
func (s *Set) checkService(v *Service, name string) []Fault {
	k := &checker{set: s, s: v}
	k.editionFile(name)
	k.oneOf("form", v.Form, "paper", "partly_automated", "fully_automated")
	k.name("service", v.ID)
	if _, ok := s.codes[CodesOfOffices+":"+v.Provider.Offices]; !ok {
		k.fault("provider.offices", "unknown-name", "what", "kind of office", "value", v.Provider.Offices)
	}
	k.data("request.data", v.Request.Data)
	k.fields()
	k.attachments()
	k.local()
	k.numbering()
	k.statuses()
	k.messages()
	k.limits()
	k.ends()
	k.channels()
	k.shapes()
	k.texts()
	return k.faults
}

// checkTogether judges what only several descriptions can get wrong.
func (s *Set) checkTogether() []Fault {
	faults := s.linkEditions()
	// Editions of one service share its ids, its numbers and its tables.
	byID, byTable, byNumber := map[string]*Service{}, map[string]*Service{}, map[string]*Service{}
	for _, v := range s.services {
		k := &checker{set: s, s: v}
		for i, id := range slices.Concat([]string{v.Gateway.ServiceID}, v.Gateway.Aliases) {
			where := "gateway.service_id"
			if i > 0 {
				where = fmt.Sprintf("gateway.aliases[%d]", i-1)
			}
			if other, ok := byID[id]; ok && id != "" && (other == v || other.ID != v.ID) {
				k.fault(where, "gateway-id-taken", "value", id, "other", other.file)
			}
			byID[id] = v
		}
		if n := v.Numbering.Format; n != "" {
			if other, ok := byNumber[n]; ok && other.ID != v.ID {
				k.fault("numbering.format", "number-taken", "value", n, "other", other.file)
			}
			byNumber[n] = v
		}
		for _, t := range v.tables() {
			name := strings.ToLower(t[1])
			if other, ok := byTable[name]; ok && other.ID != v.ID {
				k.fault(t[0], "table-taken", "value", t[1], "other", other.file)
			}
			byTable[name] = v
		}
		faults = append(faults, k.faults...)
	}
	for i, a := range s.actors {
		if slices.ContainsFunc(s.actors[:i], func(x Actor) bool { return x.ID == a.ID }) {
			faults = append(faults, Fault{File: "shared/actors.yaml", Line: 1, Column: 1, Code: "repeated", args: []any{"what", "id", "value", a.ID}})
		}
		_, known := s.Offices.hoursByID(a.Hours)
		if a.Kind != "system" && (a.Kind != "people" || !known) {
			faults = append(faults, Fault{File: "shared/actors.yaml", Line: 1, Column: 1, Code: "bad-actor", args: []any{"value", a.ID}})
		}
	}
	return faults
}

// tables lists the tables that a service writes, with their places.
func (s *Service) tables() [][2]string {
	all := [][2]string{{"local.table", s.Local.Table}}
	for i, g := range s.Request.Groups {
		all = append(all, [2]string{fmt.Sprintf("request.groups[%d].table", i), g.Table})
	}
	return slices.DeleteFunc(all, func(t [2]string) bool { return t[1] == "" })
}

func (k *checker) oneOf(where, value string, allowed ...string) bool {
	if slices.Contains(allowed, value) {
		return true
	}
	k.fault(where, "not-one-of", "value", value, "allowed", strings.Join(allowed, ", "))
	return false
}

// repeated reports a value that stands twice in a list.
func (k *checker) repeated(seen map[string]bool, where, what, value string) {
	if value == "" {
		return
	}
	if seen[value] {
		k.fault(where, "repeated", "what", what, "value", value)
	}
	seen[value] = true
}

var (
	namePattern       = regexp.MustCompile(`^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$`)
	identifierPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	stepPattern       = regexp.MustCompile(`^(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*$`)
)

func (k *checker) name(where, value string) {
	if !namePattern.MatchString(value) {
		k.fault(where, "bad-name", "value", value)
	}
}

// identifier lets through what needs no quotes in any database.
func (k *checker) identifier(where, value string, schema bool) {
	parts := []string{value}
	if schema {
		parts = strings.SplitN(value, ".", 2)
	}
	for _, p := range parts {
		if !identifierPattern.MatchString(p) {
			k.fault(where, "bad-identifier", "value", value)
			return
		}
	}
}

// path lets through a/b/c and p:a/p:b: absolute from the root, no wildcards.
func (k *checker) path(where, value string, d Data) {
	for seg := range strings.SplitSeq(value, "/") {
		if !stepPattern.MatchString(seg) {
			k.fault(where, "bad-path", "value", value)
			return
		}
		if prefix, _, ok := strings.Cut(seg, ":"); ok && !slices.ContainsFunc(d.Namespaces, func(p Prefix) bool { return p.Prefix == prefix }) {
			k.fault(where, "unknown-prefix", "value", prefix)
		}
	}
}

func (k *checker) data(where string, d Data) {
	k.oneOf(where+".form", d.Form, "escaped", "cdata", "nested")
	k.oneOf(where+".signed", d.Signed, "inner", "envelope")
	// Unprefixed children of a root in a default namespace would fall into it.
	if d.Root.NS != "" && d.Root.Prefix == "" {
		k.fault(where+".root", "root-prefix")
	}
	if !stepPattern.MatchString(d.Root.Name) || strings.Contains(d.Root.Name, ":") {
		k.fault(where+".root.name", "bad-path", "value", d.Root.Name)
	}
}

func (k *checker) fields() {
	r := &k.s.Request
	names := map[string]bool{}
	k.fieldList("request.fields", r.Fields, k.s.Local.keyColumns())
	for _, f := range r.Fields {
		names[f.Name] = true
	}
	k.groups()
	for i, name := range r.Cross {
		at := fmt.Sprintf("request.cross[%d]", i)
		rule, ok := crossRuleByName(name)
		if !ok {
			k.fault(at, "unknown-rule", "value", name, "known", strings.Join(crossRuleNames(), ", "))
			continue
		}
		for _, need := range rule.needs {
			if !names[need] {
				k.fault(at, "rule-needs-field", "value", name, "field", need)
			}
		}
	}
	if _, about := k.s.About(); !about || r.Signer != "" || r.Data.Signed == "inner" {
		k.signer("request.signer", r.Signer, "")
	}
}

// fieldList checks the fields of a document or a group. taken are the columns
// that each table has already, by entity; those of the fields join them.
func (k *checker) fieldList(list string, fields []Field, taken map[string]columnSet) {
	names, paths := map[string]bool{}, map[string]bool{}
	for i := range fields {
		f := &fields[i]
		at := fmt.Sprintf("%s[%d]", list, i)
		k.name(at+".name", f.Name)
		k.repeated(names, at+".name", "name", f.Name)
		k.path(at+".path", f.Path, k.s.Request.Data)
		k.repeated(paths, at+".path", "path", f.Path)
		_, about := k.s.About()
		switch {
		case f.Column != "" && about:
			k.fault(at+".column", "kind-no-column", "value", f.Name)
		case f.Column == "" && !about:
			k.fault(at, "missing-key", "key", "column")
		case !about:
			k.identifier(at+".column", f.Column, false)
		}
		if columns, ok := taken[f.Entity]; ok {
			k.repeated(columns, at+".column", "column", strings.ToLower(f.Column))
		} else {
			k.fault(at+".entity", "unknown-name", "what", "entity", "value", f.Entity)
		}
		k.channelNames(at+".channels", f.Channels)
		k.fieldRules(at, f)
	}
}

func (k *checker) fieldRules(at string, f *Field) {
	if _, ok := fieldTypeByName(f.Type); !ok {
		k.fault(at+".type", "unknown-type", "value", f.Type, "known", strings.Join(fieldTypeNames(), ", "))
		return
	}
	for j, name := range f.Rules {
		where := fmt.Sprintf("%s.rules[%d]", at, j)
		if rule, ok := namedRuleByName(name); !ok {
			k.fault(where, "unknown-rule", "value", name, "known", strings.Join(namedRuleNames(), ", "))
		} else if rule.kind != f.Type {
			k.fault(where, "rule-and-type", "value", name, "type", f.Type)
		}
	}
	if f.Pattern != "" {
		if _, err := regexp.Compile(f.Pattern); err != nil {
			k.fault(at+".pattern", "bad-pattern", "value", f.Pattern, "detail", firstLine(strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
		}
	}
	if (f.Type == "code") != (f.Codes != "") {
		k.fault(at+".codes", "codes-and-type")
	} else if f.Codes != "" {
		if _, ok := k.s.CodeList(f.Codes); !ok {
			k.fault(at+".codes", "unknown-name", "what", "code list", "value", f.Codes)
		}
	}
	if (f.Yes != "" || f.No != "") && (f.Type != "bool" || f.Yes == f.No || f.Yes == "" || f.No == "") {
		k.fault(at+".yes", "words-and-type")
	}
	if f.Open && f.Type != "code" {
		k.fault(at+".open", "codes-and-type")
	}
	if f.MinLen < 0 || f.MaxLen < 0 || f.MaxLen > 0 && f.MinLen > f.MaxLen {
		k.fault(at+".max_len", "bad-bounds")
	}
	if (f.MinLen > 0 || f.MaxLen > 0 || f.Pattern != "") && f.Type != "string" {
		k.fault(at+".type", "bounds-and-type", "value", f.Type)
	}
	if f.Type == "string" && f.MaxLen == 0 {
		k.fault(at, "no-max-len")
	}
	if f.Min != "" || f.Max != "" {
		k.bounds(at, f)
	}
}

func (k *checker) bounds(at string, f *Field) {
	t, _ := fieldTypeByName(f.Type)
	if !t.ordered {
		k.fault(at+".min", "bounds-and-type", "value", f.Type)
		return
	}
	bare := &compiled{Field: &Field{Type: f.Type}}
	values := make([]any, 2)
	for i, v := range []string{f.Min, f.Max} {
		if v == "" {
			continue
		}
		var broken string
		if values[i], broken = t.read(bare, v); broken != "" {
			k.fault(at+[]string{".min", ".max"}[i], "bad-bound", "value", v, "type", f.Type)
			return
		}
	}
	if values[0] != nil && values[1] != nil && compare(values[0], values[1]) > 0 {
		k.fault(at+".max", "bad-bounds")
	}
}

// signer must be a required iin or bin field of the channel.
func (k *checker) signer(where, name, channel string) {
	f, ok := k.s.Field(name)
	if !ok || f.Type != "iin" && f.Type != "bin" || f.Optional || channel != "" && !f.In(channel) {
		k.fault(where, "bad-signer", "value", name)
	}
}

func (k *checker) channelNames(where string, list []string) {
	for i, c := range list {
		if _, ok := k.s.Channel(c); !ok {
			k.fault(fmt.Sprintf("%s[%d]", where, i), "unknown-name", "what", "channel", "value", c)
		}
	}
}

func (k *checker) attachments() {
	names, paths := map[string]bool{}, map[string]bool{}
	for i, a := range k.s.Request.Attachments {
		at := fmt.Sprintf("request.attachments[%d]", i)
		k.name(at+".name", a.Name)
		k.repeated(names, at+".name", "name", a.Name)
		k.path(at+".path", a.Path, k.s.Request.Data)
		k.repeated(paths, at+".path", "path", a.Path)
		k.channelNames(at+".channels", a.Channels)
		if p := a.Parts; p != nil {
			for _, role := range attachmentRoles {
				if name := a.part(role); name != "" && (role != "content" || name != ".") {
					k.path(at+".parts."+role, name, k.s.Request.Data)
				}
			}
		}
		if a.MaxCount < 0 {
			k.fault(at+".max_count", "bad-bounds")
		}
		for j, t := range a.Types {
			if !knownMedia(t) {
				k.fault(fmt.Sprintf("%s.types[%d]", at, j), "unknown-name", "what", "media type", "value", t)
			}
		}
	}
	if len(k.s.Request.Attachments) > 0 && k.s.Local.Files == nil {
		k.fault("local", "no-files-table")
	}
}
