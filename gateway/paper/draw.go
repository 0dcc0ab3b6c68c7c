package paper

import (
	"fmt"

	"github.com/boombuler/barcode/qr"

	"kopir/mappings"
)

const (
	leading = 1.28  // line height by type size
	point   = 0.353 // mm
	gutter  = 6.0   // between the columns of two languages, mm
	inset   = 1.5   // of a frame
)

// line is the height of a line of some size, mm.
func line(size float64) float64 { return size * point * leading }

// head prints once for all languages, which stand beside each other.
func (p *press) head(blocks []mappings.Block) {
	for _, b := range blocks {
		p.block(b, p.languages)
	}
}

// foot is the head's other end. It is not torn by the end of a page.
func (p *press) foot(blocks []mappings.Block) {
	height := 0.0
	for _, b := range blocks {
		height += p.height(b, p.languages)
	}
	p.keep(height)
	p.head(blocks)
}

// keep begins a new page where the rest of this one is too short.
func (p *press) keep(height float64) {
	_, page := p.pdf.GetPageSize()
	bottom := page - float64(p.d.Paper.Page.Bottom)
	if p.pdf.GetY()+height > bottom && height < bottom-float64(p.d.Paper.Page.Top) {
		p.pdf.AddPage()
	}
}

// column is one language of a block: where, and which words.
type column struct {
	x, w float64
	text string
}

// columns lay the words of a block out; none: there is nothing to print.
func (p *press) columns(b mappings.Block, languages []string) []column {
	left, width := float64(p.d.Paper.Page.Left), p.width
	if b.Put == "verify" {
		left, width = left+p.code(b)+4, width-p.code(b)-4
	}
	text := p.d.Outcome.Fill(b.Text, p.printed)
	each := (width - gutter*float64(len(languages)-1)) / float64(len(languages))
	var all []column
	empty := true
	for i, l := range languages {
		c := column{x: left + float64(i)*(each+gutter), w: each, text: printable(text.In(l))}
		empty = empty && c.text == ""
		all = append(all, c)
	}
	if empty {
		return nil
	}
	if len(all) == 2 && all[0].text == all[1].text { // a name that is the same in both languages stands once
		return []column{{x: left, w: width, text: all[0].text}}
	}
	return all
}

func (p *press) size(b mappings.Block) float64 {
	if b.Size == 0 || b.Put == "verify" || b.Put == "gap" {
		return float64(p.d.Paper.Page.Size)
	}
	return float64(b.Size)
}

// wordSize is the type of words beside a code.
const wordSize = 8

// code is the side of the QR code of a block, mm.
func (p *press) code(b mappings.Block) float64 {
	if b.Size == 0 {
		return 28
	}
	return float64(b.Size)
}

func (p *press) style(b mappings.Block) (size float64) {
	size = p.size(b)
	if b.Put == "verify" {
		size = wordSize
	}
	style := ""
	if b.Bold {
		style = "B"
	}
	p.pdf.SetFont(family, style, size)
	return size
}

// height is what a block takes, mm.
func (p *press) height(b mappings.Block, languages []string) float64 {
	size := p.style(b)
	switch b.Put {
	case "gap":
		return float64(max(b.Size, 1))
	case "rule":
		return 3
	}
	tallest := 0.0
	for _, c := range p.columns(b, languages) {
		tallest = max(tallest, float64(len(p.pdf.SplitText(c.text, c.w-2*p.pdf.GetCellMargin())))*line(size))
	}
	if b.Frame {
		tallest += 2 * inset
	}
	if b.Put == "verify" && p.d.Address != "" {
		tallest = max(tallest, p.code(b))
	}
	return tallest + 1
}

