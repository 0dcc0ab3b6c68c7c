package soap

import (
	"encoding/xml"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kopir/wsdl"
	"kopir/wsdl/shep/async"
	"kopir/wsdl/shep/sync"
)

// The schema files, as far as they matter here.
type (
	xsdSchema struct {
		Target   string       `xml:"targetNamespace,attr"`
		Elements []xsdElement `xml:"element"`
		Complex  []xsdComplex `xml:"complexType"`
		Simple   []xsdSimple  `xml:"simpleType"`
	}
	xsdComplex struct {
		Name     string       `xml:"name,attr"`
		Elements []xsdElement `xml:"sequence>element"`
	}
	xsdElement struct {
		Name     string      `xml:"name,attr"`
		Type     string      `xml:"type,attr"`
		Min      string      `xml:"minOccurs,attr"`
		Max      string      `xml:"maxOccurs,attr"`
		Nillable bool        `xml:"nillable,attr"`
		Simple   *xsdSimple  `xml:"simpleType"`
		Complex  *xsdComplex `xml:"complexType"`
	}
	xsdSimple struct {
		Name string `xml:"name,attr"`
		Enum []struct {
			Value string `xml:"value,attr"`
		} `xml:"restriction>enumeration"`
		MaxLength *struct {
			Value string `xml:"value,attr"`
		} `xml:"restriction>maxLength"`
		Pattern *struct {
			Value string `xml:"value,attr"`
		} `xml:"restriction>pattern"`
	}
)

func (s xsdSimple) values() []string {
	var out []string
	for _, e := range s.Enum {
		out = append(out, e.Value)
	}
	return out
}

