package gateway

import (
	"slices"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// party is whom a certificate is about.
func party(c *nuc.Certificate) Party {
	if c == nil {
		return Party{}
	}
	s := c.Subject
	name := s.CN
	if s.Patronymic != "" {
		name += " " + s.Patronymic
	}
	return Party{IIN: IIN(s.IIN), BIN: BIN(s.BIN), Name: name, Department: s.Organization}
}

// identify compares who signed with who must have: the number in the request
// and the number in the certificate are the same ("condition 2"). By the channel
// the request's number is that of the applicant, of the service centre's
// operator or of the provider's specialist; the mapping names the field. Who
// signs in the office works for the provider. It gives the signer that fits.
func (b *Bridge) identify(s *mappings.Service, ch Channel, row *mappings.Row, v *signature.Verdict) (Party, verdict.Reason) {
	field, ok := s.Field(s.SignerField(string(ch)))
	if !ok {
		return Party{}, verdict.GenericReason
	}
	want := row.Text(field.Name)
	reason := verdict.IINMismatch
	if field.Type == "bin" {
		reason = verdict.BINMismatch
	}
	if want == "" {
		return Party{}, reason
	}
	for _, one := range v.Signatures {
		p := party(one.Certificate)
		have := string(p.IIN)
		if field.Type == "bin" {
			have = string(p.BIN)
		}
		if have != want {
			continue
		}
		if ch == Office && !b.official(p) {
			return p, verdict.BINMismatch
		}
		return p, verdict.None
	}
	return Party{}, reason
}

// official says whether somebody works for the provider.
func (b *Bridge) official(p Party) bool {
	return p.BIN != "" && slices.Contains(b.o.Officials, p.BIN)
}
