package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"kopir/gateway"
)

// Role is what the holder of an API key may do. The zero value may nothing;
// each role may all that the one before it may.
type Role uint8

// The roles, from the least to the most.
const (
	NoRole     Role = iota
	Reader          // lists and reads
	Specialist      // takes, decides, refuses, hands over, files applications of the office channel
	Official        // extends the term
	Admin           // deliveries
)

var roleNames = [...]string{"", "reader", "specialist", "official", "admin"}

func (r Role) String() string { return roleNames[r] }

// ParseRole reads the name of a role.
func ParseRole(s string) (Role, error) {
	for i, n := range roleNames {
		if i > 0 && n == s {
			return Role(i), nil
		}
	}
	return NoRole, fmt.Errorf("unknown role %q; known: %s", s, strings.Join(roleNames[1:], ", "))
}

// Principal is who asks: the entry of an API key, or a partner.
type Principal struct {
	Name    string // of the system or person, goes into the journal as the actor
	Role    Role
	Office  string             // the office for which it acts; empty: all
	Partner *gateway.Admission // that signed the request; nil: a key was shown
	// Answered with our signature.
	Answered bool
}

// Keys holds the hashes of the API keys. A key carries 256 random bits, so a
// plain SHA-256 of it is as strong as the key: there is nothing to guess that
// a slow hash could slow down.
type Keys struct {
	byHash map[[sha256.Size]byte]Principal
}

// NewKeys is an empty set: it lets nobody in.
func NewKeys() *Keys { return &Keys{byHash: map[[sha256.Size]byte]Principal{}} }

// keyPrefix makes a leaked key recognisable to secret scanners; a key has its
// 32 random octets in base64 behind it.
const (
	keyPrefix = "kopir_"
	keyLength = len(keyPrefix) + 43
)

// NewKey makes a key and its hash. The key is shown once and kept nowhere.
func NewKey() (key, hash string) {
	var b [32]byte
	rand.Read(b[:])
	key = keyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return key, HashKey(key)
}

// HashKey is what the configuration stores of a key: 64 hexadecimal digits.
func HashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// IsHash says whether s has the form that HashKey gives.
func IsHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && strings.ToLower(s) == s
}

// Add puts the hash of a key into the set.
func (k *Keys) Add(hash string, p Principal) error {
	if !IsHash(hash) {
		return fmt.Errorf("server: API key %q: not a SHA-256 in 64 hexadecimal digits", p.Name)
	}
	if p.Role == NoRole || p.Name == "" {
		return fmt.Errorf("server: API key %q: a name and a role are needed", p.Name)
	}
	var sum [sha256.Size]byte
	hex.Decode(sum[:], []byte(hash))
	if _, dup := k.byHash[sum]; dup {
		return fmt.Errorf("server: API key %q: the same key stands twice", p.Name)
	}
	k.byHash[sum] = p
	return nil
}

// find looks the key of a request up: `Authorization: Bearer KEY` (RFC 6750).
func (k *Keys) find(h http.Header) (Principal, bool) {
	scheme, key, ok := strings.Cut(h.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return Principal{}, false
	}
	key = strings.TrimSpace(key)
	if !strings.HasPrefix(key, keyPrefix) || len(key) != keyLength {
		return Principal{}, false // not made by NewKey: somebody's own word, which can be guessed
	}
	p, ok := k.byHash[sha256.Sum256([]byte(key))]
	return p, ok
}
