package xmltree

import (
	"errors"
	"slices"
	"strings"
	"sync"
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

func TestPlaces(t *testing.T) {
	src := "<r>\nt<!--c--><?pi d?><![CDATA[ \t]]><e/></r>"
	d := mustParse(t, src)
	var got []string
	for c := range d.Root().Children() {
		if line := 1 + strings.Count(src[:c.Offset()], "\n"); c.Document() != d || c.Line() != line || c.Path() != strings.TrimSuffix("r/"+c.Local(), "/") && c.Kind() == KindElement {
			t.Errorf("line %d, path %s", c.Line(), c.Path())
		}
		got = append(got, string(d.Source()[c.Offset():c.Offset()+2])+c.Local()+"="+c.Text())
	}
	if want := []string{"\nt=\nt", "<!=c", "<?pi=d", "<!= \t", "<ee="}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	var blank []bool
	for c := range d.Root().Children() {
		blank = append(blank, c.IsBlank())
	}
	if want := []bool{false, false, false, true, false}; !slices.Equal(blank, want) {
		t.Errorf("blank: %v", blank)
	}
}

// TestStop: a loop over nodes or attributes may end early.
func TestStop(t *testing.T) {
	n := mustParse(t, "<r a='1' b='2'>t<a/>u<b/></r>").Root()
	count := 0
	for range n.Children() {
		count++
		break
	}
	for range n.Elements() {
		count++
		break
	}
	for range n.Descendants() {
		count++
		break
	}
	for range n.Attrs() {
		count++
		break
	}
	for range (Node{}).Children() {
		count++
	}
	for range (Node{}).Descendants() {
		count++
	}
	if count != 4 {
		t.Errorf("%d turns", count)
	}
}

// TestShared: a Document may be used by several goroutines at once.
func TestShared(t *testing.T) {
	d := mustParse(t, sample)
	want := string(d.Canonical(nil, Node{}, C14N{Kind: Exclusive}))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			body, err := d.ByID("b1")
			if err != nil || body.Local() != "Body" || string(d.Canonical(nil, Node{}, C14N{Kind: Exclusive})) != want {
				t.Error("another answer: ", err)
			}
		})
	}
	all.Wait()
}

// TestAllocations: a message of some KB costs a handful of allocations.
func TestAllocations(t *testing.T) {
	src := message("&lt;a/&gt;")
	out := make([]byte, 0, 2*len(src))
	if n := testing.AllocsPerRun(100, func() {
		d, err := Parse(src, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		body, err := d.ByID("id-1")
		if err != nil || !body.Is("http://schemas.xmlsoap.org/soap/envelope/", "Body") {
			t.Fatal(err)
		}
		out = d.Canonical(out[:0], body, C14N{Kind: Exclusive})
	}); n > 8 {
		t.Errorf("%v allocations", n)
	}
}
