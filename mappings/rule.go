package mappings

import (
	"cmp"
	"fmt"
	"math/big"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// fieldType is how the characters of an element become a value, and what they
// must be for that. A type is one row of fieldTypes; the rule it breaks has
// its texts in shared/texts-rule.yaml.
type fieldType struct {
	name    string
	ordered bool // min and max make sense
	// read gives the value for the column, or the rule that is broken.
	read func(f *compiled, text string) (value any, broken string)
}

// fieldTypes is the whole list. Values are string, IIN, Date, int64 or bool.
var fieldTypes = []fieldType{
	{"string", false, readString},
	{"iin", false, readIIN},
	{"bin", false, readBIN},
	{"date", true, readDate},
	{"datetime", false, readDateTime},
	{"code", false, readCode},
	{"int", true, readInt},
	{"decimal", true, readDecimal},
	{"email", false, readEmail},
	{"phone", false, readPhone},
	{"bool", false, readBool},
}

// namedRule is what no key says about one field. at is the time of receipt.
type namedRule struct {
	name string
	kind string // the type that it is for
	ok   func(value any, at time.Time) bool
}

var namedRules = []namedRule{
	{"not-in-future", "date", func(v any, at time.Time) bool {
		d, ok := v.(Date)
		return ok && compare(d, dateOf(at)) <= 0
	}},
	{"is-true", "bool", func(v any, _ time.Time) bool { return v == true }},
	{"person-name", "string", func(v any, _ time.Time) bool {
		s, ok := v.(string)
		return ok && !strings.ContainsFunc(s, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) && !strings.ContainsRune(" -'’.", r)
		})
	}},
}

// crossRule is what no key says about several fields; broken names the field
// at fault, or is empty.
type crossRule struct {
	name  string
	needs []string // fields without which the rule makes no sense
	check func(r *Row) (broken string)
}

var crossRules = []crossRule{
	// The result can go by e-mail only to an address.
	{"email-for-delivery", []string{"delivery", "email"}, func(r *Row) string {
		if r.Text("delivery") == "email" && r.Text("email") == "" {
			return "email"
		}
		return ""
	}},
	// An operator or specialist who applies for himself does so as anyone does.
	{"operator-is-not-applicant", []string{"applicant_iin", "operator_iin"}, func(r *Row) string {
		if op, ok := r.Get("operator_iin"); ok {
			if applicant, _ := r.Get("applicant_iin"); op == applicant {
				return "operator_iin"
			}
		}
		return ""
	}},
	// Data of a power of attorney belong to a representative, and only those of
	// a notarised one are entered: another cannot be found in the notaries' register.
	{"power-of-attorney", []string{"representative_iin", "poa_notarised", "poa_number", "poa_date"}, func(r *Row) string {
		_, represented := r.Get("representative_iin")
		notarised, told := r.Get("poa_notarised")
		if represented != told {
			return "poa_notarised"
		}
		for _, name := range []string{"poa_number", "poa_date"} {
			if _, given := r.Get(name); given != (notarised == true) {
				return name
			}
		}
		return ""
	}},
	{"representative-is-not-applicant", []string{"applicant_iin", "representative_iin"}, func(r *Row) string {
		if who, ok := r.Get("representative_iin"); ok {
			if applicant, _ := r.Get("applicant_iin"); who == applicant {
				return "representative_iin"
			}
		}
		return ""
	}},
}

func fieldTypeByName(name string) (fieldType, bool) {
	i := slices.IndexFunc(fieldTypes, func(t fieldType) bool { return t.name == name })
	if i < 0 {
		return fieldType{}, false
	}
	return fieldTypes[i], true
}

func namedRuleByName(name string) (namedRule, bool) {
	i := slices.IndexFunc(namedRules, func(r namedRule) bool { return r.name == name })
	if i < 0 {
		return namedRule{}, false
	}
	return namedRules[i], true
}

