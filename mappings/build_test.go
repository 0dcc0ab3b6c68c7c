package mappings

import (
	"testing"

	"github.com/beevik/etree"
)

// TestBuilderWritesAsEtree: the same elements by a library, with canonical text
// and attribute values, give the same bytes.
func TestBuilderWritesAsEtree(t *testing.T) {
	const hard = "a&b<c>d\r\n\t\"'е Ә"
	b := newBuilder(Data{Root: Name{NS: "urn:a&\"b", Prefix: "r", Name: "root"}, Namespaces: []Prefix{{"r", "urn:a&\"b"}, {"n", "urn:n\t<"}}})
	b.set("r:a/n:b", hard)
	b.set("r:a/c", "1")
	b.set("r:a/n:b", hard+"2")
	b.set("empty", "")
	first := b.add("g/m")
	b.child(first, "x", "1")
	b.add("g/m")
	b.set("g/m/x", "2")
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	root := doc.CreateElement("r:root")
	root.CreateAttr("xmlns:r", "urn:a&\"b")
	root.CreateAttr("xmlns:n", "urn:n\t<")
	a := root.CreateElement("r:a")
	a.CreateElement("n:b").SetText(hard + "2")
	a.CreateElement("c").SetText("1")
	root.CreateElement("empty")
	g := root.CreateElement("g")
	g.CreateElement("m").CreateElement("x").SetText("1")
	g.CreateElement("m").CreateElement("x").SetText("2")
	want, err := doc.WriteToString()
	if err != nil || string(b.bytes()) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.bytes(), want)
	}
}
