package mappings

import (
	"fmt"
	"slices"
	"strings"
)

// Paper is what a kind of result document says and how it is printed
// (shared/paper-NAME.yaml): data for gateway/paper, which draws it. A folder of
// the akimat replaces a file of the same name.
type Paper struct {
	ID   string `yaml:"paper,required"`
	Name Text   `yaml:"name,required"`
	// Text are the paragraphs of the signed document.
	Text []Text `yaml:"text,required"`
	// Languages are printed in this order: kk, ru.
	Languages []string `yaml:"languages,required"`
	Page      Page     `yaml:"page,required"`
	// Head and Foot are printed once, the languages beside each other; Section
	// once for each language, over the whole width.
	Head    []Block `yaml:"head"`
	Section []Block `yaml:"section,required"`
	Foot    []Block `yaml:"foot"`
}

// Page is an A4 page; lengths in millimetres, type in points.
type Page struct {
	Top    int `yaml:"top,required"`
	Right  int `yaml:"right,required"`
	Bottom int `yaml:"bottom,required"`
	Left   int `yaml:"left,required"`
	Size   int `yaml:"size,required"` // of the type, where a block has none
}

// Block is one thing on the page.
type Block struct {
	// Put is words, body (the paragraphs of the document), values (what the
	// official added), rule, gap or verify (the QR code with words beside it).
	Put   string `yaml:"put,required"`
	Text  Text   `yaml:"text"`
	Size  int    `yaml:"size"` // points; of a gap and a code, millimetres
	Bold  bool   `yaml:"bold"`
	Align string `yaml:"align"` // left, center, right, justify
	Frame bool   `yaml:"frame"`
}

// blockKinds is the whole list, and which of them take words.
var blockKinds = []struct {
	name  string
	words bool
}{{"words", true}, {"body", false}, {"values", false}, {"rule", false}, {"gap", false}, {"verify", true}}

// printedHoles are the placeholders that only the printed page knows: who
// signed, when, and where it can be verified.
var printedHoles = []string{"signer", "organization", "serial", "signed_at", "valid_to", "address", "sha256"}

// Paper finds the paper of a result.
func (s *Service) Paper(r Result) (*Paper, bool) {
	name := r.Paper
	if name == "" {
		name = "notice"
		if r.State == Refused {
			name = "refusal"
		}
	}
	p, ok := s.papers[name]
	return p, ok
}

func readPapers(files []source) (map[string]*Paper, []Fault) {
	all := map[string]*Paper{}
	var faults []Fault
	for _, f := range sharedFiles(files, "paper-*") {
		p := new(Paper)
		places, found := decode(f.shown, f.data, p)
		if len(found) == 0 {
			k := paperChecker{file: f.shown, places: places}
			k.check(p, strings.TrimSuffix(strings.TrimPrefix(f.name, "shared/paper-"), ".yaml"))
			found = k.faults
		}
		faults = append(faults, found...)
		all[p.ID] = p
	}
	return all, faults
}

// paperChecker collects the faults of one paper.
type paperChecker struct {
	file   string
	places map[string]place
	faults []Fault
}

func (k *paperChecker) fault(where, code string, args ...any) {
	at, ok := k.places[where]
	for p := where; !ok && p != ""; at, ok = k.places[p] {
		p = p[:max(0, strings.LastIndexAny(p, ".["))]
	}
	at.line, at.column = max(1, at.line), max(1, at.column)
	k.faults = append(k.faults, Fault{File: k.file, Line: at.line, Column: at.column, Code: code, Path: where, args: args})
}

func (k *paperChecker) oneOf(where, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.fault(where, "not-one-of", "value", value, "allowed", strings.Join(allowed, ", "))
	}
}

