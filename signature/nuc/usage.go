package nuc

import (
	"fmt"
	"slices"
	"strings"

	"kopir/signature/verdict"
)

// KeyUsage is the set of flags of RFC 5280 section 4.2.1.3.
type KeyUsage uint16

const (
	DigitalSignature KeyUsage = 1 << iota
	NonRepudiation            // contentCommitment
	KeyEncipherment
	DataEncipherment
	KeyAgreement
	KeyCertSign
	CRLSign
	EncipherOnly
	DecipherOnly
)

// Usage says what the holder may do with the key.
type Usage string

const (
	UsageSign  Usage = "SIGN"
	UsageAuth  Usage = "AUTH"
	UsageBoth  Usage = "BOTH" // one certificate for both, as issued since 2022
	UsageOther Usage = "OTHER"
)

// Extended key usages.
const (
	ekuClientAuth      = "1.3.6.1.5.5.7.3.2"
	ekuEmailProtection = "1.3.6.1.5.5.7.3.4"
	EKUTimeStamping    = "1.3.6.1.5.5.7.3.8"
	EKUOCSPSigning     = "1.3.6.1.5.5.7.3.9"
	ekuIndividual      = "1.2.398.3.3.4.1.1"
	ekuLegalEntity     = "1.2.398.3.3.4.1.2"
)

// Usage reads the key usage first (non-repudiation makes a signing
// certificate, encipherment or agreement one for authentication), and the
// purposes where it decides nothing. Authorities, OCSP responders and time
// stamp authorities are OTHER.
func (c *Certificate) Usage() Usage {
	if c.IsCA || c.hasPurpose(EKUOCSPSigning) || c.hasPurpose(EKUTimeStamping) {
		return UsageOther
	}
	sign := c.KeyUsage&NonRepudiation != 0
	auth := c.KeyUsage&(KeyEncipherment|KeyAgreement) != 0
	if !sign && !auth && (!c.HasKeyUsage || c.KeyUsage&DigitalSignature != 0) {
		sign, auth = c.hasPurpose(ekuEmailProtection), c.hasPurpose(ekuClientAuth)
	}
	switch {
	case sign && auth:
		return UsageBoth
	case sign:
		return UsageSign
	case auth:
		return UsageAuth
	default:
		return UsageOther
	}
}

// CheckUsage is whether documents may be signed with the certificate's key.
func (c *Certificate) CheckUsage() verdict.Check {
	usage := c.Usage()
	switch {
	case usage == UsageSign || usage == UsageBoth:
		return verdict.Pass(verdict.CheckUsage, fmt.Sprintf("certificate for signing (%s)", usage))
	case !c.HasKeyUsage && len(c.ExtKeyUsage) == 0:
		// RFC 5280 sections 4.2.1.3 and 4.2.1.12: without the extensions the key
		// may be used for anything. Nothing of the national profile is so, its
		// authorities least of all; other roots that an operator trusts may be.
		return verdict.Pass(verdict.CheckUsage, "the certificate restricts the use of its key in no way")
	case c.IsCA:
		return verdict.Fail(verdict.CheckUsage, verdict.KeyUsage, "an authority's certificate; documents are not signed with it")
	default:
		return verdict.Fail(verdict.CheckUsage, verdict.KeyUsage, fmt.Sprintf("not a certificate for signing documents (%s)", usage))
	}
}

func (c *Certificate) hasPurpose(oid string) bool { return slices.Contains(c.ExtKeyUsage, oid) }

// HasPurpose tells whether the extended key usage names a purpose.
func (c *Certificate) HasPurpose(oid string) bool { return c.hasPurpose(oid) }

// Kind is individual or legal_entity, or empty for certificates of neither
// (authorities, services without an owner).
type Kind string

const (
	Individual  Kind = "individual"
	LegalEntity Kind = "legal_entity"
)

// Kind goes by the purposes of the profile, and by BIN and IIN where they are
// silent.
func (c *Certificate) Kind() Kind {
	under := func(prefix string) bool {
		return slices.ContainsFunc(c.ExtKeyUsage, func(oid string) bool {
			return oid == prefix || strings.HasPrefix(oid, prefix+".")
		})
	}
	switch {
	case under(ekuLegalEntity):
		return LegalEntity
	case under(ekuIndividual):
		return Individual
	case c.Subject.BIN != "":
		return LegalEntity
	case c.Subject.IIN != "":
		return Individual
	default:
		return ""
	}
}

// roles names the purposes that say in what capacity the holder acts.
var roles = map[string]string{
	"1.2.398.3.3.4.1.1.1":  "information_system",
	ekuLegalEntity + ".1":  "head",
	ekuLegalEntity + ".2":  "signer",
	ekuLegalEntity + ".3":  "financial_signer",
	ekuLegalEntity + ".4":  "hr",
	ekuLegalEntity + ".5":  "employee",
	ekuLegalEntity + ".6":  "information_system",
	"1.2.398.5.19.1.2.2.1": "treasury",
	"1.2.398.3.3.4.2":      "nuc",
	"1.2.398.3.3.4.2.1":    "nuc_admin",
	"1.2.398.3.3.4.2.2":    "nuc_manager",
	"1.2.398.3.3.4.2.3":    "nuc_operator",
	"1.2.398.3.3.4.3":      "identification",
	"1.2.398.3.3.4.3.1":    "identification_in_person",
	"1.2.398.3.3.4.3.2":    "identification_remote",
	"1.2.398.3.3.4.3.2.1":  "identification_digital_id",
	EKUTimeStamping:        "time_stamping",
	EKUOCSPSigning:         "ocsp_responder",
}

// Roles names the capacities in which the holder acts, in the order of the
// certificate. An information system before 2026 is known by its UID alone.
func (c *Certificate) Roles() []string {
	out := []string{}
	add := func(r string) {
		if r != "" && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	for _, oid := range c.ExtKeyUsage {
		if strings.HasPrefix(oid, ekuLegalEntity+".6.") {
			oid = ekuLegalEntity + ".6"
		}
		add(roles[oid])
	}
	if c.IsCA {
		add("authority")
	}
	if c.Subject.UID != "" {
		add("information_system")
	}
	return out
}