func (p *press) block(b mappings.Block, languages []string) {
	switch b.Put {
	case "gap":
		p.pdf.Ln(p.height(b, languages))
	case "rule":
		y := p.pdf.GetY() + 1.2
		p.pdf.SetLineWidth(0.3)
		p.pdf.Line(float64(p.d.Paper.Page.Left), y, float64(p.d.Paper.Page.Left)+p.width, y)
		p.pdf.Ln(3)
	case "words", "verify":
		p.words(b, languages)
	case "body":
		p.body(b, languages[0])
	case "values":
		p.values(b, languages[0])
	}
}

var alignment = map[string]string{"": "L", "left": "L", "center": "C", "right": "R", "justify": "J"}

// words prints a block's own words, one column a language.
func (p *press) words(b mappings.Block, languages []string) {
	if b.Put == "verify" && p.d.Address == "" {
		return
	}
	columns := p.columns(b, languages)
	if len(columns) == 0 {
		return
	}
	height := p.height(b, languages)
	p.keep(height)
	top := p.pdf.GetY()
	if b.Frame {
		p.pdf.SetLineWidth(0.2)
		p.pdf.Rect(float64(p.d.Paper.Page.Left), top, p.width, height-1, "D")
	}
	if b.Put == "verify" {
		p.qr(float64(p.d.Paper.Page.Left), top, p.code(b))
	}
	size := p.style(b)
	for _, c := range columns {
		y := top
		if b.Frame {
			y += inset
		}
		p.pdf.SetXY(c.x, y)
		p.pdf.MultiCell(c.w, line(size), c.text, "", alignment[b.Align], false)
	}
	p.pdf.SetXY(float64(p.d.Paper.Page.Left), top+height)
}

// body prints the paragraphs of the signed document.
func (p *press) body(b mappings.Block, language string) {
	size := p.style(b)
	for _, t := range p.d.Outcome.Text {
		p.pdf.MultiCell(p.width, line(size), printable(t.In(language)), "", alignment[b.Align], false)
		p.pdf.Ln(line(size) * 0.35)
	}
}

// values prints what the official added: the name on the left, the value beside.
func (p *press) values(b mappings.Block, language string) {
	size := p.style(b)
	left := float64(p.d.Paper.Page.Left)
	name := p.width * 0.38
	for _, v := range p.d.Outcome.Values {
		label, value := printable(v.Label.In(language))+":", printable(v.Value)
		lines := max(len(p.pdf.SplitText(label, name-2*p.pdf.GetCellMargin())), len(p.pdf.SplitText(value, p.width-name-2*p.pdf.GetCellMargin())))
		p.keep(float64(lines) * line(size))
		top := p.pdf.GetY()
		p.pdf.MultiCell(name, line(size), label, "", "L", false)
		bottom := p.pdf.GetY()
		p.pdf.SetXY(left+name, top)
		p.pdf.SetFont(family, "B", size)
		p.pdf.MultiCell(p.width-name, line(size), value, "", "L", false)
		p.pdf.SetFont(family, "", size)
		p.pdf.SetXY(left, max(bottom, p.pdf.GetY()))
	}
}

// qr draws the code of the address as rectangles, one for each run of dark
// modules: sharp at any size, and no picture that a reader could smooth.
func (p *press) qr(x, y, side float64) {
	code, err := qr.Encode(p.d.Address, qr.M, qr.Auto)
	if err != nil {
		p.pdf.SetError(fmt.Errorf("paper: the verification address does not fit a QR code: %w", err))
		return
	}
	n := code.Bounds().Dx()
	module := side / float64(n)
	dark := func(i, j int) bool {
		r, _, _, _ := code.At(i, j).RGBA()
		return i < n && r == 0
	}
	p.pdf.SetFillColor(0, 0, 0)
	for j := range n {
		for i := 0; i < n; i++ {
			run := 0
			for i+run < n && dark(i+run, j) {
				run++
			}
			if run > 0 {
				p.pdf.Rect(x+float64(i)*module, y+float64(j)*module, float64(run)*module, module, "F")
				i += run
			}
		}
	}
}