func crossRuleByName(name string) (crossRule, bool) {
	i := slices.IndexFunc(crossRules, func(r crossRule) bool { return r.name == name })
	if i < 0 {
		return crossRule{}, false
	}
	return crossRules[i], true
}

func fieldTypeNames() (names []string) {
	for _, t := range fieldTypes {
		names = append(names, t.name)
	}
	return names
}

func namedRuleNames() (names []string) {
	for _, r := range namedRules {
		names = append(names, r.name)
	}
	return names
}

func crossRuleNames() (names []string) {
	for _, r := range crossRules {
		names = append(names, r.name)
	}
	return names
}

// ruleNames are the rules that no table above names: what reading itself can find.
var ruleNames = []string{
	"residence", "other-office", "required", "repeated", "has-elements", "unknown-channel", "unknown-root", "unknown-kind", "unknown-application", "not-now", "unknown-code",
	"too-short", "too-long", "pattern", "characters", "min", "max",
	"attachment-too-big", "attachment-type", "attachment-digest", "attachment-base64", "attachment-name", "attachment-count", "attachment-empty", "group-count", "unknown-value", "unknown-element",
}

// remarkNames are things worth telling that are never a ground for refusal.
var remarkNames = []string{"check-digit", "birth-date"}

// RuleNames lists every rule that a fault or a remark can name; each has a
// text "rule.NAME".
func RuleNames() []string {
	return slices.Concat(fieldTypeNames(), namedRuleNames(), crossRuleNames(), ruleNames, remarkNames)
}

func readString(f *compiled, text string) (any, string) {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }) {
		return nil, "characters"
	}
	switch n := utf8.RuneCountInString(text); {
	case f.MinLen > 0 && n < f.MinLen:
		return nil, "too-short"
	case f.MaxLen > 0 && n > f.MaxLen:
		return nil, "too-long"
	case f.pattern != nil && !f.pattern.MatchString(text):
		return nil, "pattern"
	}
	return text, ""
}

// IIN is a person's identification number. Its String method masks, so that
// no log line shows it by accident; string(iin) is the whole number.
type IIN string

// String shows the first six digits only.
func (i IIN) String() string {
	if len(i) != 12 {
		return "******"
	}
	return string(i[:6]) + "******"
}

func twelveDigits(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range 12 {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// CheckDigit says whether the last digit of an IIN or BIN fits the others:
// the sum of the digits with the weights 1 to 11, modulo 11; if that is 10,
// again with the weights 3 to 11, 1, 2. A number whose second sum is 10 too is
// never issued. Numbers that do not fit are in use, so never refuse on it.
func CheckDigit(number string) bool {
	if !twelveDigits(number) {
		return false
	}
	for shift := range 2 {
		sum := 0
		for i := range 11 {
			sum += int(number[i]-'0') * ((i+2*shift)%11 + 1)
		}
		if sum %= 11; sum != 10 {
			return sum == int(number[11]-'0')
		}
	}
	return false
}

func readIIN(_ *compiled, text string) (any, string) {
	if !twelveDigits(text) {
		return nil, "iin"
	}
	return IIN(text), ""
}

func readBIN(_ *compiled, text string) (any, string) {
	if !twelveDigits(text) {
		return nil, "bin"
	}
	return text, ""
}

// readDate reads an xs:date; a time zone after it says nothing about a day.
func readDate(_ *compiled, text string) (any, string) {
	if len(text) < 10 {
		return nil, "date"
	}
	switch zone := text[10:]; {
	case zone == "" || zone == "Z":
	case len(zone) == 6 && (zone[0] == '+' || zone[0] == '-'):
		if _, err := time.Parse("15:04", zone[1:]); err != nil {
			return nil, "date"
		}
	default:
		return nil, "date"
	}
	d, err := ParseDate(text[:10])
	if err != nil || d.Year < 1000 {
		return nil, "date"
	}
	return d, ""
}

// countryZone is the time of a datetime without a zone: that which the country keeps
// at its date.
var countryZone = sync.OnceValue(func() *time.Location {
	zone, err := time.LoadLocation("Asia/Almaty")
	if err != nil {
		return time.FixedZone("", 5*60*60)
	}
	return zone
})

// readDateTime reads an xs:dateTime and gives it with its zone, in whole seconds.
func readDateTime(_ *compiled, text string) (any, string) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, countryZone()); err == nil && t.Year() >= 1000 {
			return t.Format(time.RFC3339), ""
		}
	}
	return nil, "datetime"
}

