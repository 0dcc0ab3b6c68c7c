package keystore

import (
	"errors"
	"fmt"
	"slices"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// content is what was found inside.
type content struct {
	secret *secret
	keys   [][]byte // PKCS#8
	certs  []*nuc.Certificate
	name   string
	bags   int
	opened bool // something was decrypted and made sense
}

func (c *content) readAuthenticatedSafe(safe []byte) error {
	flat, err := der.FromBER("key file content", safe)
	if err != nil {
		return err
	}
	list, err := der.Parse("key file content", flat, der.Sequence)
	if err != nil {
		return err
	}
	s := list.Seq()
	var first error // a damaged part does not hide that the password opens another
	for !s.Empty() {
		info, err := s.Next("contentInfo", der.Sequence)
		if err != nil {
			return err
		}
		if err := c.readPart(info); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (c *content) readPart(info der.Value) error {
	kind, body, err := readContentInfo(info)
	if err != nil {
		return err
	}
	var bags []byte
	switch kind {
	case oidData:
		octets, err := body.Inner("data", der.OctetString)
		if err != nil {
			return err
		}
		bags = octets.Body
	case oidEncryptedData:
		if bags, err = c.readEncrypted(body); err != nil {
			return err
		}
		if _, err := der.FromBER("key file bags", bags); err == nil {
			c.opened = true
		}
	default:
		return info.Errorf("content type %s is not read", kind)
	}
	return c.readBags(bags, 0)
}

func (c *content) readEncrypted(body der.Value) ([]byte, error) {
	data, err := body.Inner("encryptedData", der.Sequence)
	if err != nil {
		return nil, err
	}
	s := data.Seq()
	if _, err := s.Next("version", der.Integer); err != nil {
		return nil, err
	}
	info, err := s.Next("encryptedContentInfo", der.Sequence)
	if err != nil {
		return nil, err
	}
	parts := info.Seq()
	if _, err := parts.Next("contentType", der.ObjectID); err != nil {
		return nil, err
	}
	alg, err := parts.Next("contentEncryptionAlgorithm", der.Sequence)
	if err != nil {
		return nil, err
	}
	enc, err := parts.Any("encryptedContent")
	if err != nil {
		return nil, err
	}
	text := enc.Body
	switch enc.Tag {
	case der.Context(0):
	case der.ContextConstructed(0): // in pieces, as BER allows
		text = nil
		for pieces := enc.Seq(); !pieces.Empty(); {
			piece, err := pieces.Next("encryptedContent", der.OctetString)
			if err != nil {
				return nil, err
			}
			text = append(text, piece.Body...)
		}
	default:
		return nil, enc.Errorf("tag %#02x where the encrypted content is due", enc.Tag)
	}
	return c.secret.decrypt(alg, text)
}

func (c *content) readBags(raw []byte, depth int) error {
	flat, err := der.FromBER("key file bags", raw)
	if err != nil {
		return err
	}
	list, err := der.Parse("key file bags", flat, der.Sequence)
	if err != nil {
		return err
	}
	if depth > 4 {
		return list.Errorf("bags within bags, too deep")
	}
	s := list.Seq()
	for !s.Empty() {
		bag, err := s.Next("safeBag", der.Sequence)
		if err != nil {
			return err
		}
		if c.bags++; c.bags > maxBags {
			return bag.Errorf("more than %d bags", maxBags)
		}
		if err := c.readBag(bag, depth); err != nil {
			return err
		}
	}
	return nil
}

func (c *content) readBag(bag der.Value, depth int) error {
	s := bag.Seq()
	id, err := s.Next("bagId", der.ObjectID)
	if err != nil {
		return err
	}
	oid, err := id.OID()
	if err != nil {
		return err
	}
	value, err := s.Next("bagValue", der.ContextConstructed(0))
	if err != nil {
		return err
	}
	attributes, hasAttributes, err := s.Optional("bagAttributes", der.Set)
	if err != nil {
		return err
	}
	switch oid {
	case oidKeyBag:
		c.keys = append(c.keys, value.Body)
	case oidShroudedBag:
		key, err := c.readShrouded(value)
		if err != nil {
			return err
		}
		c.keys = append(c.keys, key)
	case oidCertBag:
		return c.readCertificate(value)
	case oidNestedBag:
		return c.readBags(value.Body, depth+1)
	default:
		return nil // lists and secrets are of no use here
	}
	if hasAttributes {
		c.readName(attributes)
	}
	return nil
}

func (c *content) readShrouded(value der.Value) ([]byte, error) {
	info, err := value.Inner("encryptedPrivateKeyInfo", der.Sequence)
	if err != nil {
		return nil, err
	}
	key, err := c.secret.readEncryptedKey(info)
	c.opened = c.opened || err == nil
	return key, err
}

// readEncryptedKey opens an EncryptedPrivateKeyInfo (RFC 5958 section 3).
func (s *secret) readEncryptedKey(info der.Value) ([]byte, error) {
	parts := info.Seq()
	alg, err := parts.Next("encryptionAlgorithm", der.Sequence)
	if err != nil {
		return nil, err
	}
	enc, err := parts.Next("encryptedData", der.OctetString)
	if err != nil {
		return nil, err
	}
	key, err := s.decrypt(alg, enc.Body)
	if err != nil {
		return nil, err
	}
	// One wrong password in 256 leaves a right-looking padding.
	if _, err := pkcs8Algorithm(key); err != nil {
		return nil, errDecrypt
	}
	return key, nil
}

func (c *content) readCertificate(value der.Value) error {
	bag, err := value.Inner("certBag", der.Sequence)
	if err != nil {
		return err
	}
	s := bag.Seq()
	id, err := s.Next("certId", der.ObjectID)
	if err != nil {
		return err
	}
	if oid, err := id.OID(); err != nil || oid != oidX509 {
		return id.Errorf("a certificate of the kind %s is not read", oid)
	}
	wrapped, err := s.Next("certValue", der.ContextConstructed(0))
	if err != nil {
		return err
	}
	octets, err := wrapped.Inner("certValue", der.OctetString)
	if err != nil {
		return err
	}
	cert, err := nuc.ParseCertificate(octets.Body)
	if err != nil {
		return err
	}
	c.certs = append(c.certs, cert)
	return nil
}

// readName takes the friendly name; attributes that do not read are passed over.
func (c *content) readName(attributes der.Value) {
	s := attributes.Seq()
	for !s.Empty() {
		a, err := s.Next("attribute", der.Sequence)
		if err != nil {
			return
		}
		parts := a.Seq()
		id, err := parts.Next("attrId", der.ObjectID)
		if err != nil {
			return
		}
		if oid, _ := id.OID(); oid != oidFriendlyName {
			continue
		}
		if values, err := parts.Next("attrValues", der.Set); err == nil {
			if text, err := values.Inner("friendlyName", der.BMPString); err == nil {
				c.name, _ = text.Text()
			}
		}
	}
}

func (c *content) key() (*Key, error) {
	switch len(c.keys) {
	case 0:
		return nil, fmt.Errorf("key file: %w", ErrNoKey)
	case 1:
	default:
		return nil, fmt.Errorf("key file: %d private keys; a file with one is due, so that it is plain who signs", len(c.keys))
	}
	return openKey(c.keys[0], c.certs, c.name)
}

func openKey(pkcs8 []byte, certs []*nuc.Certificate, name string) (*Key, error) {
	private, err := parsePKCS8(pkcs8)
	var unsupported *UnsupportedKeyError
	if errors.As(err, &unsupported) {
		unsupported.Certificate = firstOf(certs)
	}
	if err != nil {
		return nil, err
	}
	return join(private, slices.Clone(certs), name)
}
