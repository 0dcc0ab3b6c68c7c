package xmltree

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// FuzzParse: whatever comes, there is a document or an *Error with a code of
// the list; and the canonical form of a document is read again, and is its own
// canonical form.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{filepath.Join(casesDir, "*.xml"), filepath.Join("..", "..", "testdata", "attacks", "xml", "*.xml")} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(pattern, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Add([]byte(sample))
	limits := Limits{Bytes: 1 << 20, Depth: 100, Nodes: 10_000, Attributes: 100, NameLength: 100}
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := Parse(src, limits)
		if err != nil {
			var e *Error
			if doc != nil || !errors.As(err, &e) || !slices.Contains(Codes(), e.Code) || e.Offset < 0 || e.Offset > len(src) || e.Line < 1 || e.Column < 1 {
				t.Fatalf("%v with %+v", doc, err)
			}
			return
		}
		checkTree(t, doc)
		for _, kind := range []Method{Inclusive10, Inclusive11, Exclusive} {
			m := C14N{Kind: kind, Comments: true}
			first := doc.Canonical(nil, Node{}, m)
			again, err := Parse(first, huge)
			if err != nil {
				t.Fatalf("the canonical form %q of %q is refused: %v", first, src, err)
			}
			if second := again.Canonical(nil, Node{}, m); !bytes.Equal(first, second) {
				t.Fatalf("the canonical form %q becomes %q", first, second)
			}
		}
	})
}

// checkTree walks every node through every method.
func checkTree(t *testing.T, doc *Document) {
	root := doc.Root()
	if !root.isElement() || !root.Parent().IsZero() {
		t.Fatal("the root is none")
	}
	for n := range root.Descendants() {
		if !n.Within(root) || n.Local() == "" || n.Path() == "" || n.Offset() <= root.Offset() {
			t.Fatal("a node is not where it must be")
		}
		for a := range n.Attrs() {
			if v, ok := n.Attr(a.Space, a.Local); !ok || v != a.Value {
				t.Fatal("an attribute is not found by its name")
			}
		}
		if uri, ok := n.Namespace(n.Prefix()); !ok || uri != n.Space() {
			t.Fatal("a prefix and the namespace of its element differ")
		}
		// The canonical form of an element has its text.
		again, err := Parse(doc.Canonical(nil, n, C14N{Kind: Exclusive}), huge)
		if err != nil {
			t.Fatal("an element's canonical form is refused: ", err)
		}
		if r := again.Root(); r.Text() != n.Text() || !r.Is(n.Space(), n.Local()) {
			t.Fatal("an element and its canonical form differ")
		}
	}
}
