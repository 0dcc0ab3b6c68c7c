package signer

import (
	"slices"
	"strings"

	"kopir/signature/nuc"
)

// certificate is what is told of one, under the names of the interface.
type certificate struct {
	Valid        bool          `json:"valid"`
	Revocations  []statusEntry `json:"revocations"`
	NotBefore    moment        `json:"notBefore"`
	NotAfter     moment        `json:"notAfter"`
	KeyUsage     string        `json:"keyUsage"`     // SIGN, AUTH or UNKNOWN
	SerialNumber string        `json:"serialNumber"` // hexadecimal
	SignAlg      string        `json:"signAlg"`
	KeyUser      []string      `json:"keyUser"`
	PublicKey    []byte        `json:"publicKey"` // SubjectPublicKeyInfo
	Signature    []byte        `json:"signature"`
	Subject      person        `json:"subject"`
	Issuer       person        `json:"issuer"`

	judged judgement
}

// person is a distinguished name. Fields that it does not have are left out.
type person struct {
	CommonName   string `json:"commonName,omitempty"`
	LastName     string `json:"lastName,omitempty"` // the patronymic, which the profile keeps in GIVENNAME
	SurName      string `json:"surName,omitempty"`
	Email        string `json:"email,omitempty"`
	Organization string `json:"organization,omitempty"`
	Gender       string `json:"gender,omitempty"`
	IIN          string `json:"iin,omitempty"`
	BIN          string `json:"bin,omitempty"`
	Country      string `json:"country,omitempty"`
	Locality     string `json:"locality,omitempty"`
	State        string `json:"state,omitempty"`
	DN           string `json:"dn"`
}

// describe tells what a certificate says; valid and revocations are not judged.
func describe(c *nuc.Certificate) certificate {
	out := certificate{
		Revocations: []statusEntry{}, NotBefore: moment(c.NotBefore), NotAfter: moment(c.NotAfter),
		KeyUsage: "UNKNOWN", SerialNumber: c.SerialHex(), SignAlg: algorithmName(c.Algorithm.OID), KeyUser: keyUsers(c),
		PublicKey: c.RawSPKI, Signature: c.SignatureValue, Subject: personOf(c.SubjectName), Issuer: personOf(c.IssuerName),
	}
	switch c.Usage() {
	case nuc.UsageSign, nuc.UsageBoth: // a certificate for both may sign
		out.KeyUsage = "SIGN"
	case nuc.UsageAuth:
		out.KeyUsage = "AUTH"
	}
	if s := c.Subject; s.IIN != "" {
		out.Subject.IIN = s.IIN
		out.Subject.Gender = genderOf(s.IIN)
	}
	out.Subject.BIN = c.Subject.BIN
	return out
}

// genderOf reads the seventh digit of an IIN: century and sex of birth. Zero
// stands for foreigners, whose sex it does not tell.
func genderOf(iin string) string {
	switch {
	case len(iin) != 12 || iin[6] == '0' || iin[6] > '6':
		return "NONE"
	case (iin[6]-'0')%2 == 1:
		return "MALE"
	default:
		return "FEMALE"
	}
}

// algorithmNames are those that NCANode's library prints.
var algorithmNames = map[string]string{
	"1.2.840.113549.1.1.5":   "SHA1WithRSAEncryption",
	"1.2.840.113549.1.1.11":  "SHA256WithRSAEncryption",
	"1.2.840.113549.1.1.12":  "SHA384WithRSAEncryption",
	"1.2.840.113549.1.1.13":  "SHA512WithRSAEncryption",
	"1.2.398.3.10.1.1.1.2":   "ECGOST34310",
	"1.2.398.3.10.1.1.2.3.1": "ECGOST3410-2015-256",
	"1.2.398.3.10.1.1.2.3.2": "ECGOST3410-2015-512",
}

