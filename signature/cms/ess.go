package cms

import (
	"math/big"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// CertID is an ESS certificate identifier (RFC 2634 section 5.4.1, RFC 5035
// section 4): a digest of a certificate and, if given, its issuer and number.
type CertID struct {
	Hash   nuc.Algorithm // OID empty: the default, SHA-1 in version 1 and SHA-256 in version 2
	Digest []byte
	Issuer nuc.Name // nil if not given
	Serial *big.Int
}

// readCertIDs reads SigningCertificate or SigningCertificateV2. The policies
// that may follow are passed over, as RFC 5035 allows.
func readCertIDs(v der.Value, second bool) ([]CertID, error) {
	if !v.Is(der.Sequence) {
		return nil, v.Errorf("tag %#02x where SEQUENCE is due", v.Tag)
	}
	s := v.Seq()
	list, err := s.Next("certs", der.Sequence)
	if err != nil {
		return nil, err
	}
	if _, _, err := s.Optional("policies", der.Sequence); err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	var out []CertID
	ids := list.Seq()
	if ids.Empty() {
		return nil, list.Errorf("names no certificate")
	}
	for !ids.Empty() {
		if len(out) == maxCertIDs {
			return nil, list.Errorf("more than %d certificates are named", maxCertIDs)
		}
		one, err := ids.Next("certID", der.Sequence)
		if err != nil {
			return nil, err
		}
		id, err := readCertID(one, second)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

func readCertID(v der.Value, second bool) (CertID, error) {
	var id CertID
	s := v.Seq()
	if second {
		alg, ok, err := s.Optional("hashAlgorithm", der.Sequence)
		if err != nil {
			return id, err
		}
		if ok {
			if id.Hash, err = nuc.ReadAlgorithm(alg); err != nil {
				return id, err
			}
		}
	}
	hash, err := s.Next("certHash", der.OctetString)
	if err != nil {
		return id, err
	}
	if id.Digest = hash.Body; len(id.Digest) == 0 || len(id.Digest) > 64 {
		return id, hash.Errorf("a digest of %d bytes", len(id.Digest))
	}
	serial, ok, err := s.Optional("issuerSerial", der.Sequence)
	if err != nil {
		return id, err
	}
	if ok {
		if err := id.readIssuer(serial); err != nil {
			return id, err
		}
	}
	return id, s.End()
}

func (id *CertID) readIssuer(v der.Value) error {
	s := v.Seq()
	names, err := s.Next("issuer", der.Sequence)
	if err != nil {
		return err
	}
	one, err := names.Inner("directoryName", der.ContextConstructed(4))
	if err != nil {
		return err
	}
	name, err := one.Inner("directoryName", der.Sequence)
	if err != nil {
		return err
	}
	if id.Issuer, err = nuc.ReadName(name); err != nil {
		return err
	}
	number, err := s.Next("serialNumber", der.Integer)
	if err != nil {
		return err
	}
	if id.Serial, err = readSerial(number); err != nil {
		return err
	}
	return s.End()
}
