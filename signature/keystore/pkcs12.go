package keystore

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// MaxFile is the largest key file that is read, in bytes.
const MaxFile = 1 << 20

// maxBags bounds what lies in a file; national files have two.
const maxBags = 64

const (
	oidData          = "1.2.840.113549.1.7.1"
	oidEncryptedData = "1.2.840.113549.1.7.6"
	oidKeyBag        = "1.2.840.113549.1.12.10.1.1"
	oidShroudedBag   = "1.2.840.113549.1.12.10.1.2"
	oidCertBag       = "1.2.840.113549.1.12.10.1.3"
	oidNestedBag     = "1.2.840.113549.1.12.10.1.6"
	oidX509          = "1.2.840.113549.1.9.22.1"
	oidFriendlyName  = "1.2.840.113549.1.9.20"
	oidPBMAC1        = "1.2.840.113549.1.5.14"
)

// OpenPKCS12 opens a PKCS#12 file. Errors: ErrPassword (wrapped) where the
// password is wrong; *der.Error and others where the file is damaged;
// *UnsupportedKeyError and *MismatchError where it opened but its key is of no
// use here; ErrNoKey.
func OpenPKCS12(data []byte, password string) (*Key, error) {
	return openPKCS12(data, password, maxWork)
}

func openPKCS12(data []byte, password string, work int) (*Key, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("key file: %d bytes; at most %d are read", len(data), MaxFile)
	}
	pfx, err := readPFX(data)
	if err != nil {
		return nil, err
	}
	s := newSecret(password, work)
	macErr := pfx.checkMAC(s)
	if macErr != nil && !errors.Is(macErr, ErrPassword) {
		return nil, macErr
	}
	if macErr != nil && password == "" {
		// Some programs take no password for no bytes at all, others for an
		// empty string with its zero character.
		bare := &secret{left: s.left}
		if err := pfx.checkMAC(bare); err == nil {
			s, macErr = bare, nil
		}
	}
	c := content{secret: s}
	err = c.readAuthenticatedSafe(pfx.safe)
	switch {
	case macErr != nil && c.opened:
		// The password decrypts, so it is right, and the file is what is wrong.
		return nil, errors.New("key file: damaged: the password opens it, but its MAC does not fit")
	case macErr != nil:
		return nil, macErr
	case errors.Is(err, errDecrypt) && pfx.mac.IsZero():
		return nil, fmt.Errorf("key file: %w", ErrPassword)
	case err != nil:
		return nil, fmt.Errorf("key file: damaged: %w", err)
	}
	return c.key()
}

// pfx is the outer layer.
type pfx struct {
	safe []byte    // content of authSafe, the bytes under the MAC
	mac  der.Value // MacData; zero where there is none
}

func readPFX(data []byte) (*pfx, error) {
	flat, err := der.FromBER("key file", data)
	if err != nil {
		return nil, err
	}
	whole, err := der.Parse("key file", flat, der.Sequence)
	if err != nil {
		return nil, err
	}
	s := whole.Seq()
	version, err := s.Next("version", der.Integer)
	if err != nil {
		return nil, err
	}
	if n, err := version.Int(); err != nil || n != 3 {
		return nil, version.Errorf("not PKCS#12 of version 3")
	}
	info, err := s.Next("authSafe", der.Sequence)
	if err != nil {
		return nil, err
	}
	kind, body, err := readContentInfo(info)
	if err != nil {
		return nil, err
	}
	if kind != oidData {
		return nil, info.Errorf("content type %s; only files under a password are read", kind)
	}
	octets, err := body.Inner("authSafe", der.OctetString)
	if err != nil {
		return nil, err
	}
	out := &pfx{safe: octets.Body}
	if !s.Empty() {
		if out.mac, err = s.Next("macData", der.Sequence); err != nil {
			return nil, err
		}
	}
	return out, s.End()
}

// readContentInfo gives the type and the explicitly tagged content.
func readContentInfo(v der.Value) (string, der.Value, error) {
	s := v.Seq()
	id, err := s.Next("contentType", der.ObjectID)
	if err != nil {
		return "", der.Value{}, err
	}
	oid, err := id.OID()
	if err != nil {
		return "", der.Value{}, err
	}
	body, err := s.Next("content", der.ContextConstructed(0))
	if err != nil {
		return "", der.Value{}, err
	}
	return oid, body, s.End()
}

// checkMAC is nil without a MAC: key and certificate are then held together by
// the key alone, which is checked in any case.
func (p *pfx) checkMAC(s *secret) error {
	if p.mac.IsZero() {
		return nil
	}
	parts := p.mac.Seq()
	info, err := parts.Next("mac", der.Sequence)
	if err != nil {
		return err
	}
	inner := info.Seq()
	alg, err := inner.Next("digestAlgorithm", der.Sequence)
	if err != nil {
		return err
	}
	want, err := inner.Next("digest", der.OctetString)
	if err != nil {
		return err
	}
	salt, err := parts.Next("macSalt", der.OctetString)
	if err != nil {
		return err
	}
	iterations := 1
	if count, ok, err := parts.Optional("iterations", der.Integer); err != nil {
		return err
	} else if ok {
		if iterations, err = count.Int(); err != nil {
			return err
		}
	}
	algParts := alg.Seq()
	id, err := algParts.Next("algorithm", der.ObjectID)
	if err != nil {
		return err
	}
	var mac []byte
	if oid, _ := id.OID(); oid == oidPBMAC1 {
		mac, err = s.pbmac1(&algParts, p.safe)
	} else {
		newHash, herr := hashOf(alg, false)
		if herr != nil {
			return herr
		}
		if err = s.spend(p.mac, iterations); err == nil {
			h := hmac.New(newHash, derive(newHash, s.bmp, salt.Body, iterations, 3, newHash().Size()))
			h.Write(p.safe)
			mac = h.Sum(nil)
		}
	}
	if err != nil {
		return err
	}
	if !hmac.Equal(mac, want.Body) {
		return fmt.Errorf("key file: %w", ErrPassword)
	}
	return nil
}

// pbmac1 is RFC 9579: the MAC key comes from PBKDF2.
func (s *secret) pbmac1(parts *der.Seq, data []byte) ([]byte, error) {
	params, err := parts.Next("parameters", der.Sequence)
	if err != nil {
		return nil, err
	}
	in := params.Seq()
	kdf, err := in.Next("keyDerivationFunc", der.Sequence)
	if err != nil {
		return nil, err
	}
	scheme, err := in.Next("messageAuthScheme", der.Sequence)
	if err != nil {
		return nil, err
	}
	newHash, err := hashOf(scheme, true)
	if err != nil {
		return nil, err
	}
	key, err := s.pbkdf2(kdf, 0)
	if err != nil {
		return nil, err
	}
	h := hmac.New(newHash, key)
	h.Write(data)
	return h.Sum(nil), nil
}

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
