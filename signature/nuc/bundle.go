package nuc

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bundle is everything that an organisation trusts, as one signed file. Its
// text has exactly one form, so that issues can be compared line by line and
// the same content is always the same bytes:
//
//	kopir trust bundle 1
//	issue: 7
//	date: 2026-11-22T06:00:00Z
//	comment: why this issue                  (may be left out)
//
//	certificate: root                        (or intermediate; sorted by sha256)
//	status: trusted                          (or candidate)
//	purpose: sign stamp                      (sign, stamp or both)
//	sha256: 64 hexadecimal digits, of the DER
//	comment: where it came from              (may be left out)
//	base64 of the DER in lines of 64
//
//	key: base64 of the Ed25519 public key's SubjectPublicKeyInfo
//	signature: base64, over every byte before this line
//
// Ed25519 and a key of the operator's own, not the bridge's: what decides whom
// to believe must not hang on a certificate that it vouches for, must not
// expire with it, and its key need not lie on the server.
type Bundle struct {
	Issue   uint64 // 1 or more; grows with every change
	Date    time.Time
	Comment string
	Entries []Entry
	Signer  Pin    // zero until it is signed
	Raw     []byte // as it was signed
}

// Pin is the SHA-256 of a public key's SubjectPublicKeyInfo: what the
// configuration holds of the key that may sign bundles.
type Pin [sha256.Size]byte

func (p Pin) String() string { return hex.EncodeToString(p[:]) }

// ParsePin reads 64 hexadecimal digits.
func ParsePin(s string) (Pin, error) {
	var p Pin
	if n, err := hex.Decode(p[:], []byte(strings.TrimSpace(s))); err != nil || n != len(p) || len(strings.TrimSpace(s)) != 2*len(p) {
		return Pin{}, fmt.Errorf("%q is not a key's fingerprint: 64 hexadecimal digits", s)
	}
	return p, nil
}

// PinOf is the fingerprint of a key.
func PinOf(key ed25519.PublicKey) Pin { return sha256.Sum256(publicKeyInfo(key)) }

func publicKeyInfo(key ed25519.PublicKey) []byte {
	raw, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err) // an Ed25519 key has one form
	}
	return raw
}

// Bounds of a bundle.
const (
	MaxBundle        = 4 << 20
	maxBundleEntries = 256
	maxComment       = 200
)

const bundleHead = "kopir trust bundle 1"

// Errors of OpenBundle and Follows that callers tell apart.
var (
	ErrBundleSigner = errors.New("the bundle is not signed by a pinned key")
	ErrBundleOlder  = errors.New("the bundle's issue is lower than one that was already accepted")
)

// OpenBundle reads a bundle and verifies it under one of the pinned keys.
func OpenBundle(raw []byte, pins ...Pin) (*Bundle, error) {
	if len(raw) > MaxBundle {
		return nil, fmt.Errorf("trust bundle: more than %d bytes", MaxBundle)
	}
	r := bundleReader{lines: strings.Split(string(raw), "\n")}
	b, key, signature, err := r.read()
	if err != nil {
		return nil, fmt.Errorf("trust bundle: line %d: %w", r.at, err)
	}
	b.Signer, b.Raw = PinOf(key), bytes.Clone(raw)
	if !slices.Contains(pins, b.Signer) {
		return nil, fmt.Errorf("%w: its key is %s", ErrBundleSigner, b.Signer)
	}
	signed := raw[:bytes.LastIndex(raw, []byte("signature: "))]
	if !ed25519.Verify(key, signed, signature) {
		return nil, errors.New("trust bundle: the signature does not fit: the file was changed or damaged")
	}
	if !bytes.Equal(raw, seal(b.body(key), signature)) {
		return nil, errors.New("trust bundle: not in its one form (order, blanks, line ends)")
	}
	return b, nil
}

// Sign checks a bundle, and writes and signs it.
func (b *Bundle) Sign(key ed25519.PrivateKey) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("trust bundle: %w", err)
	}
	public := key.Public().(ed25519.PublicKey)
	signed := b.body(public)
	b.Raw, b.Signer = seal(signed, ed25519.Sign(key, signed)), PinOf(public)
	return b.Raw, nil
}

func seal(signed, signature []byte) []byte {
	return fmt.Appendf(slices.Clone(signed), "signature: %s\n", base64.StdEncoding.EncodeToString(signature))
}

