package sim

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"crypto/rsa"
	"crypto/sha256"

	"github.com/beevik/etree"
	"github.com/goccy/go-yaml"
	dsig "github.com/russellhaering/goxmldsig"

	"kopir/signature"
	"kopir/signature/sigtest"
)

//go:embed testdata/forms/*.yaml
var formFiles embed.FS

// form is what portal and service centre know about one service: the document
// they send, and where the answers say what.
type form struct {
	Service   string        `yaml:"service"`
	ServiceID string        `yaml:"service_id"`
	Root      string        `yaml:"root"`
	Elements  []formElement `yaml:"elements"`
	// Attachment is the element that holds one enclosed document.
	Attachment string `yaml:"attachment"`
	// Notices says by channel and meaning at which path of an answer it stands.
	Notices map[string]map[string]string `yaml:"notices"`
}

type formElement struct {
	Path     string   `yaml:"path"`
	Value    string   `yaml:"value"`
	Channels []string `yaml:"channels"`
}

var forms = sync.OnceValues(func() (map[string]form, error) {
	files, err := fs.Glob(formFiles, "testdata/forms/*.yaml")
	if err != nil {
		return nil, err
	}
	all := map[string]form{}
	for _, file := range files {
		src, err := formFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var f form
		if err := yaml.UnmarshalWithOptions(src, &f, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("sim: %s: %w", path.Base(file), err)
		}
		all[f.Service] = f
	}
	return all, nil
})

var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

// fill puts values into a text; false when the text has names and all are empty.
func fill(text string, values map[string]string) (string, bool) {
	names, filled := 0, 0
	out := placeholder.ReplaceAllStringFunc(text, func(name string) string {
		v := values[strings.Trim(name, "{}")]
		names++
		if v != "" {
			filled++
		}
		return v
	})
	return out, names == 0 || filled > 0
}

// build writes the document of an application, not yet signed.
func (f form) build(channel string, values map[string]string, t Tweaks) ([]byte, error) {
	doc := newDocument()
	root := doc.CreateElement(f.Root)
	for _, e := range f.Elements {
		if len(e.Channels) > 0 && !slices.Contains(e.Channels, channel) || slices.Contains(t.Drop, e.Path) {
			continue
		}
		value, ok := fill(e.Value, values)
		if set, given := t.Set[e.Path]; given {
			value, ok = set, true
		}
		if ok {
			reach(root, e.Path).SetText(value)
		}
	}
	for p, value := range t.Set {
		if !slices.ContainsFunc(f.Elements, func(e formElement) bool { return e.Path == p }) {
			reach(root, p).SetText(value)
		}
	}
	if t.AttachmentKB > 0 {
		if f.Attachment == "" {
			return nil, fmt.Errorf("the form of %s has no attachment", f.Service)
		}
		attach(root, f.Attachment, pdf(t.AttachmentKB<<10))
	}
	return doc.WriteToBytes()
}

// newDocument is an empty document with an XML declaration that is written
// so that what is signed survives (line ends and tabs as references).
func newDocument() *etree.Document {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	return doc
}

// reach gives the element at a path of local names, making what is missing.
func reach(e *etree.Element, p string) *etree.Element {
	for _, name := range strings.Split(p, "/") {
		next := e.SelectElement(name)
		if next == nil {
			next = e.CreateElement(name)
		}
		e = next
	}
	return e
}

func attach(root *etree.Element, p string, content []byte) {
	parent := root
	if dir := path.Dir(p); dir != "." {
		parent = reach(root, dir)
	}
	e := parent.CreateElement(path.Base(p))
	sum := sha256.Sum256(content)
	e.CreateElement("name").SetText("document.pdf")
	e.CreateElement("type").SetText("application/pdf")
	e.CreateElement("sha256").SetText(hex.EncodeToString(sum[:]))
	e.CreateElement("content").SetText(base64.StdEncoding.EncodeToString(content))
}

// pdf is a readable empty page, filled up with comments to a size.
func pdf(size int) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	offsets := []int{}
	for i, object := range []string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"} {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj%sendobj\n", i+1, object)
	}
	for b.Len() < size-200 {
		b.WriteString("%" + strings.Repeat("-", min(78, max(0, size-202-b.Len()))) + "\n")
	}
	start := b.Len()
	b.WriteString("xref\n0 4\n0000000000 65535 f \n")
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", start)
	return b.Bytes()
}

// signEnveloped puts an enveloped signature into a document, as its last
// element: whole document, inclusive canonical form, certificate in X509Data.
// Signing a signed document adds a second signature. goxmldsig signs with RSA;
// it knows no national algorithm, so with those the bridge's own signer does,
// whose documents OpenSSL's gost engine and Bouncy Castle check in its tests.
func signEnveloped(document []byte, by *sigtest.Credential) ([]byte, error) {
	if _, isRSA := by.Signer.Public().(*rsa.PublicKey); !isRSA {
		key, err := by.Key()
		if err != nil {
			return nil, err
		}
		return signature.SignEnveloped(document, key, signature.SignOptions{})
	}
	doc := newDocument()
	doc.Child = nil // the declaration comes from the document
	if err := doc.ReadFromBytes(document); err != nil {
		return nil, fmt.Errorf("not an XML document: %w", err)
	}
	root := doc.Root()
	if root == nil {
		return nil, fmt.Errorf("not an XML document: no root element")
	}
	ctx, err := dsig.NewSigningContext(by.Signer, [][]byte{by.DER})
	if err != nil {
		return nil, err
	}
	ctx.Canonicalizer = dsig.MakeC14N10RecCanonicalizer()
	ctx.IdAttribute = "\x00" // no attribute: the whole document is meant, URI=""
	signed, err := ctx.SignEnveloped(root)
	if err != nil {
		return nil, fmt.Errorf("goxmldsig: %w", err)
	}
	doc.SetRoot(signed)
	return doc.WriteToBytes()
}

// tampered changes one character of the first text of a signed document that
// stands outside its signature.
func tampered(document []byte) []byte {
	doc := newDocument()
	doc.Child = nil
	if doc.ReadFromBytes(document) != nil || doc.Root() == nil {
		return document
	}
	if e := firstText(doc.Root()); e != nil {
		e.SetText(e.Text() + "1")
	}
	out, err := doc.WriteToBytes()
	if err != nil {
		return document
	}
	return out
}

func firstText(e *etree.Element) *etree.Element {
	if e.Tag == "Signature" {
		return nil
	}
	children := e.ChildElements()
	if len(children) == 0 && strings.TrimSpace(e.Text()) != "" {
		return e
	}
	// The last fields first: the number of a person is what other tweaks change.
	for _, child := range slices.Backward(children) {
		if found := firstText(child); found != nil {
			return found
		}
	}
	return nil
}
