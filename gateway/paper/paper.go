// Package paper prints a result document for people: one A4 document in Kazakh
// and Russian, with the signed electronic document inside it and a QR code to
// the address where it is verified.
//
// Rules it keeps. What is printed is what was signed (mappings.Outcome) and
// what is known of the signature, laid out as shared/paper-*.yaml says; the
// package has no words of its own. The same Document gives the same bytes. The
// file can be kept: PDF/A-3b (ISO 19005-3) with every font in it, its colours
// defined, its description in XMP, and the signed document as an associated
// file. A character that the fonts lack is printed as a replacement, never
// left out.
//
// Documents it follows: ISO 19005-3:2012 (PDF/A-3), ISO 32000-1:2008 (PDF 1.7;
// sections in the comments), ICC.1:2001-04 (the colour profile), ISO/IEC 18004 (QR code).
// The library draws the pages (draw.go); archive.go makes the archive file of them.
package paper

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"kopir/mappings"
)

// Document is everything that a page can say.
type Document struct {
	Paper     *mappings.Paper
	Languages []string // kk, ru; empty: as the paper says
	Outcome   *mappings.Outcome

	// Of the signature; times in the zone in which they are printed.
	Signer, Organization, Serial string
	SignedAt, ValidTo            time.Time

	Address string // where the document is verified; empty: no code is printed
	File    File   // the signed electronic document
	Beside  *File  // the signature, where it is not in the document
}

// File goes into the printed document.
type File struct {
	Name      string
	MediaType string
	Content   []byte
	SHA256    string // hexadecimal
}

// Print gives the file.
func Print(d Document) ([]byte, error) {
	if d.Paper == nil || d.Outcome == nil {
		return nil, fmt.Errorf("paper: nothing to print")
	}
	languages := d.Languages
	if len(languages) == 0 {
		languages = d.Paper.Languages
	}
	for _, l := range languages {
		if l != mappings.Kazakh && l != mappings.Russian {
			return nil, fmt.Errorf("paper: results are printed in %s and %s, not %q", mappings.Kazakh, mappings.Russian, l)
		}
	}
	p, err := newPress(&d, languages)
	if err != nil {
		return nil, err
	}
	p.head(d.Paper.Head)
	for _, l := range languages {
		for _, b := range d.Paper.Section {
			p.block(b, []string{l})
		}
	}
	p.foot(d.Paper.Foot)
	var pages bytes.Buffer
	if err := p.pdf.Output(&pages); err != nil {
		return nil, fmt.Errorf("paper: %w", err)
	}
	return archive(pages.Bytes(), about{
		title: p.title(), language: languages[0], at: d.SignedAt, files: d.files(),
	})
}

// files are those that go inside.
func (d *Document) files() []attached {
	var all []attached
	if d.File.Content != nil {
		all = append(all, attached{d.File, "Source"}) // the pages show what it says
	}
	if d.Beside != nil {
		all = append(all, attached{*d.Beside, "Supplement"})
	}
	slices.SortFunc(all, func(a, b attached) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// press draws one document.
type press struct {
	d         *Document
	pdf       *fpdf.Fpdf
	languages []string
	printed   map[string]mappings.Text // what only the page knows
	width     float64                  // of the text, mm
}

const family = "ptserif"

func newPress(d *Document, languages []string) (*press, error) {
	page := d.Paper.Page
	f := fpdf.New("P", "mm", "A4", "")
	f.SetCatalogSort(true)
	f.SetCreationDate(d.SignedAt.UTC())
	f.SetModificationDate(d.SignedAt.UTC())
	f.AddUTF8FontFromBytes(family, "", regular)
	f.AddUTF8FontFromBytes(family, "B", bold)
	f.SetMargins(float64(page.Left), float64(page.Top), float64(page.Right))
	f.SetAutoPageBreak(true, float64(page.Bottom))
	p := &press{d: d, pdf: f, languages: languages}
	number := printable(d.Outcome.Number)
	f.SetFooterFunc(func() {
		f.SetY(-float64(page.Bottom) + 3)
		f.SetFont(family, "", 7)
		f.CellFormat(0, 4, fmt.Sprintf("%s · %d", number, f.PageNo()), "", 0, "C", false, 0, "")
	})
	f.AddPage()
	w, _ := f.GetPageSize()
	p.width = w - float64(page.Left+page.Right)
	if p.width < 60 {
		return nil, fmt.Errorf("paper: the margins of %s leave %.0f mm for the text", d.Paper.ID, p.width)
	}
	same := func(s string) mappings.Text { return mappings.Text{Ru: s, Kk: s} }
	when := func(t time.Time, form string) mappings.Text {
		if t.IsZero() {
			return mappings.Text{}
		}
		return same(t.Format(form))
	}
	p.printed = map[string]mappings.Text{
		"signer": same(d.Signer), "organization": same(d.Organization), "serial": same(d.Serial),
		"signed_at": when(d.SignedAt, "02.01.2006 15:04"), "valid_to": when(d.ValidTo, "02.01.2006"),
		"address": same(d.Address), "sha256": same(grouped(d.File.SHA256)),
	}
	return p, f.Error()
}

// title is what the file calls itself: the name of the result, in the languages.
func (p *press) title() string {
	var names []string
	for _, l := range p.languages {
		names = append(names, p.d.Outcome.Name.In(l))
	}
	return strings.Join(slices.Compact(names), " / ") + ", " + p.d.Outcome.Number
}

// grouped writes a digest so that people can compare it.
func grouped(s string) string {
	var out []string
	for c := range slices.Chunk([]byte(s), 8) {
		out = append(out, string(c))
	}
	return strings.Join(out, " ")
}