func schemas(t *testing.T) []xsdSchema {
	t.Helper()
	names, err := fs.Glob(wsdl.Files(), "*.xsd")
	if err != nil || len(names) == 0 {
		t.Fatal("no schemas", err)
	}
	var all []xsdSchema
	for _, name := range names {
		src, err := fs.ReadFile(wsdl.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		var s xsdSchema
		if err := xml.Unmarshal(src, &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// wireTypes gives every struct that payloads and faults are made of, by name.
func wireTypes() map[string]reflect.Type {
	found := map[string]reflect.Type{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		if found[t.Name()] != nil {
			return
		}
		found[t.Name()] = t
		for _, f := range plan(t) {
			if f.shape == groupShape {
				walk(f.group)
			}
		}
	}
	for _, p := range payloads {
		walk(reflect.TypeOf(p).Elem())
	}
	walk(reflect.TypeFor[ErrorInfo]())
	walk(reflect.TypeFor[AsyncMessage]())
	return found
}

// written gives the fields that the schema knows.
func written(t reflect.Type) []field {
	return slices.DeleteFunc(slices.Clone(plan(t)), func(f field) bool { return f.shape == ignoredShape })
}

// differences compares the elements of a wire type with those of the schema.
func differences(fields []field, c xsdComplex, simple map[string]xsdSimple) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for i, e := range c.Elements {
		if i >= len(fields) || fields[i].name != e.Name {
			say("element %d must be %s", i, e.Name)
			continue
		}
		f := fields[i]
		if optional := e.Min == "0"; f.optional != optional {
			say("%s: minOccurs %q, optional %v", e.Name, e.Min, f.optional)
		}
		if repeated := e.Max == "unbounded"; f.repeated != repeated {
			say("%s: maxOccurs %q, repeated %v", e.Name, e.Max, f.repeated)
		}
		_, local, _ := strings.Cut(e.Type, ":")
		named, isSimple := simple[local]
		if e.Simple != nil {
			named, isSimple = *e.Simple, true
		}
		want := textShape
		switch {
		case isSimple && named.Enum != nil:
			want = enumShape
		case isSimple:
		case e.Type == "xs:string":
		case e.Type == "xs:dateTime":
			want = timeShape
		case e.Type == "xs:int":
			want = intShape
		case e.Type == "xs:anyType":
			want = dataShape
		default:
			want = groupShape
			if f.group == nil || f.group.Name() != local {
				say("%s: type %s", e.Name, e.Type)
			}
		}
		if f.shape != want {
			say("%s: %s is not shape %d", e.Name, e.Type, f.shape)
		}
		if !slices.Equal(f.values, named.values()) {
			say("%s: values %v, schema %v", e.Name, f.values, named.values())
		}
		most := 0
		if named.MaxLength != nil {
			most, _ = strconv.Atoi(named.MaxLength.Value)
		}
		if f.maxOut != most {
			say("%s: maxLength %d, schema %d", e.Name, f.maxOut, most)
		}
		if f.guid != (named.Pattern != nil) {
			say("%s: guid %v", e.Name, f.guid)
		}
		if named.Pattern != nil && braced.String() != "^"+named.Pattern.Value+"$" {
			say("%s: pattern %s, ours %s", e.Name, named.Pattern.Value, braced)
		}
	}
	if len(fields) > len(c.Elements) {
		say("%d elements too many", len(fields)-len(c.Elements))
	}
	return out
}

// TestContractSchemas compares the wire types with the schema files: names,
// order, cardinality, types, enumerations, lengths, patterns.
func TestContractSchemas(t *testing.T) {
	simple := map[string]xsdSimple{}
	for _, s := range schemas(t) {
		for _, st := range s.Simple {
			simple[st.Name] = st
		}
	}
	types := wireTypes()
	seen := map[string]bool{}
	for _, s := range schemas(t) {
		for _, c := range s.Complex {
			seen[c.Name] = true
			if types[c.Name] == nil {
				t.Errorf("no wire type for %s", c.Name)
				continue
			}
			for _, d := range differences(written(types[c.Name]), c, simple) {
				t.Errorf("%s: %s", c.Name, d)
			}
			for i := range c.Elements { // the comparison must be able to fail
				if broken := slices.Delete(written(types[c.Name]), i, i+1); len(differences(broken, c, simple)) == 0 {
					t.Errorf("%s without %s went unnoticed", c.Name, c.Elements[i].Name)
				}
			}
		}
	}
	for name := range types {
		if !seen[name] {
			t.Errorf("wire type %s is in no schema", name)
		}
	}
}

// TestContractWrappers compares the table of operations with the global
// elements of the schemas, both ways.
func TestContractWrappers(t *testing.T) {
	known := map[string]string{} // {namespace}element -> type below it
	for _, row := range operations {
		known["{"+row.space+"}"+row.name] = reflect.TypeOf(row.request()).Elem().Name()
		known["{"+row.space+"}"+row.name+"Response"] = reflect.TypeOf(row.answer()).Elem().Name()
		known["{"+row.space+"}"+row.fault] = "ErrorInfo"
	}
	total := 0
	for _, s := range schemas(t) {
		for _, e := range s.Elements {
			total++
			holds := e.Type
			if e.Complex != nil {
				child := e.Complex.Elements[0]
				holds = child.Type
				if want := map[bool]string{true: "response", false: "request"}[strings.HasSuffix(e.Name, "Response")]; child.Name != want || !child.Nillable {
					t.Errorf("%s holds %s", e.Name, child.Name)
				}
			}
			_, holds, _ = strings.Cut(holds, ":")
			if got := known["{"+s.Target+"}"+e.Name]; got != holds {
				t.Errorf("{%s}%s holds %s, ours %q", s.Target, e.Name, holds, got)
			}
		}
	}
	if total != len(known) {
		t.Errorf("%d global elements, %d known", total, len(known))
	}
}

// TestContractOperations compares the table of operations with the port types.
func TestContractOperations(t *testing.T) {
	names := regexp.MustCompile(`(?s)<wsdl:operation name="(\w+)">\s*<soap:operation soapAction="(.*?)"`)
	for file, channel := range map[string]Channel{wsdl.SyncChannel: Sync, wsdl.AsyncChannel: Async, wsdl.AsyncChannelClient: Client} {
		src, err := fs.ReadFile(wsdl.Files(), file)
		if err != nil {
			t.Fatal(err)
		}
		var theirs, ours []string
		for _, m := range names.FindAllStringSubmatch(string(src), -1) {
			theirs = append(theirs, m[1])
			if m[2] != "" {
				t.Errorf("%s: soapAction %q", m[1], m[2])
			}
		}
		for op, row := range operations {
			if row.channel == channel {
				ours = append(ours, op.Name())
			}
		}
		slices.Sort(theirs)
		slices.Sort(ours)
		if !slices.Equal(theirs, ours) || len(ours) == 0 {
			t.Errorf("%s: operations %v, ours %v", file, theirs, ours)
		}
	}
}

// TestContractWitness compares the wire types with what gowsdl made of the
// contract: names, order, what is repeated, and the one enumeration it keeps.
func TestContractWitness(t *testing.T) {
	witnesses, seen := map[string]reflect.Type{}, map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(w reflect.Type) {
		for w.Kind() == reflect.Pointer || w.Kind() == reflect.Slice {
			w = w.Elem()
		}
		if w.Kind() != reflect.Struct || !strings.Contains(w.PkgPath(), "wsdl/shep") || seen[w] {
			return
		}
		witnesses[w.Name()], seen[w] = w, true
		for i := range w.NumField() {
			walk(w.Field(i).Type)
		}
	}
	for _, root := range []any{
		sync.SendMessage{}, sync.SendMessageResponse{}, sync.ErrorInfo{}, sync.DeliveryNotification{}, sync.ChangeStatusNotification{},
		async.SendMessage{}, async.SendMessageResponse{}, async.SendDeliveryNotification{}, async.SendDeliveryNotificationResponse{},
		async.GetMessageStatus{}, async.GetMessageStatusResponse{}, async.GetMessages{}, async.GetMessagesResponse{},
		async.AsyncChangeStatusNotifyRequest{}, async.AsyncChangeStatusNotifyResponse{},
	} {
		walk(reflect.TypeOf(root))
	}
	for name, ours := range wireTypes() {
		w := witnesses[name]
		if w == nil {
			t.Errorf("no witness for %s", name)
			continue
		}
		var theirs []string
		for i := range w.NumField() {
			f := w.Field(i)
			tag, _, _ := strings.Cut(f.Tag.Get("xml"), ",")
			if f.Name == "XMLName" {
				continue
			}
			if f.Type.Kind() == reflect.Slice {
				tag += "*"
			}
			theirs = append(theirs, tag)
		}
		var own []string
		for _, f := range written(ours) {
			own = append(own, f.name+map[bool]string{true: "*"}[f.repeated])
		}
		if !slices.Equal(own, theirs) {
			t.Errorf("%s: ours %v, gowsdl's %v", name, own, theirs)
		}
	}
	states := []async.MessageState{async.MessageStateON_DELIVERY, async.MessageStateDELIVERED, async.MessageStateNOT_DELIVERED, async.MessageStateDELIVERY_STOPPED}
	for i, s := range states {
		if v := MessageState("").values(); len(v) != len(states) || v[i] != string(s) {
			t.Errorf("message states %v, gowsdl's %v", v, states)
		}
	}
}
