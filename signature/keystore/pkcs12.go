package keystore

import (
	"crypto/hmac"
	"errors"
	"fmt"

	"kopir/signature/der"
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
