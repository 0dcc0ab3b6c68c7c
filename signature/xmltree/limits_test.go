package xmltree

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		lim   Limits
		fits  string
		above string
		code  Code
	}{
		{"bytes", Limits{Bytes: 10}, "<r>123</r>", "<r>1234</r>", TooLarge},
		{"depth", Limits{Depth: 2}, "<a><b/><b></b></a>", "<a><b><c/></b></a>", TooDeep},
		{"nodes", Limits{Nodes: 3}, "<a>1<b/></a>", "<a>1<b/>2</a>", TooManyNodes},
		{"nodes beside the root", Limits{Nodes: 2}, "<!-- --><a/>", "<!-- --><a/><?p?>", TooManyNodes},
		{"attributes", Limits{Attributes: 2}, `<a xmlns:p="urn:p" b="1"><c d="1" e="2"/></a>`, `<a xmlns:p="urn:p" b="1" c="2"/>`, TooManyAttributes},
		{"name", Limits{NameLength: 3}, "<abc/>", "<abcd/>", NameTooLong},
		{"attribute's name", Limits{NameLength: 3}, "<a abc=''/>", "<a abcd=''/>", NameTooLong},
		{"target", Limits{NameLength: 3}, "<?abc?><a/>", "<?abcd?><a/>", NameTooLong},
	} {
		if _, err := Parse([]byte(c.fits), c.lim); err != nil {
			t.Errorf("%s: what fits is refused: %v", c.name, err)
		}
		var e *Error
		if _, err := Parse([]byte(c.above), c.lim); !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s: got %v, want %s", c.name, err, c.code)
		}
	}
	if d := DefaultLimits(); d.Bytes != DefaultBytes || d.Depth != DefaultDepth || d.Nodes != DefaultNodes || d.Attributes != DefaultAttributes || d.NameLength != DefaultNameLength {
		t.Errorf("the defaults are %+v", d)
	}
	if l := (Limits{NameLength: 1 << 40, Attributes: 1 << 40}).orDefault(); l.NameLength != maxNameLength || l.Attributes != maxAttributes {
		t.Errorf("limits beyond what a node holds: %+v", l)
	}
}

// TestGenerous: what an honest sender may send passes the default limits.
func TestGenerous(t *testing.T) {
	attachment := strings.Repeat("QUJD", 27<<20/4) // 20 MB in Base64
	doc := mustParse(t, "<r><file>"+attachment+"</file><file>"+attachment[:4<<20]+"</file></r>")
	if n := len(mustChildren(doc.Root())[0].TextBytes()); n != len(attachment) {
		t.Errorf("the attachment has %d bytes", n)
	}
	many := mustParse(t, "<r>"+strings.Repeat("<row><a>1</a>\n</row>", 150_000)+"</r>")
	if n := len(mustChildren(many.Root())); n != 150_000 {
		t.Errorf("%d rows", n)
	}
}

func mustChildren(n Node) (out []Node) {
	for c := range n.Elements() {
		out = append(out, c)
	}
	return out
}

// huge switches the limits off as far as a node can hold.
var huge = Limits{Bytes: maxBytes, Depth: maxDepth, Nodes: maxNodes, Attributes: maxAttributes, NameLength: maxNameLength}

