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
// operator or of the provider's specialist; the mapping names the field, or
// two where the regulation lets either sign. Who signs in the office or for
// the akim works for the provider. It gives the signer that fits.
func (b *Bridge) identify(s *mappings.Service, ch Channel, row *mappings.Row, v *signature.Verdict) (Party, verdict.Reason) {
	reason := verdict.GenericReason
	for i, name := range s.SignerFields(string(ch)) {
		field, ok := s.Field(name)
		if !ok {
			return Party{}, verdict.GenericReason
		}
		who, why := b.signedBy(field, ch, row.Text(name), v)
		if why == verdict.None {
			return who, why
		}
		if i == 0 {
			reason = why // of the one who should have signed
		}
	}
	return Party{}, reason
}

// signedBy finds the signature of the certificate that bears a number.
func (b *Bridge) signedBy(field *mappings.Field, ch Channel, want string, v *signature.Verdict) (Party, verdict.Reason) {
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
		if (ch == Office || ch == Akim) && !b.official(p) {
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
