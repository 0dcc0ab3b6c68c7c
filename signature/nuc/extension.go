package nuc

import (
	"strings"

	"kopir/signature/der"
)

// Extensions is what the extensions of a certificate say.
type Extensions struct {
	HasKeyUsage bool
	KeyUsage    KeyUsage
	ExtKeyUsage []string // object identifiers; nil where the extension is absent
	// ExtKeyUsageCritical: whoever does not look at the purposes must refuse
	// the certificate. RFC 3161 asks it of time stamping authorities.
	ExtKeyUsageCritical bool
	Policies            []string // object identifiers

	HasBasicConstraints bool
	IsCA                bool
	PathLen             int // -1: no limit

	SubjectKeyID   []byte // opaque: authorities compute it in several ways
	AuthorityKeyID []byte

	// Addresses that the certificate names. They are shown, never followed:
	// the configuration has its own.
	OCSPServers []string
	IssuerURLs  []string
	CRLURLs     []string
	DeltaURLs   []string

	NoCheck          bool   // id-pkix-ocsp-nocheck
	KeyStorage       string // 1.2.398.3.3.5: where the key is kept, an object identifier
	AlternativeEmail string

	UnknownCritical []string // object identifiers
}

// maxExtensions bounds the list; real certificates have about ten.
const maxExtensions = 64

func (e *Extensions) read(list der.Value) error {
	seen := make(map[string]bool, 12)
	s := list.Seq()
	if s.Empty() {
		return list.Errorf("an empty list")
	}
	for !s.Empty() {
		x, err := ReadExtension(&s)
		if err != nil {
			return err
		}
		if seen[x.OID] {
			return x.Value.Errorf("extension %s occurs twice", x.OID)
		}
		if seen[x.OID] = true; len(seen) > maxExtensions {
			return list.Errorf("more than %d extensions", maxExtensions)
		}
		known, err := e.readOne(x)
		if err != nil {
			return err
		}
		if x.Critical && !known {
			e.UnknownCritical = append(e.UnknownCritical, x.OID)
		}
	}
	return nil
}

// Extension is one extension of a certificate, a list or an answer. Value is
// the OCTET STRING that carries it.
type Extension struct {
	OID      string
	Critical bool
	Value    der.Value
}

// ReadExtension reads the next extension of a list.
func ReadExtension(s *der.Seq) (Extension, error) {
	v, err := s.Next("extension", der.Sequence)
	if err != nil {
		return Extension{}, err
	}
	parts := v.Seq()
	id, err := parts.Next("extnID", der.ObjectID)
	if err != nil {
		return Extension{}, err
	}
	var x Extension
	if x.OID, err = id.OID(); err != nil {
		return Extension{}, err
	}
	critical, ok, err := parts.Optional("critical", der.Boolean)
	if err != nil {
		return Extension{}, err
	}
	if ok {
		if x.Critical, err = critical.Bool(); err != nil {
			return Extension{}, err
		}
	}
	if x.Value, err = parts.Next("extension "+x.OID, der.OctetString); err != nil {
		return Extension{}, err
	}
	return x, parts.End()
}

// readOne reads an extension it understands and says whether it did.
func (e *Extensions) readOne(x Extension) (known bool, err error) {
	switch x.OID {
	case "2.5.29.15":
		var v der.Value
		if v, err = x.Value.Inner("keyUsage", der.BitString); err == nil {
			var f uint16
			f, err = v.Flags()
			e.HasKeyUsage, e.KeyUsage = true, KeyUsage(f)
		}
	case "2.5.29.37":
		e.ExtKeyUsage, err = readOIDs(x.Value, "extKeyUsage", false)
		e.ExtKeyUsageCritical = x.Critical
	case "2.5.29.32":
		e.Policies, err = readOIDs(x.Value, "certificatePolicies", true)
	case "2.5.29.19":
		err = e.readBasicConstraints(x.Value)
	case "2.5.29.14":
		var v der.Value
		if v, err = x.Value.Inner("subjectKeyIdentifier", der.OctetString); err == nil {
			e.SubjectKeyID = v.Body
		}
	case "2.5.29.35":
		e.AuthorityKeyID, err = ReadAuthorityKeyID(x.Value)
	case "1.3.6.1.5.5.7.1.1":
		err = e.readInfoAccess(x.Value)
		return !x.Critical, err
	case "2.5.29.31":
		e.CRLURLs, err = readDistributionPoints(x.Value)
	case "2.5.29.46":
		e.DeltaURLs, err = readDistributionPoints(x.Value)
	case "2.5.29.17":
		err = e.readAlternativeName(x.Value)
	case "1.3.6.1.5.5.7.48.1.5":
		e.NoCheck = true
	case "1.2.398.3.3.5":
		// Wanted for display alone, so another content than the known one is
		// left unread instead of refused.
		if seq, err := x.Value.Inner("keyStorage", der.Sequence); err == nil {
			if id, err := seq.Inner("keyStorage", der.ObjectID); err == nil {
				e.KeyStorage, _ = id.OID()
			}
		}
		return false, nil
	default:
		return false, nil
	}
	return true, err
}

