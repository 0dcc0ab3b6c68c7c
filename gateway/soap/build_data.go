package soap

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
	"kopir/signature/xmltree"
)

// rawToken lets etree write bytes that it has not parsed: a nested document
// may be signed, so it must not be written anew.
type rawToken struct {
	*etree.CharData
	xml []byte
}

// WriteTo implements etree.Token.
func (r rawToken) WriteTo(w etree.Writer, _ *etree.WriteSettings) {
	w.Write(r.xml) // the writers are buffers in memory
}

// escapes is Canonical XML's rule for text (1.0, section 2.3).
var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")

func addRaw(e *etree.Element, xml []byte) {
	e.AddChild(rawToken{CharData: etree.NewText(""), xml: xml})
}

// writeData writes the data element in the form asked for.
func writeData(parent *etree.Element, d Data, path string) error {
	if d.Form == NoData {
		return &Error{Code: CodeMissing, Path: path, Detail: "a business document is needed; use Empty to send none"}
	}
	name := "data"
	if d.Space != "" {
		name = "d:data"
	}
	e := parent.CreateElement(name)
	if d.Space != "" {
		e.CreateAttr("xmlns:d", d.Space)
	}
	switch d.Form {
	case Escaped, CDATA:
		setType(e, TypeName{Space: Schema, Prefix: "xs", Local: "string"})
	default:
		setType(e, d.Type)
	}
	switch d.Form {
	case Empty:
		return nil
	case Escaped, Untyped, CDATA:
		text := string(d.Text)
		if err := checkCharacters(text, path); err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			return &Error{Code: CodeData, Path: path, Detail: "the document is empty; use Empty to send none"}
		}
		if d.Form == CDATA {
			addRaw(e, []byte("<![CDATA["+strings.ReplaceAll(text, "]]>", "]]]]><![CDATA[>")+"]]>"))
			return nil
		}
		// Long texts are escaped here: it is several times as fast.
		addRaw(e, []byte(escapes.Replace(text)))
		return nil
	case Nested:
		if err := checkFragment(d.XML, path); err != nil {
			return err
		}
		addRaw(e, d.XML)
		return nil
	default:
		return &Error{Code: CodeData, Path: path, Detail: "unknown form"}
	}
}

func setType(e *etree.Element, t TypeName) {
	if t.IsZero() {
		return
	}
	prefix := t.Prefix
	switch {
	case t.Space == Schema:
		prefix = "xs"
	case t.Space == "":
		prefix = ""
	case prefix == "" || prefix == "xs" || prefix == "xsi" || prefix == "d":
		prefix = "t"
	}
	name := t.Local
	if prefix != "" {
		e.CreateAttr("xmlns:"+prefix, t.Space)
		name = prefix + ":" + t.Local
	}
	e.CreateAttr("xmlns:xsi", Instance)
	e.CreateAttr("xsi:type", name)
}

// checkFragment makes sure that nested elements are well-formed by themselves:
// they hold at least one element, no text between, and every prefix they use.
func checkFragment(xml []byte, path string) error {
	doc, err := xmltree.Parse(slices.Concat([]byte("<data>"), xml, []byte("</data>")), xmltree.DefaultLimits())
	if err != nil {
		return &Error{Code: CodeData, Path: path, Detail: "nested elements: " + err.Error()}
	}
	elements := 0
	for child := range doc.Root().Children() {
		switch child.Kind() {
		case xmltree.KindElement:
			elements++
		case xmltree.KindText:
			if !child.IsBlank() {
				return &Error{Code: CodeData, Path: path, Detail: "text beside nested elements"}
			}
		}
	}
	if elements == 0 {
		return &Error{Code: CodeData, Path: path, Detail: "no nested element"}
	}
	return nil
}
