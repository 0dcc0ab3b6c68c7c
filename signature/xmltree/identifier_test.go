package xmltree

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestByID(t *testing.T) {
	const open = `<r xmlns:u="` + wsuNamespace + `" xmlns:e="` + wsseNamespace + `" xmlns:x="urn:x">`
	for _, c := range []struct {
		name, body, id string
		want           string // the element's name
		code           Code
	}{
		{"wsu:Id", `<a u:Id="i"/>`, "i", "a", ""},
		{"wsse:Id", `<a e:Id="i"/>`, "i", "a", ""},
		{"xml:id", `<a xml:id="i"/>`, "i", "a", ""},
		{"Id", `<a Id="i"/>`, "i", "a", ""},
		{"ID", `<a ID="i"/>`, "i", "a", ""},
		{"id", `<a id="i"/>`, "i", "a", ""},
		{"value with references", `<a Id="&#x69;&#32;"/>`, "i ", "a", ""},
		{"Cyrillic", `<a Id="тіло"/>`, "тіло", "a", ""},
		{"two spellings on one element", `<a u:Id="i" e:Id="i" Id="i"/>`, "i", "a", ""},
		{"two values on one element", `<a u:Id="j" e:Id="i"/>`, "i", "a", ""},
		{"others repeat", `<a id="1"/><b id="1"/><c Id="i"/>`, "i", "c", ""},
		{"none", `<a Id="i"/>`, "j", "", NoSuchID},
		{"case of the value", `<a Id="i"/>`, "I", "", NoSuchID},
		{"empty", `<a Id=""/>`, "", "", NoSuchID},
		{"another namespace", `<a x:Id="i"/>`, "i", "", NoSuchID},
		{"wsu:id", `<a u:id="i"/>`, "i", "", NoSuchID},
		{"iD", `<a iD="i"/>`, "i", "", NoSuchID},
		{"AssertionID", `<a AssertionID="i"/>`, "i", "", NoSuchID},
		{"xml:Id", `<a xml:Id="i"/>`, "i", "", NoSuchID},
		{"two Id", `<a Id="i"/><b Id="i"/>`, "i", "", AmbiguousID},
		{"Id and id", `<a Id="i"/><b id="i"/>`, "i", "", AmbiguousID},
		{"wsu:Id and Id", `<a u:Id="i"/><b Id="i"/>`, "i", "", AmbiguousID},
		{"Id and wsu:Id", `<a Id="i"/><b u:Id="i"/>`, "i", "", AmbiguousID},
		{"wsu:Id and a foreign one", `<a u:Id="i"/><b x:ID="i"/>`, "i", "", AmbiguousID},
		{"a foreign one and wsu:Id", `<a x:id="i"/><b u:Id="i"/>`, "i", "", AmbiguousID},
		{"wsu:Id and AssertionID", `<a u:Id="i"/><b AssertionID="i"/>`, "i", "", AmbiguousID},
		{"parent and child", `<a Id="i"><b Id="i"/></a>`, "i", "", AmbiguousID},
		{"equal by reference", `<a Id="i"/><b Id="&#105;"/>`, "i", "", AmbiguousID},
	} {
		n, err := mustParse(t, open+c.body+"</r>").ByID(c.id)
		if c.code == "" {
			if err != nil || n.Local() != c.want {
				t.Errorf("%s: %q, %v", c.name, n.Local(), err)
			}
			continue
		}
		var e *Error
		if !n.IsZero() || !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
}

// TestManyIdentifiers: the hash finds what the row finds.
func TestManyIdentifiers(t *testing.T) {
	var b strings.Builder
	const n = 5000
	for i := range n {
		fmt.Fprintf(&b, "<a Id='i%d'/><b id='row'/>", i)
	}
	doc := mustParse(t, "<r>"+b.String()+"</r>")
	i := 0
	for e := range doc.Root().Elements() {
		if e.Local() != "a" {
			continue
		}
		if found, err := doc.ByID(fmt.Sprintf("i%d", i)); err != nil || found != e {
			t.Fatal(i, err)
		}
		i++
	}
	if _, err := doc.ByID("row"); !errors.Is(err, &Error{Code: AmbiguousID}) || i != n {
		t.Error(i, err)
	}
	if _, err := doc.ByID("i5000"); !errors.Is(err, &Error{Code: NoSuchID}) {
		t.Error(err)
	}
}
