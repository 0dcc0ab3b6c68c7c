package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// tokenConfig is a key on a device that speaks PKCS#11.
type tokenConfig struct {
	Module      string `yaml:"module"`      // the device's library
	TokenLabel  string `yaml:"token_label"` // or slot
	Slot        string `yaml:"slot"`
	PINFile     string `yaml:"pin_file"`
	Label       string `yaml:"label"`       // of the key, or its id, or both
	ID          string `yaml:"id"`          // hex
	Certificate string `yaml:"certificate"` // file; empty: the token keeps it
}

// keySource is where a key of the configuration lies.
type keySource struct {
	name              string // of its table
	p12, passwordFile string
	token             tokenConfig
}

func (c keyConfig) source() keySource {
	return keySource{"key", c.P12, c.PasswordFile, c.PKCS11}
}

func (c nextKeyConfig) source() keySource {
	return keySource{"key.next", c.P12, c.PasswordFile, c.PKCS11}
}

func (s keySource) onToken() bool { return s.token != (tokenConfig{}) }

// main is the key of the configuration that names the source.
func (s keySource) main() string {
	if s.onToken() {
		return s.name + ".pkcs11"
	}
	return s.name + ".p12"
}

// files are those whose change means another key.
func (s keySource) files() []string {
	return []string{s.p12, s.passwordFile, s.token.PINFile, s.token.Certificate}
}

// checkKeySource judges what can be judged without opening anything.
func (l *loaded) checkKeySource(s keySource) []fault {
	var fs []fault
	bad := func(key, problem, remedy string) { fs = append(fs, l.at(s.name+"."+key, problem, remedy)) }
	if !s.onToken() {
		if s.p12 == "" {
			bad("p12", "is missing", "name the PKCS#12 file with which the bridge signs, or its key on a token (pkcs11)")
		}
		if s.passwordFile == "" {
			bad("password_file", "is missing", "name a file that holds the password on its first line")
		}
		return fs
	}
	if s.p12 != "" || s.passwordFile != "" {
		bad("pkcs11", "stands beside p12", "name one key: that of a file, or that of a token")
	}
	t, err := s.token.token()
	if err == nil {
		err = t.Check()
	}
	if err != nil {
		bad("pkcs11", err.Error(), "")
	}
	if s.token.PINFile == "" {
		bad("pkcs11.pin_file", "is missing", "name a file that holds the PIN on its first line")
	}
	return fs
}

// token is what opens it, without PIN and certificate.
func (c tokenConfig) token() (keystore.Token, error) {
	t := keystore.Token{Module: c.Module, Label: c.TokenLabel, KeyLabel: c.Label}
	var err error
	if c.Slot != "" {
		if t.Slot, err = keystore.ParseSlot(c.Slot); err != nil {
			return t, err
		}
	}
	if t.KeyID, err = hex.DecodeString(strings.ReplaceAll(c.ID, ":", "")); err != nil {
		return t, fmt.Errorf("%q is not an id in hex digits", c.ID)
	}
	return t, nil
}

// openSource opens the key of a file or a token; nil if there is none, or a fault.
func (l *loaded) openSource(s keySource, m *materials) (*keystore.Key, []fault) {
	if s.onToken() {
		return l.openTokenKey(s, m)
	}
	if s.p12 == "" {
		return nil, nil // told by checkKeySource where it is needed
	}
	var fs []fault
	data, err := os.ReadFile(l.path(s.p12))
	if err != nil {
		fs = append(fs, l.at(s.name+".p12", fmt.Sprintf("%s: %s", s.p12, plainFileError(err)), "name the PKCS#12 file with which the bridge signs"))
	}
	if s.passwordFile == "" {
		return nil, fs
	}
	before := len(fs)
	password := l.secret(s.name+".password_file", s.passwordFile, m, &fs)
	if data == nil || len(fs) > before {
		return nil, fs
	}
	key, err := keystore.Open(data, password)
	if err != nil {
		return nil, append(fs, l.keyFault(s, err))
	}
	return key, fs
}

// keyFault says what to do about a key file.
func (l *loaded) keyFault(s keySource, err error) fault {
	var mismatch *keystore.MismatchError
	var unsupported *keystore.UnsupportedKeyError
	switch {
	case errors.Is(err, keystore.ErrPassword):
		return l.at(s.name+".password_file", "the password does not open "+s.p12, "write the right one on the first line of "+s.passwordFile)
	case errors.Is(err, keystore.ErrNoKey):
		return l.at(s.name+".p12", "there is no private key in "+s.p12, "name the file with the key, not the certificate alone")
	case errors.As(err, &mismatch):
		return l.at(s.name+".p12", err.Error(), "name a file in which key and certificate belong together")
	case errors.As(err, &unsupported):
		return l.at(s.name+".p12", err.Error(), "use an RSA key")
	default:
		return l.at(s.name+".p12", err.Error(), "the file is damaged or not PKCS#12: copy it afresh")
	}
}

// openTokenKey opens the key of a token.
func (l *loaded) openTokenKey(s keySource, m *materials) (*keystore.Key, []fault) {
	t, err := s.token.token()
	if err != nil || t.Check() != nil || s.token.PINFile == "" {
		return nil, nil // told by checkKeySource
	}
	var fs []fault
	t.PIN = l.secret(s.name+".pkcs11.pin_file", s.token.PINFile, m, &fs)
	t.Module = l.path(t.Module)
	if s.token.Certificate != "" {
		certs, err := nuc.LoadCertificates(l.path(s.token.Certificate))
		for _, e := range each(err) {
			fs = append(fs, l.at(s.name+".pkcs11.certificate", plainFileError(e), "name a certificate file, or leave it out if the token keeps it"))
		}
		t.Certificates = certs
	}
	if len(fs) > 0 {
		return nil, fs
	}
	key, err := keystore.OpenToken(t)
	if err != nil {
		return nil, []fault{l.tokenFault(s, err)}
	}
	return key, nil
}

// tokenFault says what to do about a token.
func (l *loaded) tokenFault(s keySource, err error) fault {
	at := s.name + ".pkcs11"
	key, remedy := at, "see whether the token's own program (pkcs11-tool, softhsm2-util) can use the key"
	var mismatch *keystore.MismatchError
	var unsupported *keystore.UnsupportedKeyError
	switch {
	case errors.Is(err, keystore.ErrNoHSM):
		remedy = "" // the error says it
	case errors.Is(err, keystore.ErrModule):
		key, remedy = at+".module", "name the PKCS#11 library that came with the token"
	case errors.Is(err, keystore.ErrNoToken):
		remedy = "plug it in, or name the one that is there: `softhsm2-util --show-slots` or `pkcs11-tool -L` lists them"
	case errors.Is(err, keystore.ErrPIN):
		key, remedy = at+".pin_file", "write the right PIN on the first line; do not try on: tokens lock themselves after a few wrong ones"
	case errors.Is(err, keystore.ErrPINLocked):
		key, remedy = at+".pin_file", "let the security officer unlock it"
	case errors.Is(err, keystore.ErrNoTokenKey):
		remedy = "`pkcs11-tool -O --login` lists the keys with labels and ids"
	case errors.As(err, &mismatch):
		key, remedy = at+".certificate", "name the file of the certificate that was issued for this key"
	case errors.As(err, &unsupported):
		remedy = "use an RSA key; the bridge signs with GOST by key files"
	}
	return l.at(key, err.Error(), remedy)
}
