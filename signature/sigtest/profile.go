package sigtest

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"time"
)

// Kind says whose certificate it is. The zero value is refused.
type Kind int

const (
	Person     Kind = iota + 1 // an individual: IIN
	Head                       // first head of a legal entity: IIN and BIN
	Signatory                  // employee with the right to sign
	Employee                   // employee: officials of an akimat, operators of a service centre
	System                     // information system of a legal entity: BIN and UID, no IIN
	Responder                  // OCSP responder
	Timestamps                 // time-stamping authority
)

// Usage says what the certificate is for. The zero value is Sign.
type Usage int

const (
	Sign Usage = iota // digitalSignature + nonRepudiation, e-mail protection
	Auth              // digitalSignature + keyEncipherment, client authentication
	Both              // as the single certificates since 2022
)

// Profile is what a certificate is asked to say.
type Profile struct {
	Kind  Kind
	Usage Usage

	IIN, BIN                       string // 12 digits; written as given, so that wrong ones can be issued too
	Surname, GivenName, Patronymic string // as people write them; the certificate has capitals
	CommonName                     string // of a system; people's is made of surname and given name
	Organization                   string // legal entities only; empty: the name of the test organisation
	Email                          string // optional
	UID                            string // of a system; empty: 1.2.398.6.10.1.1
	Roles                          []asn1.ObjectIdentifier

	NotBefore, NotAfter time.Time // zero: the authority's day, and 365 days later

	Key        crypto.Signer // zero: the authority takes the next one of its own algorithm
	RawSubject []byte        // DER of a Name that replaces everything above, for tests of odd subjects
}

var (
	oidCN         = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSurname    = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidSerial     = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidCountry    = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidOrg        = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidUnit       = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidGivenName  = asn1.ObjectIdentifier{2, 5, 4, 42}
	oidEmail      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	oidUID        = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	defaultSystem = "1.2.398.6.10.1.1"
)

// attribute is one relative distinguished name with its string type.
type attribute struct {
	oid   asn1.ObjectIdentifier
	tag   int
	value string
}

func utf8(oid asn1.ObjectIdentifier, value string) attribute {
	return attribute{oid, asn1.TagUTF8String, value}
}

func printable(oid asn1.ObjectIdentifier, value string) attribute {
	return attribute{oid, asn1.TagPrintableString, value}
}

// name encodes the attributes that have a value, in their order.
func name(attributes ...attribute) ([]byte, error) {
	var seq pkix.RDNSequence
	for _, a := range attributes {
		if a.value == "" {
			continue
		}
		seq = append(seq, pkix.RelativeDistinguishedNameSET{{
			Type:  a.oid,
			Value: asn1.RawValue{Tag: a.tag, Bytes: []byte(a.value)},
		}})
	}
	return asn1.Marshal(seq)
}

// prefixed writes IIN and BIN as the national profile does.
func prefixed(prefix, digits string) string {
	if digits == "" {
		return ""
	}
	return prefix + digits
}

// subject gives the Name in the order of attributes of the national profile.
// The organization given stands where the profile names none.
func (p Profile) subject(organization string) ([]byte, error) {
	if p.RawSubject != nil {
		return p.RawSubject, nil
	}
	if p.Organization != "" {
		organization = p.Organization
	}
	upper := strings.ToUpper
	cn := strings.TrimSpace(upper(p.Surname + " " + p.GivenName))
	switch p.Kind {
	case Person:
		return name(utf8(oidCN, cn), utf8(oidSurname, upper(p.Surname)), printable(oidSerial, prefixed("IIN", p.IIN)),
			printable(oidCountry, "KZ"), utf8(oidGivenName, upper(p.Patronymic)),
			attribute{oidEmail, asn1.TagIA5String, p.Email})
	case Head, Signatory, Employee:
		return name(utf8(oidCN, cn), utf8(oidSurname, upper(p.Surname)), printable(oidSerial, prefixed("IIN", p.IIN)),
			printable(oidCountry, "KZ"), utf8(oidOrg, organization), utf8(oidUnit, prefixed("BIN", p.BIN)),
			utf8(oidGivenName, upper(p.Patronymic)), attribute{oidEmail, asn1.TagIA5String, p.Email})
	case System:
		uid := p.UID
		if uid == "" {
			uid = defaultSystem
		}
		return name(utf8(oidUID, uid), utf8(oidCN, p.CommonName), printable(oidCountry, "KZ"),
			utf8(oidOrg, organization), utf8(oidUnit, prefixed("BIN", p.BIN)))
	case Responder, Timestamps:
		return name(printable(oidCountry, "KZ"), utf8(oidUnit, prefixed("BIN", p.BIN)), utf8(oidCN, p.CommonName),
			printable(oidSerial, prefixed("IIN", p.IIN)), utf8(oidOrg, organization))
	}
	return nil, fmt.Errorf("sigtest: a profile needs a kind, got %d", p.Kind)
}