func (k *paperChecker) check(p *Paper, name string) {
	if p.ID != name {
		k.fault("paper", "file-name", "value", p.ID, "want", name)
	}
	k.text("name", p.Name)
	for i, t := range p.Text {
		k.text(fmt.Sprintf("text[%d]", i), t, "says")
	}
	seen := map[string]bool{}
	for i, l := range p.Languages {
		at := fmt.Sprintf("languages[%d]", i)
		k.oneOf(at, l, Kazakh, Russian)
		if seen[l] {
			k.fault(at, "repeated", "what", "language", "value", l)
		}
		seen[l] = true
	}
	for _, m := range []struct {
		key        string
		value      int
		least, top int
	}{{"top", p.Page.Top, 5, 100}, {"right", p.Page.Right, 5, 80}, {"bottom", p.Page.Bottom, 5, 100}, {"left", p.Page.Left, 5, 80}, {"size", p.Page.Size, 6, 24}} {
		k.within("page."+m.key, m.value, m.least, m.top)
	}
	for _, part := range []struct {
		key  string
		list []Block
	}{{"head", p.Head}, {"section", p.Section}, {"foot", p.Foot}} {
		for i, b := range part.list {
			k.block(fmt.Sprintf("%s[%d]", part.key, i), b)
		}
	}
}

func (k *paperChecker) block(at string, b Block) {
	var names []string
	words := false
	for _, kind := range blockKinds {
		names = append(names, kind.name)
		words = words || kind.words && kind.name == b.Put
	}
	k.oneOf(at+".put", b.Put, names...)
	switch {
	case words:
		k.text(at+".text", b.Text, printedHoles...)
	case !b.Text.IsZero():
		k.fault(at+".text", "words-and-block", "value", b.Put)
	}
	if b.Align != "" {
		k.oneOf(at+".align", b.Align, "left", "center", "right", "justify")
	}
	if b.Size != 0 {
		k.within(at+".size", b.Size, 1, 60)
	}
}

func (k *paperChecker) within(where string, v, least, top int) {
	if v < least || v > top {
		k.fault(where, "out-of-range", "value", v, "min", least, "max", top)
	}
}

// text checks both languages and the placeholders.
func (k *paperChecker) text(where string, t Text, more ...string) {
	if code, names := differ(t); code != "" {
		k.fault(where, code, "names", names)
		return
	}
	known := append(outcomeHoleNames(), more...)
	for _, hole := range placeholders(t.Ru) {
		if !slices.Contains(known, hole) {
			k.fault(where, "unknown-placeholder", "value", hole, "known", strings.Join(known, ", "))
		}
	}
}

// resultPaper checks what a result says of its paper.
func (k *checker) resultPaper(at string, r Result) {
	if _, ok := k.s.Paper(r); !ok {
		k.fault(at+".paper", "unknown-name", "what", "paper", "value", r.Paper)
	}
	for _, hole := range placeholders(r.Says.Ru) {
		if _, ok := outcomeHoles[hole]; !ok {
			k.fault(at+".says", "unknown-placeholder", "value", hole, "known", strings.Join(outcomeHoleNames(), ", "))
		}
	}
	names, fields := map[string]bool{}, r.fields()
	for i := range fields {
		where := fmt.Sprintf("%s.asks[%d]", at, i)
		k.name(where+".name", fields[i].Name)
		k.repeated(names, where+".name", "name", fields[i].Name)
		k.fieldRules(where, &fields[i])
	}
}

// foreign checks the shapes in which the akimat's own system makes results.
func (k *checker) foreign() {
	roots := map[string]bool{}
	for i, f := range k.s.Foreign {
		at := fmt.Sprintf("foreign_results[%d]", i)
		k.repeated(roots, at+".root", "root", "{"+f.Root.NS+"}"+f.Root.Name)
		for key, path := range map[string]string{".number": f.Number, ".applicant": f.Applicant, ".result": f.Result} {
			if path != "" {
				k.path(at+key, path, Data{Namespaces: f.Namespaces})
			}
		}
	}
}

func outcomeHoleNames() (names []string) {
	for name := range outcomeHoles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
