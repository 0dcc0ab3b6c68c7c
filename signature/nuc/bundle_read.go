package nuc

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// bundleReader takes a bundle's lines in their order.
type bundleReader struct {
	lines []string
	at    int // of the last line taken, from 1
}

func (r *bundleReader) next() string {
	if r.at >= len(r.lines) {
		r.at = len(r.lines) + 1
		return ""
	}
	r.at++
	return r.lines[r.at-1]
}

// field takes the line of a key that must stand here.
func (r *bundleReader) field(key string) (string, error) {
	line := r.next()
	value, ok := strings.CutPrefix(line, key+": ")
	if !ok {
		return "", fmt.Errorf("%q is due here", key+": ")
	}
	return value, nil
}

// comment takes a comment, if one stands here.
func (r *bundleReader) comment() string {
	if r.at < len(r.lines) {
		if value, ok := strings.CutPrefix(r.lines[r.at], "comment: "); ok {
			r.at++
			return value
		}
	}
	return ""
}

func (r *bundleReader) read() (*Bundle, ed25519.PublicKey, []byte, error) {
	fail := func(err error) (*Bundle, ed25519.PublicKey, []byte, error) { return nil, nil, nil, err }
	b := &Bundle{}
	if r.next() != bundleHead {
		return fail(fmt.Errorf("not a trust bundle: it begins with %q", bundleHead))
	}
	issue, err := r.field("issue")
	if err != nil {
		return fail(err)
	}
	if b.Issue, err = strconv.ParseUint(issue, 10, 63); err != nil {
		return fail(fmt.Errorf("issue %q is not a number", issue))
	}
	date, err := r.field("date")
	if err != nil {
		return fail(err)
	}
	if b.Date, err = time.Parse("2006-01-02T15:04:05Z", date); err != nil {
		return fail(fmt.Errorf("date %q is not a time as 2026-11-22T06:00:00Z", date))
	}
	b.Comment = r.comment()
	if r.next() != "" {
		return fail(errors.New("an empty line is due here"))
	}
	for r.at < len(r.lines) && strings.HasPrefix(r.lines[r.at], "certificate: ") {
		if len(b.Entries) == maxBundleEntries {
			return fail(fmt.Errorf("more than %d certificates", maxBundleEntries))
		}
		e, err := r.entry()
		if err != nil {
			return fail(err)
		}
		b.Entries = append(b.Entries, e)
	}
	key, err := r.key()
	if err != nil {
		return fail(err)
	}
	text, err := r.field("signature")
	if err != nil {
		return fail(err)
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return fail(fmt.Errorf("the signature is not %d bytes in base64", ed25519.SignatureSize))
	}
	if r.next() != "" || r.at != len(r.lines) {
		return fail(errors.New("nothing may follow the signature"))
	}
	return b, key, signature, b.check()
}

func (r *bundleReader) key() (ed25519.PublicKey, error) {
	text, err := r.field("key")
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("the key is not in base64")
	}
	parsed, err := x509.ParsePKIXPublicKey(raw)
	key, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, errors.New("the key is not an Ed25519 public key")
	}
	return key, nil
}

func (r *bundleReader) entry() (Entry, error) {
	var e Entry
	for _, f := range []struct {
		key string
		set func(string) error
	}{
		{"certificate", oneOf(&e.Root, "root", "intermediate")},
		{"status", oneOf(&e.Candidate, "candidate", "trusted")},
		{"purpose", func(s string) (err error) { e.Purpose, err = ParsePurpose(s); return err }},
	} {
		value, err := r.field(f.key)
		if err == nil {
			err = f.set(value)
		}
		if err != nil {
			return e, err
		}
	}
	sum, err := r.field("sha256")
	if err != nil {
		return e, err
	}
	e.Comment = r.comment()
	var text strings.Builder
	for line := r.next(); line != ""; line = r.next() {
		text.WriteString(line)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text.String())
	if err != nil {
		return e, fmt.Errorf("the certificate is not in base64: %w", err)
	}
	if e.Certificate, err = ParseCertificate(raw); err != nil {
		return e, err
	}
	if hex.EncodeToString(e.Certificate.Fingerprint[:]) != sum {
		return e, fmt.Errorf("the certificate has the SHA-256 %x, not %s", e.Certificate.Fingerprint, sum)
	}
	return e, nil
}

// oneOf reads one of two words.
func oneOf(into *bool, yes, no string) func(string) error {
	return func(s string) error {
		if s != yes && s != no {
			return fmt.Errorf("%q is neither %s nor %s", s, yes, no)
		}
		*into = s == yes
		return nil
	}
}
