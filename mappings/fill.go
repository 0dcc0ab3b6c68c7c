package mappings

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"kopir/signature/xmltree"
)

// Form is a form filled in: values by field name (in groups
// GROUP.NUMBER.FIELD) and enclosed documents. Document writes it.
type Form struct {
	Values map[string]string
	Files  []Attachment
}

// Filling says how a form is filled in. The same filling gives the same form.
type Filling struct {
	Channel string
	At      time.Time // of receipt: "not in the future" is judged by it
	// Seed picks among codes, numbers and what is optional; 0 fills in what is
	// required and nothing more.
	Seed uint64
	// Whole fills in everything, required or not.
	Whole bool
	// Known are values that are given. What the channel does not have is passed over.
	Known map[string]string
}

// filler fills in one form.
type filler struct {
	s    *Service
	how  Filling
	pick *rand.Rand
	form Form
	iins int // how many people have a number already
}

// Fill makes a form that the service accepts, from its description alone: by
// types, bounds, patterns, code lists, rules, groups, enclosures and cross
// rules. People in it bear test names. An error means that a known value is
// wrong, or that no form can be made by this description.
func (s *Service) Fill(how Filling) (Form, error) {
	if _, ok := s.Channel(how.Channel); !ok {
		return Form{}, fmt.Errorf("mappings: %s has no channel %q", s.ID, how.Channel)
	}
	h := fnv.New64a()
	h.Write([]byte(s.ID + "/" + how.Channel))
	f := &filler{s: s, how: how, pick: rand.New(rand.NewPCG(how.Seed, h.Sum64())), form: Form{Values: map[string]string{}}}
	for name, v := range how.Known {
		if f.has(name) {
			f.form.Values[name] = v
		}
	}
	f.fields("", s.Request.Fields)
	for i := range s.Request.Groups {
		f.group(&s.Request.Groups[i])
	}
	for i := range s.Request.Attachments {
		if a := &s.Request.Attachments[i]; a.In(how.Channel) && (!a.Optional || f.wanted()) {
			f.form.Files = append(f.form.Files, SampleAttachment(a))
		}
	}
	for _, name := range s.Request.Cross {
		if mend := crossSamples[name].mend; mend != nil {
			mend(f)
		}
	}
	doc, err := s.Document(how.Channel, f.form.Values, f.form.Files)
	if err != nil {
		return Form{}, err
	}
	tree, err := xmltree.Parse(doc, xmltree.DefaultLimits())
	if err != nil {
		return Form{}, fmt.Errorf("mappings: the form of %s does not read: %w", s.ID, err)
	}
	if got := s.Read(tree.Root(), how.Channel, how.At); len(got.Faults) > 0 {
		x := got.Faults[0]
		return Form{}, fmt.Errorf("mappings: no form of %s for %s: %s breaks %s", s.ID, how.Channel, x.Path, x.Rule)
	}
	return f.form, nil
}

// has says whether the channel has a value of this name.
func (f *filler) has(name string) bool {
	if strings.Contains(name, ".") {
		return f.s.groupValue(f.how.Channel, name) == nil
	}
	field, ok := f.s.Field(name)
	return ok && field.In(f.how.Channel)
}

// wanted decides about something optional.
func (f *filler) wanted() bool {
	return f.how.Whole || f.how.Seed != 0 && f.pick.IntN(2) == 0
}

// fields fills in a list of fields; prefix is GROUP.NUMBER. in a group.
func (f *filler) fields(prefix string, list []Field) {
	for i := range list {
		field := &list[i]
		name := prefix + field.Name
		if !field.In(f.how.Channel) || f.form.Values[name] != "" || field.Optional && !f.wanted() {
			continue
		}
		f.form.Values[name] = f.sample(prefix, field)
	}
	for i := range list { // a number tells the day of birth beside it
		whose, ok := strings.CutSuffix(list[i].Name, "iin")
		birth, date := prefix+whose+"birth_date", dateOfIIN(f.form.Values[prefix+list[i].Name])
		if _, given := f.how.Known[birth]; ok && !given && list[i].Type == "iin" && date != "" && f.form.Values[birth] != "" {
			f.form.Values[birth] = date
		}
	}
}

func (f *filler) group(g *Group) {
	if !g.In(f.how.Channel) {
		return
	}
	n := g.MinCount
	if f.wanted() {
		n = min(g.MaxCount, max(n, 1)+f.pick.IntN(2))
	}
	for name := range f.how.Known { // what is known of a repetition asks for it
		parts := strings.Split(name, ".")
		if no, err := strconv.Atoi(parts[min(1, len(parts)-1)]); err == nil && len(parts) == 3 && parts[0] == g.Name {
			n = max(n, no)
		}
	}
	for no := range n {
		f.fields(g.Name+"."+strconv.Itoa(no+1)+".", g.Fields)
	}
}

// sample is a value that the field takes.
func (f *filler) sample(prefix string, field *Field) string {
	row, ok := typeSamples[field.Type]
	if !ok {
		return ""
	}
	return row.good(f, field)
}

// between picks a whole number from min to max.
func (f *filler) between(lo, hi int64) int64 {
	if f.how.Seed == 0 || hi <= lo {
		return lo
	}
	return lo + f.pick.Int64N(min(hi-lo+1, 1000))
}

