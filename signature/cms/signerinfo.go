package cms

import (
	"math/big"
	"time"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// SignerInfo is one signature of a message.
type SignerInfo struct {
	Raw []byte

	// The signer's certificate is named by issuer and serial number or by its
	// key identifier, never both.
	Issuer    nuc.Name
	IssuerRaw []byte
	Serial    *big.Int
	KeyID     []byte

	Digest    nuc.Algorithm // of the content
	Algorithm nuc.Algorithm // of the signature; some programs write the key's algorithm
	Value     []byte

	// SignedBytes are the signed attributes as they stand, under the tag of a
	// SET: what was signed. Nil where there are none: then the content itself was.
	SignedBytes []byte
	Signed      []Attribute
	Unsigned    []Attribute

	// What the signed attributes say; empty where an attribute is absent.
	ContentType   string
	MessageDigest []byte
	SigningTime   time.Time
	CertIDs       []CertID // of signingCertificate, then of signingCertificateV2: the first of each is the signer's
	CertIDsV2     []CertID

	head []byte // everything before the unsigned attributes
}

// Attribute is one attribute with its values.
type Attribute struct {
	Type   string
	Raw    []byte
	Values []der.Value

	at der.Value
}

func readSigner(v der.Value) (SignerInfo, error) {
	info := SignerInfo{Raw: v.Raw}
	s := v.Seq()
	version, err := s.Next("version", der.Integer)
	if err != nil {
		return info, err
	}
	number, err := version.Int()
	if err != nil {
		return info, err
	}
	if err := info.readID(&s, version, number); err != nil {
		return info, err
	}
	digest, err := s.Next("digestAlgorithm", der.Sequence)
	if err != nil {
		return info, err
	}
	if info.Digest, err = nuc.ReadAlgorithm(digest); err != nil {
		return info, err
	}
	signed, ok, err := s.Optional("signedAttrs", der.ContextConstructed(0))
	if err != nil {
		return info, err
	}
	if ok {
		if err := info.readSigned(signed); err != nil {
			return info, err
		}
	}
	algorithm, err := s.Next("signatureAlgorithm", der.Sequence)
	if err != nil {
		return info, err
	}
	if info.Algorithm, err = nuc.ReadAlgorithm(algorithm); err != nil {
		return info, err
	}
	value, err := s.Next("signature", der.OctetString)
	if err != nil {
		return info, err
	}
	info.Value = value.Body
	info.head = v.Body[:len(v.Body)-len(s.Rest())]
	unsigned, ok, err := s.Optional("unsignedAttrs", der.ContextConstructed(1))
	if err != nil {
		return info, err
	}
	if ok {
		if info.Unsigned, err = readAttributes(unsigned, "unsignedAttr"); err != nil {
			return info, err
		}
	}
	return info, s.End()
}

func (info *SignerInfo) readID(s *der.Seq, version der.Value, number int) error {
	id, err := s.Any("sid")
	if err != nil {
		return err
	}
	switch {
	case id.Tag == der.Sequence && number == 1:
		parts := id.Seq()
		issuer, err := parts.Next("issuer", der.Sequence)
		if err != nil {
			return err
		}
		info.IssuerRaw = issuer.Raw
		if info.Issuer, err = nuc.ReadName(issuer); err != nil {
			return err
		}
		serial, err := parts.Next("serialNumber", der.Integer)
		if err != nil {
			return err
		}
		if info.Serial, err = readSerial(serial); err != nil {
			return err
		}
		return parts.End()
	case id.Tag == der.Context(0) && number == 3:
		if len(id.Body) == 0 || len(id.Body) > 64 {
			return id.Errorf("a key identifier of %d bytes", len(id.Body))
		}
		info.KeyID = id.Body
		return nil
	case id.Tag == der.Sequence || id.Tag == der.Context(0):
		return version.Errorf("version %d; it is 1 with issuer and serial number and 3 with a key identifier", number)
	default:
		return id.Errorf("tag %#02x names no signer", id.Tag)
	}
}

func readSerial(v der.Value) (*big.Int, error) {
	n, err := v.BigInt()
	if err == nil && (n.Sign() < 0 || len(v.Body) > 21) {
		err = v.Errorf("a serial number is not negative and has at most 20 bytes")
	}
	return n, err
}

func readAttributes(v der.Value, field string) ([]Attribute, error) {
	var out []Attribute
	list := v.Seq()
	if list.Empty() {
		return nil, v.Errorf("an empty set of attributes")
	}
	for !list.Empty() {
		if len(out) == maxAttributes {
			return nil, v.Errorf("more than %d attributes", maxAttributes)
		}
		one, err := list.Next(field, der.Sequence)
		if err != nil {
			return nil, err
		}
		s := one.Seq()
		kind, err := s.Next("attrType", der.ObjectID)
		if err != nil {
			return nil, err
		}
		a := Attribute{Raw: one.Raw, at: one}
		if a.Type, err = kind.OID(); err != nil {
			return nil, err
		}
		set, err := s.Next("attrValues "+a.Type, der.Set)
		if err != nil {
			return nil, err
		}
		if err := s.End(); err != nil {
			return nil, err
		}
		values := set.Seq()
		if values.Empty() {
			return nil, set.Errorf("an attribute without a value")
		}
		for !values.Empty() {
			if len(a.Values) == maxValues {
				return nil, set.Errorf("more than %d values", maxValues)
			}
			value, err := values.Any("value")
			if err != nil {
				return nil, err
			}
			a.Values = append(a.Values, value)
		}
		out = append(out, a)
	}
	return out, nil
}

func (info *SignerInfo) readSigned(v der.Value) error {
	info.SignedBytes = append([]byte(nil), v.Raw...)
	info.SignedBytes[0] = der.Set
	var err error
	if info.Signed, err = readAttributes(v, "signedAttr"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, a := range info.Signed {
		if seen[a.Type] {
			return a.at.Errorf("the attribute %s occurs twice", a.Type)
		}
		seen[a.Type] = true
		if err := info.understand(a); err != nil {
			return err
		}
	}
	return nil
}

// understand reads the attributes whose meaning matters here.
func (info *SignerInfo) understand(a Attribute) error {
	switch a.Type {
	case AttrContentType, AttrMessageDigest, AttrSigningTime, AttrSigningCertificate, AttrSigningCertificateV2:
		if len(a.Values) != 1 {
			return a.at.Errorf("the attribute %s has %d values instead of one", a.Type, len(a.Values))
		}
	default:
		return nil
	}
	value := a.Values[0]
	var err error
	switch a.Type {
	case AttrContentType:
		info.ContentType, err = value.OID()
	case AttrMessageDigest:
		info.MessageDigest, err = value.Octets()
		if err == nil && (len(info.MessageDigest) == 0 || len(info.MessageDigest) > 64) {
			err = value.Errorf("a digest of %d bytes", len(info.MessageDigest))
		}
	case AttrSigningTime:
		info.SigningTime, err = value.Time()
	case AttrSigningCertificate:
		info.CertIDs, err = readCertIDs(value, false)
	case AttrSigningCertificateV2:
		info.CertIDsV2, err = readCertIDs(value, true)
	}
	return err
}

// Tokens gives the time stamps over the signature value, as found.
func (info *SignerInfo) Tokens() [][]byte {
	var out [][]byte
	for _, a := range info.Unsigned {
		if a.Type == AttrSignatureTimeStamp {
			for _, v := range a.Values {
				out = append(out, v.Raw)
			}
		}
	}
	return out
}
