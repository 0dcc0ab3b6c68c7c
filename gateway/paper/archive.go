package paper

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// about is what an archive file says of itself.
type about struct {
	title, language string
	at              time.Time
	files           []attached // in the order of their names
}

// attached is a file inside, and what it is to the pages: Source, Supplement
// (ISO 19005-3, annex E).
type attached struct {
	File
	is string
}

// archive makes a PDF/A-3b file of the pages that the library wrote. The
// library's own description and catalog, its last two objects, are replaced by
// ours; what comes after them is new:
//
//	XMP metadata               ISO 19005-3, 6.6.2
//	catalog                    with OutputIntents (6.2.3), AF and the names of embedded files
//	embedded files, their Filespecs  6.8 and annex E: AFRelationship
//	colour profile             6.2.3
//	trailer with ID            6.1.3
func archive(pages []byte, a about) ([]byte, error) {
	start, offsets, err := crossReferences(pages)
	if err != nil {
		return nil, err
	}
	n := len(offsets) // objects 1 to n; the last are the description and the catalog
	if n < 4 || !bytes.HasPrefix(pages[offsets[n-1]:start], fmt.Appendf(nil, "%d 0 obj\n<<\n/Type /Catalog", n)) || !bytes.Contains(pages[offsets[n-2]:offsets[n-1]], []byte("/CreationDate")) {
		return nil, fmt.Errorf("paper: the library writes its last objects otherwise than it did")
	}
	out := bytes.NewBuffer(append([]byte(nil), pages[:offsets[n-2]]...))
	copy(out.Bytes(), "%PDF-1.7")
	offsets = offsets[:n-2]
	object := func(body string, stream []byte) {
		offsets = append(offsets, out.Len())
		fmt.Fprintf(out, "%d 0 obj\n", len(offsets))
		if stream == nil {
			fmt.Fprintf(out, "<<%s>>\nendobj\n", body)
			return
		}
		fmt.Fprintf(out, "<<%s/Length %d>>\nstream\n", body, len(stream))
		out.Write(stream)
		out.WriteString("\nendstream\nendobj\n")
	}
	xmp, catalog := n-1, n
	embedded := func(i int) int { return n + 1 + 2*i } // and its Filespec behind it
	profile := embedded(len(a.files))
	if xmp != len(offsets)+1 {
		return nil, fmt.Errorf("paper: the objects are not counted right")
	}
	object("/Type/Metadata/Subtype/XML", metadata(a))
	names, af := "", ""
	for i, f := range a.files {
		names += fmt.Sprintf("%s %d 0 R ", text(f.Name), embedded(i)+1)
		af += fmt.Sprintf("%d 0 R ", embedded(i)+1)
	}
	if len(a.files) > 0 {
		names, af = "/Names<</EmbeddedFiles<</Names["+names+"]>>>>", "/AF["+af+"]"
	}
	object(fmt.Sprintf("/Type/Catalog/Pages 1 0 R/Metadata %d 0 R/Lang(%s)/ViewerPreferences<</DisplayDocTitle true>>"+
		"/OutputIntents[<</Type/OutputIntent/S/GTS_PDFA1/OutputConditionIdentifier(sRGB IEC61966-2.1)/Info(sRGB IEC61966-2.1)/DestOutputProfile %d 0 R>>]%s%s",
		xmp, a.language, profile, af, names), nil)
	for i, f := range a.files {
		packed, err := deflate(f.Content)
		if err != nil {
			return nil, err
		}
		object(fmt.Sprintf("/Type/EmbeddedFile/Subtype/%s/Params<</ModDate(%s)/Size %d>>/Filter/FlateDecode", name(f.MediaType), pdfDate(a.at), len(f.Content)), packed)
		if len(offsets) != embedded(i) {
			return nil, fmt.Errorf("paper: the objects are not counted right")
		}
		object(fmt.Sprintf("/Type/Filespec/F%s/UF%s/AFRelationship/%s/Desc%s/EF<</F %d 0 R/UF %d 0 R>>",
			text(f.Name), text(f.Name), f.is, text(a.title), embedded(i), embedded(i)), nil)
	}
	icc, err := deflate(sRGB())
	if err != nil {
		return nil, err
	}
	object("/N 3/Filter/FlateDecode", icc)
	sum := sha256.Sum256(out.Bytes())
	id := hex.EncodeToString(sum[:16])
	table := out.Len()
	fmt.Fprintf(out, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, at := range offsets {
		fmt.Fprintf(out, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(out, "trailer\n<</Size %d/Root %d 0 R/ID[<%s><%s>]>>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, catalog, id, id, table)
	return out.Bytes(), nil
}

// crossReferences reads the table of a file that has one (ISO 32000-1, 7.5.4).
func crossReferences(pdf []byte) (start int, offsets []int, err error) {
	bad := fmt.Errorf("paper: the library wrote no cross-reference table")
	i := bytes.LastIndex(pdf, []byte("startxref\n"))
	if i < 0 {
		return 0, nil, bad
	}
	digits, _, _ := strings.Cut(string(pdf[i+len("startxref\n"):]), "\n")
	if start, err = strconv.Atoi(digits); err != nil || start <= 0 || start >= i {
		return 0, nil, bad
	}
	lines := strings.Split(string(pdf[start:i]), "\n")
	if len(lines) < 3 || lines[0] != "xref" {
		return 0, nil, bad
	}
	count, err := strconv.Atoi(strings.TrimPrefix(lines[1], "0 "))
	if err != nil || len(lines) < count+2 {
		return 0, nil, bad
	}
	last := 0
	for k, l := range lines[3 : count+2] {
		at, err := strconv.Atoi(strings.TrimSuffix(l, " 00000 n "))
		if err != nil || at <= 0 || at >= start || !bytes.HasPrefix(pdf[at:], fmt.Appendf(nil, "%d 0 obj", k+1)) {
			return 0, nil, bad
		}
		offsets = append(offsets, at)
		last = max(last, at)
	}
	if len(offsets) < 2 || offsets[len(offsets)-1] != last || offsets[len(offsets)-2] >= last {
		return 0, nil, bad
	}
	return start, offsets, nil
}

func deflate(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("paper: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("paper: %w", err)
	}
	return out.Bytes(), nil
}

// text writes a text string: UTF-16 with its mark, in hexadecimal, so that
// nothing in it needs an escape (7.9.2.2).
func text(s string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	return b.String() + ">"
}

// name escapes what a name may not hold (7.3.5).
func name(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "#%02X", c)
		}
	}
	return b.String()
}

func pdfDate(t time.Time) string { return t.UTC().Format("D:20060102150405Z") }

// metadata is the description in XMP: who it is by, when it was made, and that
// it is part 3, level B.
func metadata(a about) []byte {
	var title strings.Builder
	xml.EscapeText(&title, []byte(a.title)) // a Builder takes everything
	at := a.at.UTC().Format("2006-01-02T15:04:05Z")
	return []byte("<?xpacket begin=\"\uFEFF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" +
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>` +
		`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:format>application/pdf</dc:format><dc:title><rdf:Alt><rdf:li xml:lang="x-default">` + title.String() + `</rdf:li></rdf:Alt></dc:title></rdf:Description>` +
		`<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreateDate>` + at + `</xmp:CreateDate><xmp:ModifyDate>` + at + `</xmp:ModifyDate><xmp:CreatorTool>Kopir</xmp:CreatorTool></rdf:Description>` +
		`<rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"><pdf:Producer>Kopir, fpdf</pdf:Producer></rdf:Description>` +
		"</rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>")
}