// word is the text for a field, as long as the field allows.
func (f *filler) word(field *Field) string {
	key := "sample." + field.Name
	if _, ok := f.s.texts.byKey[key]; !ok {
		key = "sample.text"
		if slices.Contains(field.Rules, "person-name") {
			key = "sample.person"
		}
	}
	text := []rune(f.s.texts.Get(Russian, key))
	for field.MinLen > len(text) {
		text = append(text, text[0])
	}
	if field.MaxLen > 0 && len(text) > field.MaxLen {
		text = text[:field.MaxLen]
	}
	return strings.TrimSpace(string(text))
}

// day picks a day of the field's bounds.
func (f *filler) day(field *Field) string {
	lo, hi := time.Date(1961, 1, 1, 0, 0, 0, 0, time.UTC), f.how.At.UTC().Truncate(24*time.Hour).AddDate(0, -1, 0)
	if d, err := ParseDate(field.Min); err == nil && d.time().After(lo) {
		lo = d.time()
	}
	if d, err := ParseDate(field.Max); err == nil && (d.time().Before(hi) || lo.After(hi)) {
		hi = d.time()
	}
	days := int(hi.Sub(lo) / (24 * time.Hour))
	if days <= 0 {
		return lo.Format(time.DateOnly)
	}
	return lo.AddDate(0, 0, f.pick.IntN(days+1)).Format(time.DateOnly)
}

func (d Date) time() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// iin makes a number for somebody new: born on some day before 2000, with the
// digit that fits.
func (f *filler) iin() string {
	f.iins++
	born := time.Date(1960+f.pick.IntN(40), time.Month(1+f.pick.IntN(12)), 1+f.pick.IntN(28), 0, 0, 0, 0, time.UTC)
	for n := f.iins; ; n++ { // about one number in 121 has no digit that fits
		head := born.Format("060102") + strconv.Itoa(3+n%2) + fmt.Sprintf("%04d", n)
		if number, ok := withCheckDigit(head); ok {
			return number
		}
	}
}

// bin makes the number of an organisation.
func (f *filler) bin() string {
	for n := 1 + f.pick.IntN(900); ; n++ {
		if number, ok := withCheckDigit(fmt.Sprintf("16014000%03d", n)); ok {
			return number
		}
	}
}

func withCheckDigit(head string) (string, bool) {
	for d := range 10 {
		if number := head + strconv.Itoa(d); CheckDigit(number) {
			return number, true
		}
	}
	return "", false
}

// dateOfIIN is the day of birth that a number tells; empty where it tells none.
func dateOfIIN(iin string) string {
	if len(iin) != 12 || iin[6] < '1' || iin[6] > '6' {
		return ""
	}
	date := strconv.Itoa(18+int(iin[6]-'1')/2) + iin[:2] + "-" + iin[2:4] + "-" + iin[4:6]
	if _, err := ParseDate(date); err != nil {
		return ""
	}
	return date
}

// code picks from the field's list; without a seed the first one.
func (f *filler) code(field *Field) string {
	list, ok := f.s.CodeList(field.Codes)
	if !ok || len(list.Codes) == 0 {
		return ""
	}
	i := 0
	if f.how.Seed != 0 {
		i = f.pick.IntN(len(list.Codes))
	}
	return list.Codes[i].Value
}

// wholeNumber is one within the bounds.
func (f *filler) wholeNumber(field *Field) string {
	lo, hi := int64(1), int64(99)
	if n, err := strconv.ParseInt(field.Min, 10, 64); err == nil {
		lo, hi = n, max(hi, n)
	}
	if n, err := strconv.ParseInt(field.Max, 10, 64); err == nil {
		lo, hi = min(lo, n), n
	}
	return strconv.FormatInt(f.between(lo, hi), 10)
}

// sum is a decimal within the bounds: between them, or near the one there is.
func (f *filler) sum(field *Field) string {
	lo, hasLo := new(big.Rat).SetString(field.Min)
	hi, hasHi := new(big.Rat).SetString(field.Max)
	switch n := big.NewRat(f.between(100, 99999), 4); {
	case hasLo && n.Cmp(lo) < 0:
		return field.Min
	case hasHi && n.Cmp(hi) > 0:
		return field.Max
	default:
		return n.FloatString(2)
	}
}

// SampleAttachment is a small real document of the first type that the kind
// takes.
func SampleAttachment(kind *AttachmentKind) Attachment {
	return AttachmentOf(kind, SampleFile(kind.Types[0], 0))
}

// AttachmentOf encloses some content as a kind.
func AttachmentOf(kind *AttachmentKind, content []byte) Attachment {
	media := mediaOf(content)
	sum := sha256.Sum256(content)
	_, ending, _ := strings.Cut(media, "/")
	return Attachment{Kind: kind.Name, Name: kind.Name + "." + ending, Type: media, SHA256: hex.EncodeToString(sum[:]), Content: content}
}

// Clone copies a form, so that it can be broken.
func (f Form) Clone() Form {
	return Form{Values: maps.Clone(f.Values), Files: slices.Clone(f.Files)}
}