// body is the one form of everything that is signed.
func (b *Bundle) body(key ed25519.PublicKey) []byte {
	var out bytes.Buffer
	comment := func(s string) {
		if s != "" {
			fmt.Fprintf(&out, "comment: %s\n", s)
		}
	}
	fmt.Fprintf(&out, "%s\nissue: %d\ndate: %s\n", bundleHead, b.Issue, b.Date.UTC().Format(time.RFC3339))
	comment(b.Comment)
	out.WriteByte('\n')
	slices.SortFunc(b.Entries, func(x, y Entry) int {
		return slices.Compare(x.Certificate.Fingerprint[:], y.Certificate.Fingerprint[:])
	})
	for _, e := range b.Entries {
		fmt.Fprintf(&out, "certificate: %s\nstatus: %s\npurpose: %s\nsha256: %x\n", e.Kind(), e.Status(), e.Purpose, e.Certificate.Fingerprint)
		comment(e.Comment)
		text := base64.StdEncoding.EncodeToString(e.Certificate.Raw)
		for line := range slices.Chunk([]byte(text), 64) {
			out.Write(line)
			out.WriteByte('\n')
		}
		out.WriteByte('\n')
	}
	fmt.Fprintf(&out, "key: %s\n", base64.StdEncoding.EncodeToString(publicKeyInfo(key)))
	return out.Bytes()
}

// Kind is "root" or "intermediate".
func (e Entry) Kind() string {
	if e.Root {
		return "root"
	}
	return "intermediate"
}

// Status is "trusted" or "candidate".
func (e Entry) Status() string {
	if e.Candidate {
		return "candidate"
	}
	return "trusted"
}

// check is what every bundle must keep, read or to be written.
func (b *Bundle) check() error {
	if b.Issue == 0 {
		return errors.New("the issue number begins with 1")
	}
	if b.Date.IsZero() || b.Date.Nanosecond() != 0 {
		return errors.New("the date must be a time in whole seconds")
	}
	if err := checkComment(b.Comment); err != nil {
		return err
	}
	if len(b.Entries) > maxBundleEntries {
		return fmt.Errorf("more than %d certificates", maxBundleEntries)
	}
	seen := map[[sha256.Size]byte]bool{}
	for _, e := range b.Entries {
		if err := e.check(); err != nil {
			return err
		}
		if seen[e.Certificate.Fingerprint] {
			return fmt.Errorf("the certificate %x stands twice", e.Certificate.Fingerprint)
		}
		seen[e.Certificate.Fingerprint] = true
	}
	return nil
}

func (e Entry) check() error {
	c := e.Certificate
	switch {
	case !c.HasBasicConstraints || !c.IsCA:
		return fmt.Errorf("%s is no certification authority", c.SubjectName)
	case e.Root != c.SelfIssued():
		return fmt.Errorf("%s: a root is self-signed, an intermediate is not", c.SubjectName)
	case e.Purpose == 0 || e.Purpose&^PurposeAll != 0:
		return fmt.Errorf("%s: unknown purpose", c.SubjectName)
	}
	if e.Root {
		if err := checkRoot(c); err != nil {
			return err
		}
	}
	return checkComment(e.Comment)
}

func checkComment(s string) error {
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || strings.TrimSpace(s) != s:
		return errors.New("a comment is one line of plain text without blanks around it")
	case utf8.RuneCountInString(s) > maxComment:
		return fmt.Errorf("a comment has at most %d characters", maxComment)
	}
	return nil
}

// Follows is an error if a bundle may not take another's place: its issue is
// lower, or the same with other content.
func (b *Bundle) Follows(old *Bundle) error {
	switch {
	case old == nil || b.Issue > old.Issue:
		return nil
	case b.Issue < old.Issue:
		return fmt.Errorf("%w: %d, accepted %d", ErrBundleOlder, b.Issue, old.Issue)
	case !bytes.Equal(b.Raw, old.Raw):
		return fmt.Errorf("the bundle has the issue number %d of another that was already accepted", b.Issue)
	}
	return nil
}

// AddTo adds the entries to a trust store.
func (b *Bundle) AddTo(t *Trust) error {
	var faults []error
	for _, e := range b.Entries {
		faults = append(faults, t.Add(e))
	}
	return errors.Join(faults...)
}
