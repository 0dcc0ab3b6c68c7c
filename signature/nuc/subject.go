package nuc

import (
	"strings"

	"kopir/signature/der"
)

// Subject is whom a certificate of the national profile is about. Fields that
// the certificate does not have are empty.
type Subject struct {
	IIN          string // 12 digits, from SERIALNUMBER=IIN…
	BIN          string // 12 digits, from OU=BIN… (SERIALNUMBER=BIN… in old service certificates)
	CN           string // surname and first name; of an information system its name
	Surname      string
	GivenName    string // first name: what CN has beside the surname
	Patronymic   string // the profile keeps it in GIVENNAME (2.5.4.42)
	Organization string
	Email        string
	UID          string // of an information system, an object identifier as text
}

// readSubject takes the subject from its attributes. Two different IINs or
// BINs are a refusal: whichever was taken, someone could mean the other.
func readSubject(v der.Value, n Name) (Subject, error) {
	s := Subject{
		CN: first(n, oidCN), Surname: first(n, oidSurname), Patronymic: first(n, oidGivenName),
		Organization: first(n, oidOrganization), Email: first(n, oidEmail), UID: first(n, oidUID),
	}
	set := func(to *string, text, prefix string) error {
		number, ok := prefixed(text, prefix)
		if !ok {
			return nil
		}
		if *to != "" && *to != number {
			return v.Errorf("two different numbers with the prefix %s", prefix)
		}
		*to = number
		return nil
	}
	for _, text := range n.Values(oidSerialNumber) {
		if err := set(&s.IIN, text, "IIN"); err != nil {
			return Subject{}, err
		}
		if err := set(&s.BIN, text, "BIN"); err != nil {
			return Subject{}, err
		}
	}
	for _, text := range n.Values(oidUnit) {
		if err := set(&s.BIN, text, "BIN"); err != nil {
			return Subject{}, err
		}
	}
	if s.Surname != "" {
		if rest, ok := strings.CutPrefix(s.CN, s.Surname+" "); ok {
			s.GivenName = strings.TrimSpace(rest)
		}
	}
	return s, nil
}

func first(n Name, oid string) string {
	if v := n.Values(oid); len(v) > 0 {
		return v[0]
	}
	return ""
}

// prefixed takes the 12 digits after a prefix. The check digit is not looked
// at: test certificates have wrong ones, and the authority is the one to know.
func prefixed(text, prefix string) (string, bool) {
	digits, ok := strings.CutPrefix(text, prefix)
	if !ok || len(digits) != 12 || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	return digits, true
}