// readOIDs reads a list of object identifiers, or of sequences that start with
// one (policies, whose qualifiers are of no consequence here).
func readOIDs(v der.Value, field string, wrapped bool) ([]string, error) {
	list, err := v.Inner(field, der.Sequence)
	if err != nil {
		return nil, err
	}
	out := []string{}
	s := list.Seq()
	for !s.Empty() {
		if len(out) >= maxExtensions {
			return nil, list.Errorf("more than %d entries", maxExtensions)
		}
		from := &s
		if wrapped {
			entry, err := s.Next("entry", der.Sequence)
			if err != nil {
				return nil, err
			}
			inner := entry.Seq()
			from = &inner
		}
		id, err := from.Next("identifier", der.ObjectID)
		if err != nil {
			return nil, err
		}
		oid, err := id.OID()
		if err != nil {
			return nil, err
		}
		out = append(out, oid)
	}
	if len(out) == 0 {
		return nil, list.Errorf("an empty list")
	}
	return out, nil
}

func (e *Extensions) readBasicConstraints(v der.Value) error {
	seq, err := v.Inner("basicConstraints", der.Sequence)
	if err != nil {
		return err
	}
	e.HasBasicConstraints, e.PathLen = true, -1
	s := seq.Seq()
	ca, ok, err := s.Optional("cA", der.Boolean)
	if err != nil {
		return err
	}
	if ok {
		if e.IsCA, err = ca.Bool(); err != nil {
			return err
		}
	}
	limit, ok, err := s.Optional("pathLenConstraint", der.Integer)
	if err != nil {
		return err
	}
	if ok {
		if !e.IsCA {
			return limit.Errorf("a path length in a certificate that is no authority's")
		}
		if e.PathLen, err = limit.Int(); err != nil {
			return err
		}
	}
	return s.End()
}

// ReadAuthorityKeyID reads the keyIdentifier of an authority key identifier
// extension; nil where it has none.
func ReadAuthorityKeyID(v der.Value) ([]byte, error) {
	seq, err := v.Inner("authorityKeyIdentifier", der.Sequence)
	if err != nil {
		return nil, err
	}
	s := seq.Seq()
	id, ok, err := s.Optional("keyIdentifier", der.Context(0))
	if err != nil {
		return nil, err
	}
	// Issuer and serial may follow. They would name the issuer's issuer, which
	// is decided by the chain.
	for !s.Empty() {
		if _, err := s.Any("authorityCertIssuer"); err != nil {
			return nil, err
		}
	}
	if !ok {
		return nil, nil
	}
	return id.Body, nil
}

const (
	tagEmail = 0x81 // GeneralName: rfc822Name
	tagURI   = 0x86 // GeneralName: uniformResourceIdentifier
)

func (e *Extensions) readInfoAccess(v der.Value) error {
	list, err := v.Inner("authorityInfoAccess", der.Sequence)
	if err != nil {
		return err
	}
	s := list.Seq()
	for !s.Empty() {
		entry, err := s.Next("accessDescription", der.Sequence)
		if err != nil {
			return err
		}
		parts := entry.Seq()
		id, err := parts.Next("accessMethod", der.ObjectID)
		if err != nil {
			return err
		}
		method, err := id.OID()
		if err != nil {
			return err
		}
		where, err := parts.Any("accessLocation")
		if err != nil {
			return err
		}
		if where.Tag != tagURI {
			continue
		}
		switch method {
		case "1.3.6.1.5.5.7.48.1":
			e.OCSPServers = append(e.OCSPServers, string(where.Body))
		case "1.3.6.1.5.5.7.48.2":
			e.IssuerURLs = append(e.IssuerURLs, string(where.Body))
		}
	}
	return nil
}

// readDistributionPoints collects the addresses of a cRLDistributionPoints or
// freshestCRL extension. Real ones hold two addresses in one, with a line
// break between; both are given.
func readDistributionPoints(v der.Value) ([]string, error) {
	list, err := v.Inner("distributionPoints", der.Sequence)
	if err != nil {
		return nil, err
	}
	var out []string
	s := list.Seq()
	for !s.Empty() {
		point, err := s.Next("distributionPoint", der.Sequence)
		if err != nil {
			return nil, err
		}
		parts := point.Seq()
		name, ok, err := parts.Optional("distributionPoint", der.ContextConstructed(0))
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		urls, err := ReadPointName(name)
		if err != nil {
			return nil, err
		}
		out = append(out, urls...)
	}
	return out, nil
}

// ReadPointName reads the addresses of a DistributionPointName (RFC 5280
// section 4.2.1.13) from the value that wraps it.
func ReadPointName(v der.Value) ([]string, error) {
	choice := v.Seq()
	full, ok, err := choice.Optional("fullName", der.ContextConstructed(0))
	if err != nil || !ok {
		return nil, err
	}
	var out []string
	names := full.Seq()
	for !names.Empty() {
		n, err := names.Any("generalName")
		if err != nil {
			return nil, err
		}
		if n.Tag != tagURI {
			continue
		}
		for _, line := range strings.Fields(string(n.Body)) {
			out = append(out, strings.TrimPrefix(line, "URL="))
		}
	}
	return out, nil
}

func (e *Extensions) readAlternativeName(v der.Value) error {
	list, err := v.Inner("subjectAltName", der.Sequence)
	if err != nil {
		return err
	}
	s := list.Seq()
	for !s.Empty() {
		n, err := s.Any("generalName")
		if err != nil {
			return err
		}
		if n.Tag == tagEmail && e.AlternativeEmail == "" {
			e.AlternativeEmail = string(n.Body)
		}
	}
	return nil
}
