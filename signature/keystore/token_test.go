package keystore_test

import (
	"errors"
	"testing"

	"kopir/signature/keystore"
)

func TestTokenURI(t *testing.T) {
	for uri, want := range map[string]string{
		"pkcs11:token=my%20bridge;object=signing?module-path=/m.so": `token "my bridge", key "signing"`,
		"pkcs11:slot-id=3;id=%01%a2;type=private?module-path=/m.so": `token in slot 3, key id 01a2`,
		"pkcs11:token=t;object=o;id=%09?module-path=/m.so":          `token "t", key "o", id 09`,
		"/keys/bridge.p12":                                               `a token's key is named by a PKCS#11 URI, which begins with "pkcs11:"`,
		"pkcs11:token=t;object=o":                                        "the module is missing: the path of the token's PKCS#11 library",
		"pkcs11:object=o?module-path=/m.so":                              "name the token either by its label or by its slot",
		"pkcs11:token=t;slot-id=1;object=o?module-path=/m.so":            "name the token either by its label or by its slot",
		"pkcs11:token=t?module-path=/m.so":                               "name the key on the token by its label, its id, or both",
		"pkcs11:token=t;token=u;object=o?module-path=/m.so":              "PKCS#11 URI: token stands twice",
		"pkcs11:token=t;object=%zz?module-path=/m.so":                    "PKCS#11 URI: object: wrong percent encoding",
		"pkcs11:token=t;object=?module-path=/m.so":                       "PKCS#11 URI: object has no value",
		"pkcs11:token=t;object=o;serial=1?module-path=/m.so":             "PKCS#11 URI: the attribute serial is not known; known are token, slot-id, object, id, type and module-path",
		"pkcs11:token=t;object=o;type=cert?module-path=/m.so":            "PKCS#11 URI: type=cert; private is meant",
		"pkcs11:slot-id=-1;object=o?module-path=/m.so":                   `"-1" is not the number of a slot`,
		"pkcs11:token=t;object=o?module-path=/m.so&pin-value=1234":       "PKCS#11 URI: the PIN does not belong here; it is read from a file or from KOPIR_PASS",
		"pkcs11:token=t;object=o?module-path=/m.so&pin-source=/etc/pin2": "PKCS#11 URI: the PIN does not belong here; it is read from a file or from KOPIR_PASS",
	} {
		token, err := keystore.ParseTokenURI(uri)
		got := token.String()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s", uri, got)
		}
	}
}

// A token is never opened half: the plain binary says what it lacks, the other
// one that the library is not there.
func TestTokenWithoutLibrary(t *testing.T) {
	_, err := keystore.OpenToken(keystore.Token{Module: "/nowhere/module.so", Label: "t", KeyLabel: "k", PIN: "1234"})
	if !errors.Is(err, keystore.ErrNoHSM) && !errors.Is(err, keystore.ErrModule) {
		t.Error(err)
	}
}
