//go:build shared

package xmltree

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sharedDir is the folder of the vectors that are kept outside the repository.
func sharedDir(t *testing.T, parts ...string) string {
	t.Helper()
	base := os.Getenv("KOPIR_SHARED")
	if base == "" {
		base = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(append([]string{base}, parts...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("%v (set KOPIR_SHARED)", err)
	}
	return dir
}

type vector struct {
	ID, Input, Mode, Expect, Expected, SHA256 string
	PrefixList                                string          `json:"prefix_list"`
	Select                                    json.RawMessage `json:"select"`
	Tags                                      []string
}

// TestVectors runs every case of the canonicalisation vectors: bytes on which
// libxml2 and Santuario agree.
func TestVectors(t *testing.T) {
	dir := sharedDir(t, "vectors", "c14n")
	raw, err := os.ReadFile(filepath.Join(dir, "MANIFEST.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Cases []vector }
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	done := map[string]int{}
	for _, c := range manifest.Cases {
		t.Run(c.ID, func(t *testing.T) { done[runVector(t, dir, c)]++ })
	}
	t.Log(len(manifest.Cases), "cases", done)
	if done["bytes"] < 500 {
		t.Fatal("too few cases were compared")
	}
}

func runVector(t *testing.T, dir string, c vector) string {
	src, err := os.ReadFile(filepath.Join(dir, c.Input))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Parse(src, Limits{})
	refused := func(want Code) string {
		var e *Error
		if !errors.As(err, &e) || e.Code != want {
			t.Fatalf("got %v, want %s", err, want)
		}
		return string(want)
	}
	text := strings.ToLower(string(src))
	switch {
	case slices.Contains(c.Tags, "dtd"):
		return refused(HasDoctype)
	case strings.Contains(text, `encoding="windows-1251"`), strings.Contains(text, `encoding="koi8-r"`), strings.Contains(text, `encoding="iso-8859-1"`):
		return refused(BadEncoding)
	case c.Expect == "error":
		return refused(RelativeNamespace)
	case err != nil:
		t.Fatal(err)
	}
	var n Node
	if string(c.Select) != `"document"` {
		var by struct{ ID string }
		if err := json.Unmarshal(c.Select, &by); err != nil {
			t.Fatal(err)
		}
		if n, err = doc.ByID(by.ID); err != nil {
			t.Fatal(err)
		}
	}
	m := C14N{Comments: strings.HasSuffix(c.Mode, "-comments"), Prefixes: strings.Fields(c.PrefixList)}
	switch strings.TrimSuffix(c.Mode, "-comments") {
	case "c14n10":
		m.Kind = Inclusive10
	case "c14n11":
		m.Kind = Inclusive11
	case "exc":
		m.Kind = Exclusive
	default:
		t.Fatal("unknown mode ", c.Mode)
	}
	want, err := os.ReadFile(filepath.Join(dir, c.Expected))
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Canonical(nil, n, m); string(got) != string(want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
	if sum := sha256.Sum256(want); hex.EncodeToString(sum[:]) != c.SHA256 {
		t.Fatal("the vector's file is damaged")
	}
	return "bytes"
}

// TestHostile: no honest message is refused, and the resource attacks end
// quickly, read or refused.
func TestHostile(t *testing.T) {
	dir := sharedDir(t, "vectors", "hostile", "visible")
	raw, err := os.ReadFile(filepath.Join(dir, "MANIFEST.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Variants []struct {
			File, Expect string
			Recipe       *struct {
				Token string
				Fill  [][2]any
			}
		}
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	read, refused := 0, map[Code]int{}
	for _, v := range manifest.Variants {
		src, err := os.ReadFile(filepath.Join(dir, v.File))
		if err != nil {
			t.Fatal(err)
		}
		if v.Recipe != nil {
			var fill strings.Builder
			for _, part := range v.Recipe.Fill {
				for n := range int(part[1].(float64)) {
					fill.WriteString(strings.ReplaceAll(part[0].(string), "{n}", fmt.Sprintf("%07d", n)))
				}
			}
			src = []byte(strings.ReplaceAll(string(src), v.Recipe.Token, fill.String()))
		}
		begin := time.Now()
		doc, err := Parse(src, Limits{})
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("%s took %v", v.File, took)
		}
		if err != nil {
			refused[err.(*Error).Code]++
			if v.Expect == "accept" {
				t.Errorf("%s: %v", v.File, err)
			}
			continue
		}
		read++
		if out := doc.Canonical(nil, Node{}, C14N{Kind: Exclusive, Comments: true}); len(out) == 0 {
			t.Error(v.File, "has no canonical form")
		}
	}
	t.Log(read, "read, refused:", refused)
	if read < 100 || len(refused) < 10 {
		t.Error("too little was tried")
	}
}

// TestSamples: the octets that were hashed and signed in messages found on the
// wire.
func TestSamples(t *testing.T) {
	dir := sharedDir(t, "shep", "samples")
	for _, number := range []string{"01", "02", "03", "05", "06"} {
		files, err := filepath.Glob(filepath.Join(dir, number+"-*.xml"))
		if err != nil || len(files) != 1 {
			t.Fatal(number, files, err)
		}
		src, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		doc := mustParse(t, string(src))
		for part, is := range map[string]func(Node) bool{
			"body":       func(n Node) bool { return n.Is("http://schemas.xmlsoap.org/soap/envelope/", "Body") },
			"signedinfo": func(n Node) bool { return n.Is("http://www.w3.org/2000/09/xmldsig#", "SignedInfo") },
		} {
			want, err := os.ReadFile(filepath.Join(dir, "vectors", number+"."+part+".c14n"))
			if err != nil {
				t.Fatal(err)
			}
			for n := range doc.Root().Descendants() {
				if is(n) {
					if got := doc.Canonical(nil, n, C14N{Kind: Exclusive}); string(got) != string(want) {
						t.Errorf("%s %s\ngot  %q\nwant %q", number, part, got, want)
					}
				}
			}
		}
	}
}
