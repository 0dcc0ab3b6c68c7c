package sigtest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidEKU              = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidPolicies         = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidFreshestCRL      = asn1.ObjectIdentifier{2, 5, 29, 46}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidAccess           = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidCRLPoints        = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidCRLNumber        = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReason           = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidDeltaCRL         = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidNoCheck          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidCPS              = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1}
	oidTokenKind        = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 5} // national: where the key is kept

	purposeEmail = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	purposeAuth  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	purposeOCSP  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}
	purposeTSA   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}

	roleIndividual = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 1}
	roleLegal      = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2}
	roleHead       = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 1}
	roleSignatory  = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 2}
	roleEmployee   = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 5}
	roleSystem     = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 2, 6}

	policyRoot       = asn1.ObjectIdentifier{1, 2, 398, 3, 1, 2}
	policyIssuing    = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 1, 1}
	policyPersonSign = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 2, 3}
	policyPersonAuth = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 2, 4}
	policyLegalSign  = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 2, 1}
	policyLegalAuth  = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 2, 2}
	policyLeaf       = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 2}
	policyTSA        = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 2, 6}
)

// purposes gives the extended key usage, and whether it is critical.
func (p Profile) purposes() (oids []asn1.ObjectIdentifier, critical bool) {
	switch p.Kind {
	case Responder:
		return []asn1.ObjectIdentifier{purposeOCSP}, false
	case Timestamps:
		return []asn1.ObjectIdentifier{purposeTSA}, true
	case System:
		return append([]asn1.ObjectIdentifier{roleLegal, roleSystem}, p.Roles...), false
	}
	if p.Usage == Auth || p.Usage == Both {
		oids = append(oids, purposeAuth)
	}
	if p.Usage == Sign || p.Usage == Both {
		oids = append(oids, purposeEmail)
	}
	switch p.Kind {
	case Person:
		oids = append(oids, roleIndividual)
	case Head:
		oids = append(oids, roleLegal, roleHead)
	case Signatory:
		oids = append(oids, roleLegal, roleSignatory)
	case Employee:
		oids = append(oids, roleLegal, roleEmployee)
	}
	return append(oids, p.Roles...), false
}

// keyUsage gives the bits; zero means no such extension. A certificate of
// GOST R 34.10-2015 serves for signing and for authentication alike; one that
// must not sign (Auth) was never issued, but what must be refused has to exist.
func (p Profile) keyUsage(a Algorithm) x509.KeyUsage {
	auth := x509.KeyUsageKeyEncipherment
	if a == GOST2015 || a == GOST2015x256 {
		auth = x509.KeyUsageKeyAgreement
	}
	const sign = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	switch {
	case p.Kind == Responder:
		return 0
	case p.Kind == Timestamps:
		return sign
	case p.Usage == Auth:
		return x509.KeyUsageDigitalSignature | auth
	case p.Usage == Both || auth == x509.KeyUsageKeyAgreement:
		return sign | auth
	}
	return sign
}

func (p Profile) policy(a Algorithm) asn1.ObjectIdentifier {
	switch {
	case p.Kind == Timestamps:
		return policyTSA
	case a == GOST2015 || a == GOST2015x256 || p.Usage == Both || p.Kind == System:
		return policyLeaf
	case p.Kind == Person && p.Usage == Auth:
		return policyPersonAuth
	case p.Kind == Person:
		return policyPersonSign
	case p.Usage == Auth:
		return policyLegalAuth
	case a == GOST2004:
		return policyLegalSign
	}
	return policyLeaf
}

// extension marshals value; a failure to marshal our own constant structures
// is carried out by the error of the first certificate.
func extension(oid asn1.ObjectIdentifier, critical bool, value any) (pkix.Extension, error) {
	der, err := asn1.Marshal(value)
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("sigtest: extension %v: %w", oid, err)
	}
	return pkix.Extension{Id: oid, Critical: critical, Value: der}, nil
}

type policyQualifier struct {
	ID  asn1.ObjectIdentifier
	URI string `asn1:"ia5"`
}

type policyInformation struct {
	Policy     asn1.ObjectIdentifier
	Qualifiers []policyQualifier
}

func policies(oid asn1.ObjectIdentifier, cps string) (pkix.Extension, error) {
	return extension(oidPolicies, false, []policyInformation{{oid, []policyQualifier{{oidCPS, cps}}}})
}

type distributionPoint struct {
	Name distributionPointName `asn1:"tag:0"`
}

type distributionPointName struct {
	Full []asn1.RawValue `asn1:"tag:0"`
}

// pointExtension names where a list is: cRLDistributionPoints, and freshestCRL
// (RFC 5280, 4.2.1.13 and 4.2.1.15).
func pointExtension(oid asn1.ObjectIdentifier, uri string) (pkix.Extension, error) {
	full := []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}}
	return extension(oid, false, []distributionPoint{{distributionPointName{full}}})
}

// extensions are those of a leaf, in the order of the real ones of its kind of key.
func (a *Authority) extensions(p Profile, algorithm Algorithm, ski []byte) ([]pkix.Extension, error) {
	var l extensionList
	usage := func() {
		if u := p.keyUsage(algorithm); u != 0 {
			l.add(usageExtension(u))
		}
	}
	keys := func() {
		l.add(subjectKeyExtension(ski))
		l.add(authorityKeyExtension(a.issuing.cert.SubjectKeyId, nil, nil))
	}
	addresses := func() {
		l.add(accessExtension(a.url(PathOCSP), a.url(PathIssuing)))
		l.add(pointExtension(oidCRLPoints, a.url(PathCRL)))
	}
	purposes := func() {
		oids, critical := p.purposes()
		l.add(extension(oidEKU, critical, oids))
		if p.Kind == Responder {
			l.add(pkix.Extension{Id: oidNoCheck, Value: asn1.NullBytes}, nil)
		}
	}
	policy := func() {
		if p.Kind != Responder {
			l.add(policies(p.policy(algorithm), a.url("/cps")))
		}
	}
	delta := func() {
		if p.Kind != Responder {
			l.add(pointExtension(oidFreshestCRL, a.url(PathDeltaCRL)))
		}
	}
	var order []func()
	if algorithm == GOST2015 {
		order = []func(){policy, addresses, delta, purposes, usage, keys}
	} else {
		order = []func(){usage, keys, addresses, purposes, policy, delta}
	}
	for _, add := range order {
		add()
	}
	if p.Kind != Responder && (algorithm == GOST2015 || p.Usage == Both || p.Kind == System) {
		// "kept in a PKCS#12 file", seen in the leaves since 2022.
		l.add(extension(oidTokenKind, false, []asn1.ObjectIdentifier{{1, 2, 398, 3, 3, 5, 1, 1}}))
	}
	return l.list, l.err
}
