package mappings

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Fault is one thing wrong in a YAML file, at the place where it stands.
type Fault struct {
	File   string
	Line   int // from 1; 0 when the fault belongs to the whole file
	Column int // from 1, in characters
	Code   string
	Path   string // where in the description, such as request.fields[2].type
	args   []any
}

// Message says what is wrong, Remedy what to do; both come from
// shared/texts-fault.yaml.
func (f Fault) Message(lang string) string {
	return f.sentence(lang, "")
}

// Remedy says what to do about it.
func (f Fault) Remedy(lang string) string {
	return f.sentence(lang, "-remedy")
}

func (f Fault) sentence(lang, suffix string) string {
	return faultTexts().Get(lang, "fault."+f.Code+suffix, append(slices.Clone(f.args), "path", f.Path)...)
}

// In is the whole line for people: file:line:column: sentence; remedy.
func (f Fault) In(lang string) string {
	return fmt.Sprintf("%s:%d:%d: %s. %s.", f.File, f.Line, f.Column, f.Message(lang), f.Remedy(lang))
}

// Error makes a Fault usable as an error, in English.
func (f Fault) Error() string { return f.In(English) }

// sortFaults orders by file, line, column, so that the list reads like the file.
func sortFaults(faults []Fault) {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// faultTexts are the embedded sentences: a broken folder of an akimat must
// still be told what is broken.
var faultTexts = sync.OnceValue(func() *Texts {
	texts, _ := loadTexts([]layer{{fsys: builtin}})
	return texts
})
