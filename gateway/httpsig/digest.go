package httpsig

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
)

// digests are the algorithms of RFC 9530 that prove anything.
var digests = map[string]func([]byte) []byte{
	"sha-256": func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
	"sha-512": func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
}

// Digest is the value of Content-Digest for a body, by SHA-256.
func Digest(body []byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(digests["sha-256"](body)) + ":"
}

// CheckDigest compares a body with Content-Digest. Every digest of a known
// algorithm must fit, and there must be one. The error is an *Error.
func CheckDigest(h http.Header, body []byte) error {
	d, err := dictionary(h, fieldDigest)
	if err != nil {
		return err
	}
	known := false
	for _, m := range d {
		sum, ok := digests[m.key]
		if !ok {
			continue
		}
		given, ok := m.value.([]byte)
		if !ok {
			return bad(Malformed, fieldDigest, m.key, "Content-Digest %s is not a byte sequence", m.key)
		}
		if subtle.ConstantTimeCompare(given, sum(body)) != 1 {
			return bad(WrongDigest, fieldDigest, m.key, "Content-Digest %s is not that of the body", m.key)
		}
		known = true
	}
	if !known {
		return bad(Malformed, fieldDigest, "", "Content-Digest has neither sha-256 nor sha-512")
	}
	return nil
}