func readCode(f *compiled, text string) (any, string) {
	_, ok := f.codes[text]
	if f.live != nil {
		ok = f.live.has(text)
	}
	if !ok {
		if f.Codes == CodesOfOffices {
			return nil, "residence" // no office of the provider serves it
		}
		return nil, "code"
	}
	return text, ""
}

func readInt(_ *compiled, text string) (any, string) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, "int"
	}
	return n, ""
}

var decimalPattern = regexp.MustCompile(`^[+-]?[0-9]{1,15}(?:\.[0-9]{1,6})?$`)

// Decimal is a decimal number as it was written, without a plus sign: money
// must not go through binary fractions.
type Decimal string

func readDecimal(_ *compiled, text string) (any, string) {
	if !decimalPattern.MatchString(text) {
		return nil, "decimal"
	}
	return Decimal(strings.TrimPrefix(text, "+")), ""
}

func readEmail(_ *compiled, text string) (any, string) {
	if len(text) > 254 || !strings.Contains(text[strings.LastIndexByte(text, '@')+1:], ".") {
		return nil, "email"
	}
	if plainEmail(text) {
		return text, ""
	}
	if a, err := mail.ParseAddress(text); err != nil || a.Address != text {
		return nil, "email"
	}
	return text, ""
}

// plainEmail knows the addresses of letters, digits and single dots and hyphens, which
// are nearly all, without the library's parser: it takes longer than all other fields together.
func plainEmail(text string) bool {
	last, at := byte('.'), 0
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
		case c != '.' && c != '-' && c != '@' || last == '.' || last == '-' || last == '@':
			return false
		case c == '@':
			at++
		}
		last = text[i]
	}
	return at == 1 && last != '.' && last != '-' && last != '@'
}

var phoneMarks = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "")

// readPhone gives +, country code and number; the domestic 8 becomes +7.
func readPhone(_ *compiled, text string) (any, string) {
	digits := phoneMarks.Replace(text)
	plus := strings.HasPrefix(digits, "+")
	digits = strings.TrimPrefix(digits, "+")
	if strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return nil, "phone"
	}
	switch {
	case plus && len(digits) >= 8 && len(digits) <= 15:
	case !plus && len(digits) == 11 && (digits[0] == '8' || digits[0] == '7'):
		digits = "7" + digits[1:]
	case !plus && len(digits) == 10 && digits[0] == '7':
		digits = "7" + digits
	default:
		return nil, "phone"
	}
	return "+" + digits, ""
}

func readBool(_ *compiled, text string) (any, string) {
	switch text {
	case "true", "1":
		return true, ""
	case "false", "0":
		return false, ""
	}
	return nil, "bool"
}

// compare orders two values of one ordered type.
func compare(a, b any) int {
	switch x := a.(type) {
	case Date:
		y := b.(Date)
		return cmp.Or(cmp.Compare(x.Year, y.Year), cmp.Compare(x.Month, y.Month), cmp.Compare(x.Day, y.Day))
	case int64:
		return cmp.Compare(x, b.(int64))
	case Decimal:
		return compareDecimal(string(x), string(b.(Decimal)))
	}
	panic(fmt.Sprintf("mappings: %T has no order", a))
}

// compareDecimal compares without binary fractions; 15 digits before the point
// and 6 behind it fit no int64, so big.Rat does.
func compareDecimal(a, b string) int {
	x, _ := new(big.Rat).SetString(a)
	y, _ := new(big.Rat).SetString(b)
	return x.Cmp(y)
}
