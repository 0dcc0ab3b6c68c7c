package nuc

import (
	"strings"

	"kopir/signature/der"
)

// Attribute is one type and value of a distinguished name. Type is a dotted
// object identifier; Value is the text, or "#" and hex of the encoding where
// the value is no character string.
type Attribute struct {
	Type  string
	Value string
}

// Name is a distinguished name (X.501): relative names in encoded order, each
// a set of attributes, nearly always of one.
type Name [][]Attribute

// Attribute types that the national profile uses (FACTS: subject attributes).
const (
	oidCN           = "2.5.4.3"
	oidSurname      = "2.5.4.4"
	oidSerialNumber = "2.5.4.5"
	oidCountry      = "2.5.4.6"
	oidLocality     = "2.5.4.7"
	oidState        = "2.5.4.8"
	oidStreet       = "2.5.4.9"
	oidOrganization = "2.5.4.10"
	oidUnit         = "2.5.4.11"
	oidTitle        = "2.5.4.12"
	oidBusiness     = "2.5.4.15"
	oidGivenName    = "2.5.4.42"
	oidEmail        = "1.2.840.113549.1.9.1"
	oidUID          = "0.9.2342.19200300.100.1.1"
	oidDC           = "0.9.2342.19200300.100.1.25"
)

// attributeTypes pairs object identifiers with the keywords that programs
// print for them. The first of a type is the one we print.
var attributeTypes = []struct{ oid, keyword string }{
	{oidCN, "CN"}, {oidSurname, "SURNAME"}, {oidSurname, "SN"}, {oidSerialNumber, "SERIALNUMBER"},
	{oidCountry, "C"}, {oidLocality, "L"}, {oidState, "ST"}, {oidState, "S"}, {oidState, "SP"}, {oidStreet, "STREET"},
	{oidOrganization, "O"}, {oidUnit, "OU"}, {oidTitle, "T"}, {oidTitle, "TITLE"}, {oidBusiness, "BUSINESSCATEGORY"},
	{oidGivenName, "G"}, {oidGivenName, "GN"}, {oidGivenName, "GIVENNAME"},
	{oidEmail, "E"}, {oidEmail, "EMAIL"}, {oidEmail, "EMAILADDRESS"},
	{oidUID, "UID"}, {oidUID, "USERID"}, {oidDC, "DC"},
}

// rfc4514Types are the only keywords that RFC 4514 section 3 lets a reader
// rely on; every other type is written as an object identifier there.
const rfc4514Types = " CN L ST O OU C STREET DC UID "

// maxAttributes bounds a name; real ones have about ten.
const maxAttributes = 64

// ReadName reads an encoded name.
func ReadName(v der.Value) (Name, error) {
	var name Name
	rdns := v.Seq()
	count := 0
	for !rdns.Empty() {
		set, err := rdns.Next("relativeDistinguishedName", der.Set)
		if err != nil {
			return nil, err
		}
		var rdn []Attribute
		members := set.Seq()
		for !members.Empty() {
			if count++; count > maxAttributes {
				return nil, v.Errorf("more than %d attributes in a name", maxAttributes)
			}
			pair, err := members.Next("attribute", der.Sequence)
			if err != nil {
				return nil, err
			}
			a, err := readAttribute(pair)
			if err != nil {
				return nil, err
			}
			rdn = append(rdn, a)
		}
		if len(rdn) == 0 {
			return nil, set.Errorf("a relative name without attributes")
		}
		name = append(name, rdn)
	}
	return name, nil
}

func readAttribute(pair der.Value) (Attribute, error) {
	parts := pair.Seq()
	typ, err := parts.Next("type", der.ObjectID)
	if err != nil {
		return Attribute{}, err
	}
	oid, err := typ.OID()
	if err != nil {
		return Attribute{}, err
	}
	value, err := parts.Any("value of " + oid)
	if err != nil {
		return Attribute{}, err
	}
	if err := parts.End(); err != nil {
		return Attribute{}, err
	}
	text, err := attributeText(value)
	return Attribute{Type: oid, Value: text}, err
}

// attributeText is the text of a value; of one that is no character string, "#"
// and its encoding in hex, as RFC 4514 section 2.4 writes it.
func attributeText(v der.Value) (string, error) {
	switch v.Tag {
	case der.UTF8String, der.PrintableString, der.IA5String, der.NumericString, der.VisibleString,
		der.BMPString, der.UniversalString, der.T61String:
		return v.Text()
	default:
		return hexValue(v.Raw), nil
	}
}

// Values gives the texts of all attributes of a type, in order.
func (n Name) Values(oid string) []string {
	var out []string
	for _, rdn := range n {
		for _, a := range rdn {
			if a.Type == oid {
				out = append(out, a.Value)
			}
		}
	}
	return out
}

// String prints the name for people in encoded order, "C=KZ, CN=…", special
// characters escaped as RFC 4514 asks.
func (n Name) String() string {
	var b strings.Builder
	for i, rdn := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		writeRDN(&b, rdn, false)
	}
	return b.String()
}

// RFC4514 prints the name as X509IssuerName carries it: most specific first,
// no spaces, types without a reliable keyword as object identifiers.
func (n Name) RFC4514() string {
	var b strings.Builder
	for i := len(n) - 1; i >= 0; i-- {
		writeRDN(&b, n[i], true)
		if i > 0 {
			b.WriteByte(',')
		}
	}
	return b.String()
}

func writeRDN(b *strings.Builder, rdn []Attribute, strict bool) {
	for i, a := range rdn {
		if i > 0 {
			b.WriteByte('+')
		}
		word := keyword(a.Type)
		if word == "" || strict && !strings.Contains(rfc4514Types, " "+word+" ") {
			word = a.Type
		}
		b.WriteString(word)
		b.WriteByte('=')
		writeEscaped(b, a.Value, strict)
	}
}

func keyword(oid string) string {
	for _, t := range attributeTypes {
		if t.oid == oid {
			return t.keyword
		}
	}
	return ""
}

// writeEscaped escapes what would end or change a value. For people, quotes
// stay as they are: AO "TEST" reads better than AO \"TEST\", and nothing reads it back.
func writeEscaped(b *strings.Builder, s string, strict bool) {
	for i, r := range s {
		switch {
		case r == 0:
			b.WriteString(`\00`)
			continue
		case strings.ContainsRune(`,+;<>\`, r),
			strict && r == '"',
			strict && i == 0 && (r == ' ' || r == '#'),
			strict && i == len(s)-1 && r == ' ':
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
}
