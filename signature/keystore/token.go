package keystore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"kopir/signature/nuc"
)

// Token says which key of which device signs. The device's library speaks
// PKCS#11; it is RSA that is asked of it.
type Token struct {
	Module string // path of the device's library
	Label  string // of the token; empty: it is found by Slot
	Slot   *int   // number of the slot; nil: found by Label
	PIN    string

	KeyLabel string // CKA_LABEL of the private key; empty: found by KeyID
	KeyID    []byte // CKA_ID of the private key; empty: found by KeyLabel
	// Certificates are looked at before the token's own, and need not be there.
	Certificates []*nuc.Certificate
}

// Errors of tokens. All are wrapped in what says which token, or which key.
var (
	// ErrNoHSM: tokens need cgo, so the plain binary has no part for them.
	ErrNoHSM       = errors.New("this binary was built without hsm: go build -tags hsm (with cgo and a C compiler)")
	ErrModule      = errors.New("the library of the token does not load")
	ErrNoToken     = errors.New("there is no such token")
	ErrPIN         = errors.New("the token does not take the PIN")
	ErrPINLocked   = errors.New("the token has locked the PIN after too many wrong ones; its security officer unlocks it")
	ErrNoTokenKey  = errors.New("there is no such private key on the token")
	ErrTokenFailed = errors.New("the token does not answer as it should")
)

// Check says what is missing for a token and its key to be found.
func (t Token) Check() error {
	switch {
	case t.Module == "":
		return errors.New("the module is missing: the path of the token's PKCS#11 library")
	case (t.Label == "") == (t.Slot == nil):
		return errors.New("name the token either by its label or by its slot")
	case t.KeyLabel == "" && len(t.KeyID) == 0:
		return errors.New("name the key on the token by its label, its id, or both")
	}
	return nil
}

// String names token and key for people.
func (t Token) String() string {
	where := strconv.Quote(t.Label)
	if t.Slot != nil {
		where = fmt.Sprintf("in slot %d", *t.Slot)
	}
	var key []string
	if t.KeyLabel != "" {
		key = append(key, strconv.Quote(t.KeyLabel))
	}
	if len(t.KeyID) > 0 {
		key = append(key, "id "+hex.EncodeToString(t.KeyID))
	}
	return "token " + where + ", key " + strings.Join(key, ", ")
}

// TokenScheme begins a PKCS#11 URI.
const TokenScheme = "pkcs11:"

// ParseTokenURI reads a PKCS#11 URI (RFC 7512) such as
//
//	pkcs11:token=bridge;object=signing?module-path=/usr/lib/softhsm/libsofthsm2.so
//
// with the attributes token, slot-id, object, id and type=private, and
// module-path in its query. Others are refused, not passed over: they would
// have told keys apart. A PIN in it is refused too: every user of the machine
// sees the arguments of commands.
func ParseTokenURI(uri string) (Token, error) {
	rest, ok := strings.CutPrefix(uri, TokenScheme)
	if !ok {
		return Token{}, fmt.Errorf("a token's key is named by a PKCS#11 URI, which begins with %q", TokenScheme)
	}
	var t Token
	path, query, _ := strings.Cut(rest, "?")
	seen := map[string]bool{}
	set := func(attribute string) error {
		name, raw, _ := strings.Cut(attribute, "=")
		value, err := url.PathUnescape(raw)
		switch {
		case err != nil:
			return fmt.Errorf("PKCS#11 URI: %s: wrong percent encoding", name)
		case value == "":
			return fmt.Errorf("PKCS#11 URI: %s has no value", name)
		case seen[name]:
			return fmt.Errorf("PKCS#11 URI: %s stands twice", name)
		}
		seen[name] = true
		switch name {
		case "token":
			t.Label = value
		case "object":
			t.KeyLabel = value
		case "id":
			t.KeyID = []byte(value)
		case "module-path":
			t.Module = value
		case "slot-id":
			t.Slot, err = ParseSlot(value)
			return err
		case "type":
			if value != "private" {
				return fmt.Errorf("PKCS#11 URI: type=%s; private is meant", value)
			}
		case "pin-value", "pin-source":
			return errors.New("PKCS#11 URI: the PIN does not belong here; it is read from a file or from KOPIR_PASS")
		default:
			return fmt.Errorf("PKCS#11 URI: the attribute %s is not known; known are token, slot-id, object, id, type and module-path", name)
		}
		return nil
	}
	for _, list := range []struct{ text, by string }{{path, ";"}, {query, "&"}} {
		for _, attribute := range strings.Split(list.text, list.by) {
			if attribute == "" {
				continue
			}
			if err := set(attribute); err != nil {
				return Token{}, err
			}
		}
	}
	return t, t.Check()
}

// ParseSlot reads the number of a slot.
func ParseSlot(text string) (*int, error) {
	n, err := strconv.ParseUint(text, 10, 62)
	if err != nil {
		return nil, fmt.Errorf("%q is not the number of a slot", text)
	}
	slot := int(n)
	return &slot, nil
}
