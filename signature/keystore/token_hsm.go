//go:build hsm && cgo

package keystore

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"
	"github.com/thales-e-security/pool"

	"kopir/signature/algorithm"
	"kopir/signature/nuc"
)

// Signatures that a token makes at once, and how long one waits for its turn.
// Small tokens have ten sessions or fewer, and make one signature at a time.
const (
	tokenSessions = 8
	tokenWait     = 30 * time.Second
)

// OpenToken logs in to a token and finds the key and its certificate: one of
// t.Certificates, or one that the token keeps under the key's id or label. The
// key signs until it is garbage; if the token goes away it is looked for again
// at each signature.
//
// Errors: ErrModule, ErrNoToken, ErrPIN, ErrPINLocked, ErrNoTokenKey,
// ErrTokenFailed (wrapped), *MismatchError, *UnsupportedKeyError. A PIN that
// was refused is not tried again: three wrong ones lock a token. While the
// process has another key of the same token open, the token asks for no PIN, so
// a wrong one shows only after that.
func OpenToken(t Token) (*Key, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	c := &connection{token: t}
	key, err := c.open()
	if err != nil {
		c.close()
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	return key, nil
}

func (c *connection) open() (*Key, error) {
	s, err := c.current(nil)
	if err != nil {
		return nil, err
	}
	c.public = s.Public()
	signer := &tokenSigner{connection: c}
	private, err := algorithm.NewPrivateKey(signer)
	if err != nil {
		return nil, &UnsupportedKeyError{Name: fmt.Sprintf("%T", c.public)} // EC, for one
	}
	certs := slices.Clone(c.token.Certificates)
	if len(certs) == 0 {
		if certs, err = c.certificates(s); err != nil {
			return nil, err
		}
	}
	key, err := join(private, certs, c.token.KeyLabel)
	if err != nil {
		return nil, err
	}
	// Whoever signs holds the signer; when nobody does, the sessions end.
	runtime.AddCleanup(signer, (*connection).close, c)
	key.close = c.close
	return key, nil
}

// connection is the way to one key, opened anew when the token went away. It
// is safe for concurrent use.
type connection struct {
	token  Token
	public crypto.PublicKey

	mu      sync.Mutex
	context *crypto11.Context // nil: not connected
	key     crypto11.Signer
	ended   error // why it is not opened again: the PIN was refused, or it was closed
}

// tokenSigner is the crypto.Signer that others see.
type tokenSigner struct{ *connection }

func (s *tokenSigner) Public() crypto.PublicKey { return s.public }

// Sign makes a signature, on a new connection if the old one has broken.
func (s *tokenSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	key, err := s.current(nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.token, err)
	}
	value, err := key.Sign(rand, digest, opts)
	switch {
	case err == nil:
		return value, nil
	case errors.Is(err, pool.ErrTimeout):
		return nil, fmt.Errorf("%s: %w: all of its sessions were busy for %s", s.token, ErrTokenFailed, tokenWait)
	}
	if key, err = s.current(key); err != nil { // other than the one that failed
		return nil, fmt.Errorf("%s: %w", s.token, err)
	}
	if value, err = key.Sign(rand, digest, opts); err != nil {
		return nil, fmt.Errorf("%s: %w", s.token, tokenError(err))
	}
	return value, nil
}

// current gives the key on an open connection. If that is the one that has
// failed, the connection is opened anew.
func (c *connection) current(failed crypto11.Signer) (crypto11.Signer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended != nil:
		return nil, c.ended
	case c.key != nil && c.key != failed:
		return c.key, nil
	}
	c.drop()
	if _, err := os.Stat(c.token.Module); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	context, err := crypto11.Configure(&crypto11.Config{
		Path: c.token.Module, TokenLabel: c.token.Label, SlotNumber: c.token.Slot, Pin: c.token.PIN,
		MaxSessions: tokenSessions + 1, PoolWaitTimeout: tokenWait,
	})
	if err != nil {
		err = tokenError(err)
		if errors.Is(err, ErrPIN) || errors.Is(err, ErrPINLocked) {
			c.ended = err
		}
		return nil, err
	}
	c.context = context
	if c.key, err = c.find(); err != nil {
		c.drop()
		return nil, err
	}
	return c.key, nil
}

// find finds the one key that the configuration names.
func (c *connection) find() (crypto11.Signer, error) {
	keys, err := c.context.FindKeyPairs(c.token.KeyID, []byte(c.token.KeyLabel))
	switch {
	case err != nil:
		return nil, tokenError(err)
	case len(keys) == 0:
		return nil, ErrNoTokenKey
	case len(keys) > 1:
		return nil, fmt.Errorf("%w: %d have this name; name it by its id too, so that it is plain who signs", ErrNoTokenKey, len(keys))
	case c.public != nil && !samePublic(c.public, keys[0].Public()):
		return nil, fmt.Errorf("%w: another key bears its name now", ErrNoTokenKey)
	}
	return keys[0], nil
}

func samePublic(a, b crypto.PublicKey) bool {
	equal, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && equal.Equal(b)
}

// certificates are those that the token keeps beside the key.
func (c *connection) certificates(key crypto11.Signer) ([]*nuc.Certificate, error) {
	id := c.token.KeyID
	if a, err := c.context.GetAttribute(key, crypto11.CkaId); err == nil && a != nil && len(a.Value) > 0 {
		id = a.Value
	}
	var out []*nuc.Certificate
	for _, by := range []struct{ id, label []byte }{{id, nil}, {nil, []byte(c.token.KeyLabel)}} {
		if len(by.id)+len(by.label) == 0 {
			continue
		}
		found, err := c.context.FindCertificate(by.id, by.label, nil)
		if err != nil {
			return nil, fmt.Errorf("%w: its certificate does not read; name a file that holds it: %w", ErrTokenFailed, err)
		}
		if found == nil {
			continue
		}
		cert, err := nuc.ParseCertificate(found.Raw)
		if err != nil {
			return nil, fmt.Errorf("the certificate on the token: %w", err)
		}
		out = append(out, cert)
	}
	return out, nil
}

func (c *connection) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = errors.New("the key was closed")
	}
	c.drop()
}

// drop ends what is open. The last connection of a process to a library
// unloads it, so that the next one sees the tokens of that time.
func (c *connection) drop() {
	if c.context != nil {
		_ = c.context.Close() // it waits for signatures under way and has no errors of its own
	}
	c.context, c.key = nil, nil
}

// tokenError tells apart what people can do something about.
func tokenError(err error) error {
	var code pkcs11.Error
	if !errors.As(err, &code) {
		// The library has no values for these.
		switch text := err.Error(); {
		case text == "could not find PKCS#11 token":
			return ErrNoToken
		case text == "failed to create module context: failed to open module":
			return fmt.Errorf("%w: it is not a PKCS#11 library, or not for this machine", ErrModule)
		case strings.HasPrefix(text, "unsupported key type"): // CKK_GOSTR3410 is 30
			return &UnsupportedKeyError{Name: "CKA_KEY_TYPE" + strings.TrimPrefix(text, "unsupported key type:")}
		}
		return fmt.Errorf("%w: %w", ErrTokenFailed, err)
	}
	switch code {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED:
		return fmt.Errorf("%w (%w)", ErrPIN, code)
	case pkcs11.CKR_PIN_LOCKED:
		return ErrPINLocked
	case pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_SLOT_ID_INVALID, pkcs11.CKR_DEVICE_REMOVED:
		return fmt.Errorf("%w (%w)", ErrNoToken, code)
	}
	return fmt.Errorf("%w: %w", ErrTokenFailed, err)
}