// algorithmName falls back on the identifier.
func algorithmName(oid string) string {
	if name, ok := algorithmNames[oid]; ok {
		return name
	}
	return oid
}

// users are the words for the purposes of the national profile.
var users = map[string]string{
	"1.2.398.3.3.4.1.1":   "INDIVIDUAL",
	"1.2.398.3.3.4.1.2":   "ORGANIZATION",
	"1.2.398.3.3.4.1.2.1": "CEO",
	"1.2.398.3.3.4.1.2.2": "CAN_SIGN",
	"1.2.398.3.3.4.1.2.3": "CAN_SIGN_FINANCIAL",
	"1.2.398.3.3.4.1.2.4": "HR",
	"1.2.398.3.3.4.1.2.5": "EMPLOYEE",
	"1.2.398.3.3.4.2":     "NCA_PRIVILEGES",
	"1.2.398.3.3.4.2.1":   "NCA_ADMIN",
	"1.2.398.3.3.4.2.2":   "NCA_MANAGER",
	"1.2.398.3.3.4.2.3":   "NCA_OPERATOR",
	"1.2.398.3.3.4.3":     "IDENTIFICATION",
	"1.2.398.3.3.4.3.1":   "IDENTIFICATION_CON",
	"1.2.398.3.3.4.3.2":   "IDENTIFICATION_REMOTE",
	"1.2.398.3.3.4.3.2.1": "IDENTIFICATION_REMOTE_DIGITAL_ID",
}

func keyUsers(c *nuc.Certificate) []string {
	out := []string{}
	for _, oid := range c.ExtKeyUsage {
		if word, ok := users[oid]; ok && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// nameTypes are the attributes with a field of their own, and the keywords of
// dn.
var nameTypes = map[string]struct {
	keyword string
	field   func(*person) *string
}{
	"2.5.4.3":                    {"CN", func(p *person) *string { return &p.CommonName }},
	"2.5.4.4":                    {"SURNAME", func(p *person) *string { return &p.SurName }},
	"2.5.4.5":                    {"SERIALNUMBER", nil},
	"2.5.4.6":                    {"C", func(p *person) *string { return &p.Country }},
	"2.5.4.7":                    {"L", func(p *person) *string { return &p.Locality }},
	"2.5.4.8":                    {"ST", func(p *person) *string { return &p.State }},
	"2.5.4.9":                    {"STREET", nil},
	"2.5.4.10":                   {"O", func(p *person) *string { return &p.Organization }},
	"2.5.4.11":                   {"OU", nil},
	"2.5.4.12":                   {"T", nil},
	"2.5.4.42":                   {"GIVENNAME", func(p *person) *string { return &p.LastName }},
	"1.2.840.113549.1.9.1":       {"EMAILADDRESS", func(p *person) *string { return &p.Email }},
	"0.9.2342.19200300.100.1.1":  {"UID", nil},
	"0.9.2342.19200300.100.1.25": {"DC", nil},
}

// personOf takes a name apart. Of an attribute that stands twice the field has
// the first; dn has both.
func personOf(n nuc.Name) person {
	var p person
	var parts []string
	for _, rdn := range slices.Backward(n) {
		var values []string
		for _, a := range rdn {
			keyword := "OID." + a.Type
			if t, ok := nameTypes[a.Type]; ok {
				keyword = t.keyword
			}
			values = append(values, keyword+"="+quoted(a.Value))
		}
		parts = append(parts, strings.Join(values, "+"))
	}
	p.DN = strings.Join(parts, ", ")
	for oid, t := range nameTypes {
		if v := n.Values(oid); t.field != nil && len(v) > 0 {
			*t.field(&p) = v[0]
		}
	}
	return p
}

// quoted writes a value as RFC 1779 and Java do: in quotation marks if it
// holds something that separates.
func quoted(s string) string {
	if s == strings.TrimSpace(s) && !strings.ContainsAny(s, ",+=\n<>#;\\\"") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
