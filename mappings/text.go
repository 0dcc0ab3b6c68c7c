package mappings

import (
	"fmt"
	"slices"
	"strings"
)

// Languages in which a sentence can be asked for. Kazakh and Russian are the
// languages of the acts and are never missing; English is for engineers.
const (
	Kazakh  = "kk"
	Russian = "ru"
	English = "en"
)

// Text is one sentence in the languages it exists in. It may hold
// placeholders such as {number}; all languages hold the same ones, which Load
// checks.
type Text struct {
	Ru string `yaml:"ru,required" json:"ru"`
	Kk string `yaml:"kk,required" json:"kk"`
	En string `yaml:"en" json:"en,omitempty"`
}

// In gives the sentence in a language; where English is missing, Russian.
func (t Text) In(lang string) string {
	switch {
	case lang == Kazakh:
		return t.Kk
	case lang == English && t.En != "":
		return t.En
	default:
		return t.Ru
	}
}

// IsZero says that there is no sentence in any language.
func (t Text) IsZero() bool { return t == Text{} }

// Fill replaces the placeholders by name, value pairs: Fill("number", n).
// A placeholder without a value stays as it is, so that a missing value is seen.
func (t Text) Fill(pairs ...any) Text {
	if len(pairs) == 0 {
		return t
	}
	r := replacer(pairs)
	return Text{Ru: r.Replace(t.Ru), Kk: r.Replace(t.Kk), En: r.Replace(t.En)}
}

// FillText replaces one placeholder by a text, each language by its own.
func (t Text) FillText(name string, value Text) Text {
	hole := "{" + name + "}"
	return Text{
		Ru: strings.ReplaceAll(t.Ru, hole, value.Ru),
		Kk: strings.ReplaceAll(t.Kk, hole, value.Kk),
		En: strings.ReplaceAll(t.En, hole, value.In(English)),
	}
}

func replacer(pairs []any) *strings.Replacer {
	oldnew := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		oldnew = append(oldnew, fmt.Sprintf("{%v}", pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return strings.NewReplacer(oldnew...)
}

// placeholders lists the names between braces, sorted, each once.
func placeholders(s string) []string {
	var names []string
	for {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			break
		}
		end := strings.IndexByte(s[open:], '}')
		if end < 0 {
			break
		}
		if name := s[open+1 : open+end]; plainName(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
		s = s[open+end+1:]
	}
	slices.Sort(names)
	return names
}

// plainName says whether s is a lower-case name of letters, digits, "_" and "-".
func plainName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r != '_' && r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}

// Texts holds every sentence of shared/texts-*.yaml by key, such as
// "reason.HASH_FAILURE" or "state.received".
type Texts struct {
	byKey map[string]Text
	keys  []string
}

// Get gives the sentence of a key in a language with its placeholders filled
// from name, value pairs. An unknown key gives the key in brackets: loud, and
// never an empty line in front of a citizen.
func (t *Texts) Get(lang, key string, pairs ...any) string {
	return t.Text(key, pairs...).In(lang)
}

// Text gives the sentence of a key in all languages, filled.
func (t *Texts) Text(key string, pairs ...any) Text {
	if t != nil {
		if text, ok := t.byKey[key]; ok {
			return text.Fill(pairs...)
		}
	}
	lost := "[" + key + "]"
	return Text{Ru: lost, Kk: lost, En: lost}
}

// Has says whether a key exists.
func (t *Texts) Has(key string) bool {
	_, ok := t.byKey[key]
	return ok
}

// Keys lists all keys in the order of the files.
func (t *Texts) Keys() []string { return slices.Clone(t.keys) }

// textFile is one shared/texts-*.yaml: a group name and its sentences.
type textFile struct {
	Texts   string      `yaml:"texts,required"`
	Entries []textEntry `yaml:"entries,required"`
}

type textEntry struct {
	Key string `yaml:",key"`
	Ru  string `yaml:"ru,required"`
	Kk  string `yaml:"kk,required"`
	En  string `yaml:"en,required"`
}
