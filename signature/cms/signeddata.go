package cms

import (
	"bytes"
	"fmt"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// SignedData is one signed message. It refers to the bytes it was read from.
type SignedData struct {
	Version      int
	Digests      []nuc.Algorithm // that the message says to use; the signers' own decide
	ContentType  string
	Attached     bool
	Content      []byte   // nil if not Attached
	Certificates [][]byte // X.509 in DER, as found; other kinds are passed over
	Signers      []SignerInfo

	contentTypeRaw []byte
	digestsRaw     [][]byte
	crlsRaw        []byte // [1], as found
	otherCerts     [][]byte
}

// Parse reads a ContentInfo that holds SignedData. Errors are *der.Error.
func Parse(raw []byte) (*SignedData, error) { return parse("CMS message", raw, MaxMessage) }

func parse(object string, raw []byte, most int) (*SignedData, error) {
	if len(raw) > most {
		return nil, &der.Error{Object: object, Message: fmt.Sprintf("%d bytes; at most %d are read", len(raw), most)}
	}
	streamed := len(raw) > 1 && raw[0] == der.Sequence && raw[1] == 0x80
	if !streamed {
		return parseDER(object, raw)
	}
	flat, err := der.FromBER(object, raw)
	if err != nil {
		return nil, err
	}
	d, err := parseDER(object, flat)
	if err != nil {
		return nil, err
	}
	// Offsets in the errors below would be those of the rewritten bytes, so none is given.
	for _, c := range d.Certificates {
		if !bytes.Contains(raw, c) {
			return nil, &der.Error{Object: object, Field: "certificates", Message: "a certificate is not in DER"}
		}
	}
	for i := range d.Signers {
		if !bytes.Contains(raw, d.Signers[i].Raw) {
			return nil, &der.Error{Object: object, Field: "signerInfos", Message: fmt.Sprintf("signer %d is not in DER", i+1)}
		}
	}
	return d, nil
}

func parseDER(object string, raw []byte) (*SignedData, error) {
	whole, err := der.Parse(object, raw, der.Sequence)
	if err != nil {
		return nil, err
	}
	s := whole.Seq()
	kind, err := s.Next("contentType", der.ObjectID)
	if err != nil {
		return nil, err
	}
	oid, err := kind.OID()
	if err != nil {
		return nil, err
	}
	if oid != TypeSignedData {
		return nil, kind.Errorf("%s is not signed data (%s)", oid, TypeSignedData)
	}
	body, err := s.Next("content", der.ContextConstructed(0))
	if err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	data, err := body.Inner("signedData", der.Sequence)
	if err != nil {
		return nil, err
	}
	d := &SignedData{}
	return d, d.read(data)
}

func (d *SignedData) read(v der.Value) error {
	s := v.Seq()
	version, err := s.Next("version", der.Integer)
	if err != nil {
		return err
	}
	if d.Version, err = version.Int(); err != nil {
		return err
	}
	if d.Version < 1 || d.Version > 5 {
		return version.Errorf("version %d is not one of 1 to 5", d.Version)
	}
	digests, err := s.Next("digestAlgorithms", der.Set)
	if err != nil {
		return err
	}
	for list := digests.Seq(); !list.Empty(); {
		one, err := list.Next("digestAlgorithm", der.Sequence)
		if err != nil {
			return err
		}
		a, err := nuc.ReadAlgorithm(one)
		if err != nil {
			return err
		}
		if d.Digests, d.digestsRaw = append(d.Digests, a), append(d.digestsRaw, one.Raw); len(d.Digests) > maxDigests {
			return digests.Errorf("more than %d digest algorithms", maxDigests)
		}
	}
	content, err := s.Next("encapContentInfo", der.Sequence)
	if err != nil {
		return err
	}
	if err := d.readContent(content); err != nil {
		return err
	}
	certs, ok, err := s.Optional("certificates", der.ContextConstructed(0))
	if err != nil {
		return err
	}
	if ok {
		if err := d.readCertificates(certs); err != nil {
			return err
		}
	}
	// Lists and answers that come with a message are kept when it is written
	// again, and not looked at: revocation is asked of configured sources.
	crls, ok, err := s.Optional("crls", der.ContextConstructed(1))
	if err != nil {
		return err
	}
	if ok {
		d.crlsRaw = crls.Raw
	}
	signers, err := s.Next("signerInfos", der.Set)
	if err != nil {
		return err
	}
	for list := signers.Seq(); !list.Empty(); {
		if len(d.Signers) == maxSigners {
			return signers.Errorf("more than %d signers", maxSigners)
		}
		one, err := list.Next("signerInfo", der.Sequence)
		if err != nil {
			return err
		}
		info, err := readSigner(one)
		if err != nil {
			return err
		}
		d.Signers = append(d.Signers, info)
	}
	return s.End()
}

func (d *SignedData) readContent(v der.Value) error {
	s := v.Seq()
	kind, err := s.Next("eContentType", der.ObjectID)
	if err != nil {
		return err
	}
	if d.ContentType, err = kind.OID(); err != nil {
		return err
	}
	d.contentTypeRaw = kind.Raw
	wrapped, ok, err := s.Optional("eContent", der.ContextConstructed(0))
	if err != nil {
		return err
	}
	if ok {
		octets, err := wrapped.Inner("eContent", der.OctetString)
		if err != nil {
			return err
		}
		d.Attached, d.Content = true, octets.Body
	}
	return s.End()
}

func (d *SignedData) readCertificates(v der.Value) error {
	list := v.Seq()
	for n := 0; !list.Empty(); n++ {
		if n == maxCertificates {
			return v.Errorf("more than %d certificates", maxCertificates)
		}
		one, err := list.Any("certificate")
		if err != nil {
			return err
		}
		switch one.Tag {
		case der.Sequence:
			d.Certificates = append(d.Certificates, one.Raw)
		case der.ContextConstructed(0), der.ContextConstructed(1), der.ContextConstructed(2), der.ContextConstructed(3):
			d.otherCerts = append(d.otherCerts, one.Raw) // attribute certificates and the like: they say nothing here
		default:
			return one.Errorf("tag %#02x is no kind of certificate", one.Tag)
		}
	}
	return nil
}
