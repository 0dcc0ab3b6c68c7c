package nuc

import (
	"encoding/json"
	"time"
)

// Signer is what is told of a certificate's holder: the JSON object that
// `kopir verify` and `kopir cert` print.
type Signer struct {
	IIN          string    `json:"iin"`
	BIN          string    `json:"bin"`
	CN           string    `json:"cn"`
	Surname      string    `json:"surname"`
	GivenName    string    `json:"given_name"`
	Patronymic   string    `json:"patronymic"`
	Organization string    `json:"organization"`
	Email        string    `json:"email"`
	Serial       string    `json:"serial"` // lower-case hexadecimal
	Issuer       string    `json:"issuer"`
	NotBefore    time.Time `json:"not_before"` // UTC
	NotAfter     time.Time `json:"not_after"`  // UTC
	Kind         Kind      `json:"kind"`
	Roles        []string  `json:"roles"`
	Usage        Usage     `json:"usage"`
}

// Signer gives the object for a certificate.
func (c *Certificate) Signer() Signer {
	s := c.Subject
	return Signer{
		IIN: s.IIN, BIN: s.BIN, CN: s.CN, Surname: s.Surname, GivenName: s.GivenName, Patronymic: s.Patronymic,
		Organization: s.Organization, Email: s.Email, Serial: c.SerialHex(), Issuer: c.IssuerName.String(),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Kind: c.Kind(), Roles: c.Roles(), Usage: c.Usage(),
	}
}

// MarshalJSON prints an empty list of roles as [] also for a zero Signer.
func (s Signer) MarshalJSON() ([]byte, error) {
	if s.Roles == nil {
		s.Roles = []string{}
	}
	type plain Signer
	return json.Marshal(plain(s))
}