// TestLinear feeds what makes careless readers and canonicalisers quadratic.
// Each case takes a fraction of a second; quadratic cost would be minutes.
func TestLinear(t *testing.T) {
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const deep = 100_000
	for _, c := range []struct {
		name string
		src  string
		id   string
		list bool // a PrefixList of every prefix p0, p1, …
	}{
		{name: "attributes", src: "<r" + repeat(60_000, " a%d='1'") + "/>"},
		{name: "attributes of many namespaces", src: "<r" + repeat(30_000, " xmlns:p%[1]d='urn:%[1]d' p%[1]d:a='1'") + "/>"},
		{name: "declarations used one by one", list: true,
			src: "<r" + repeat(60_000, " xmlns:p%[1]d='urn:%[1]d'") + "><s Id='x'>" + repeat(60_000, "<p%d:a/>") + "</s></r>", id: "x"},
		{name: "deep", src: strings.Repeat("<a>", deep) + "<b Id='x'/>" + strings.Repeat("</a>", deep), id: "x"},
		{name: "deep with rebound prefix", list: true,
			src: repeat(deep, "<p0:a xmlns:p0='urn:%d'>") + "<b Id='x'/>" + strings.Repeat("</p0:a>", deep), id: "x"},
		{name: "deep with new prefixes", list: true,
			src: repeat(deep, "<a xmlns:p%[1]d='urn:%[1]d'>") + "<b Id='x'/>" + strings.Repeat("</a>", deep), id: "x"},
		{name: "deep with inherited attributes",
			src: repeat(20_000, "<a xml:lang='kk' xml:space='default' xml:a%[1]d='1' xml:base='d%[1]d/'>") + "<b Id='x'/>" + strings.Repeat("</a>", 20_000), id: "x"},
		{name: "long bases",
			src: strings.Repeat("<a xml:base='"+strings.Repeat("b/", 2000)+"'>", 2000) + "<b Id='x'/>" + strings.Repeat("</a>", 2000), id: "x"},
		{name: "comments", src: "<r>" + strings.Repeat("<!---->", 500_000) + "</r>"},
		{name: "instructions", src: "<r>" + strings.Repeat("<?p?>", 500_000) + "</r>"},
		{name: "CDATA sections", src: "<r>" + strings.Repeat("<![CDATA[x]]>", 500_000) + "</r>"},
		{name: "references", src: "<r>" + strings.Repeat("&lt;", 1_000_000) + "</r>"},
		{name: "identifiers", src: "<r>" + repeat(200_000, "<a Id='i%d'/>") + "<b Id='x'/></r>", id: "x"},
		{name: "brackets and hyphens", src: "<r>" + strings.Repeat("]", 1_000_000) + "<!--" + strings.Repeat("- ", 500_000) + "--></r>"},
		{name: "long names", src: strings.Repeat("<"+strings.Repeat("n", 60_000)+">", 100) + strings.Repeat("</"+strings.Repeat("n", 60_000)+">", 100)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var list []string
			if c.list {
				for i := range deep {
					list = append(list, fmt.Sprintf("p%d", i))
				}
			}
			begin := time.Now()
			doc, err := Parse([]byte(c.src), huge)
			if err != nil {
				t.Fatal(err)
			}
			nodes := []Node{{}}
			if c.id != "" {
				n, err := doc.ByID(c.id)
				if err != nil {
					t.Fatal(err)
				}
				nodes = append(nodes, n)
			}
			for _, n := range nodes {
				for _, m := range []C14N{{Kind: Inclusive10}, {Kind: Inclusive11}, {Kind: Exclusive}, {Kind: Exclusive, Prefixes: list}} {
					if out := doc.Canonical(nil, n, m); len(out) == 0 {
						t.Fatal("nothing came out")
					}
				}
			}
			if doc.Root().TextBytes(); time.Since(begin) > 15*time.Second {
				t.Errorf("it took %v", time.Since(begin))
			}
		})
	}
}

// TestMemory: a message with an attachment costs its bytes, the canonical copy
// and little more.
func TestMemory(t *testing.T) {
	src := message("&lt;file&gt;" + strings.Repeat("QUJD", 5<<20/4) + "&lt;/file&gt;")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	doc, err := Parse(src, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out := doc.Canonical(make([]byte, 0, len(src)), Node{}, C14N{Kind: Exclusive})
	runtime.ReadMemStats(&after)
	if bytes.Count(out, []byte("&lt;file&gt;")) != 1 {
		t.Error("the canonical form lacks the file")
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(len(src))*3/2 {
		t.Errorf("%d bytes were allocated for %d", got, len(src))
	}
}
