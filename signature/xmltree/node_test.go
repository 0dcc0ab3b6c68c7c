package xmltree

import (
	"errors"
	"slices"
	"testing"
)

const sample = `<?xml version="1.0" encoding="UTF-8"?>
<!-- before --><?go on?>
<e:Envelope xmlns:e="urn:e" xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">
  <e:Header/>
  <e:Body wsu:Id="b&#49;" b="2" a='1&lt;' xml:lang="kk"><data xmlns="urn:d" xmlns:p="urn:p" p:x="y">Т<!-- c -->ЕСТ&amp;<![CDATA[<&>]]><in>no</in>!</data></e:Body>
</e:Envelope>`

func mustParse(t testing.TB, src string) *Document {
	t.Helper()
	d, err := Parse([]byte(src), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustChild(t testing.TB, n Node, space, local string) Node {
	t.Helper()
	c, ok, err := n.Child(space, local)
	if err != nil || !ok {
		t.Fatalf("child %s: %v, %v", local, ok, err)
	}
	return c
}

func TestNode(t *testing.T) {
	d := mustParse(t, sample)
	root := d.Root()
	if !root.Is("urn:e", "Envelope") || root.Is("urn:x", "Envelope") || root.Local() != "Envelope" || root.Prefix() != "e" || root.Space() != "urn:e" {
		t.Fatal("the root's name is misread")
	}
	body := mustChild(t, root, "urn:e", "Body")
	data := mustChild(t, body, "urn:d", "data")
	if got := data.Text(); got != "ТЕСТ&<&>!" {
		t.Errorf("text %q", got)
	}
	if data.Path() != "Envelope/Body/data" || data.Line() != 5 || body.Line() != 5 {
		t.Errorf("path %s, line %d", data.Path(), data.Line())
	}
	if data.Parent() != body || body.Parent() != root || !root.Parent().IsZero() || !data.Within(root) || root.Within(data) {
		t.Error("parents are wrong")
	}
	if !data.HasElements() || mustChild(t, data, "urn:d", "in").HasElements() {
		t.Error("HasElements is wrong")
	}
	if v, ok := body.Attr("", "a"); !ok || v != "1<" {
		t.Errorf("a = %q, %v", v, ok)
	}
	if _, ok := body.Attr("urn:e", "a"); ok {
		t.Error("an attribute without a prefix has the namespace of its element")
	}
	var names []string
	for a := range body.Attrs() {
		names = append(names, a.Prefix+":"+a.Local+"="+a.Value)
	}
	if want := []string{":a=1<", ":b=2", "wsu:Id=b1", "xml:lang=kk"}; !slices.Equal(names, want) {
		t.Errorf("attributes %q", names)
	}
	var children []Kind
	for c := range data.Children() {
		children = append(children, c.Kind())
	}
	if want := []Kind{KindText, KindComment, KindText, KindText, KindElement, KindText}; !slices.Equal(children, want) {
		t.Errorf("children %v", children)
	}
	for prefix, want := range map[string]string{"": "urn:d", "p": "urn:p", "e": "urn:e", "xml": XMLNamespace} {
		if uri, ok := data.Namespace(prefix); !ok || uri != want {
			t.Errorf("namespace of %q is %q, %v", prefix, uri, ok)
		}
	}
	if _, ok := body.Namespace("p"); ok {
		t.Error("a prefix is known outside its scope")
	}
	if n, err := d.ByID("b1"); err != nil || n != body {
		t.Error("ByID did not find the body: ", err)
	}
}

func TestChildRepeated(t *testing.T) {
	d := mustParse(t, "<r><a/><b/>\n<a/></r>")
	if _, ok, err := d.Root().Child("", "c"); ok || err != nil {
		t.Error("a child that is not there was found")
	}
	_, ok, err := d.Root().Child("", "a")
	var e *Error
	if ok || !errors.As(err, &e) || e.Code != Repeated || e.Line != 2 || e.Column != 1 {
		t.Errorf("%v %+v", ok, err)
	}
}

func TestZeroNode(t *testing.T) {
	var n Node
	if !n.IsZero() || n.Kind() != KindNone || n.Local() != "" || n.Space() != "" || n.Text() != "" || n.HasElements() || n.Is("", "") || !n.Parent().IsZero() {
		t.Error("the zero node is something")
	}
	if _, ok := n.Attr("", "a"); ok {
		t.Error("the zero node has an attribute")
	}
	if _, ok, err := n.Child("", "a"); ok || err != nil {
		t.Error("the zero node has a child")
	}
}
