package nuc

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"kopir/signature/verdict"
)

// Trust holds the roots that are believed, the authorities between them and
// the signers, and certificates known beforehand. It is safe for concurrent
// use; whatever is added empties its caches.
type Trust struct {
	mu         sync.RWMutex
	entries    map[[sha256.Size]byte]Entry
	trusted    authorities
	candidates authorities
	known      known
	parsed     cache[*Certificate]
	paths      cache[*paths]

	hitsMu sync.Mutex
	hits   map[[sha256.Size]byte]uint64 // by candidate
}

// NewTrust is a store that trusts nothing.
func NewTrust() *Trust {
	return &Trust{
		entries:    map[[sha256.Size]byte]Entry{},
		trusted:    authorities{},
		candidates: authorities{},
		known:      newKnown(),
	}
}

// AddRoot makes a certificate a trust anchor for every purpose.
func (t *Trust) AddRoot(c *Certificate) error {
	return t.Add(Entry{Certificate: c, Root: true, Purpose: PurposeAll})
}

func checkRoot(c *Certificate) error {
	if !c.SelfIssued() {
		return nil
	}
	if check := c.CheckSigned(verdict.CheckChain, "the root", c.Algorithm, c.RawTBS, c.SignatureValue); check.Reason == verdict.SigCryptoFailure {
		return fmt.Errorf("root %s: %s", c.SubjectName, check.Detail)
	}
	return nil
}

// AddIntermediate adds an authority that chains may pass through, for every
// purpose. It is not believed by being here: its own chain must lead to a root.
func (t *Trust) AddIntermediate(c *Certificate) {
	_ = t.Add(Entry{Certificate: c, Purpose: PurposeAll}) // fails for roots and purposes alone
}

// AddKnown adds a certificate that a message may name without carrying it.
// Nothing is believed of it.
func (t *Trust) AddKnown(c *Certificate) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known.add(c)
}

// Roots and Authorities list what is there, for people.
func (t *Trust) Roots() []*Certificate       { return t.list(true) }
func (t *Trust) Authorities() []*Certificate { return t.list(false) }

func (t *Trust) list(roots bool) []*Certificate {
	var out []*Certificate
	for _, e := range t.Entries() {
		if !e.Candidate && e.Root == roots {
			out = append(out, e.Certificate)
		}
	}
	return out
}

// IsRoot tells whether a certificate is one of the trust anchors.
func (t *Trust) IsRoot(c *Certificate) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.anchor(c, false)
}

// familiar is how often the certificate of a system comes until its key is
// prepared for many signatures. People seldom come that often.
const familiar = 32

// Parse is ParseCertificate with a memory: the same bytes give the same
// certificate. Senders are few and their certificates come with every message.
func (t *Trust) Parse(raw []byte) (*Certificate, error) {
	if len(raw) > MaxCertificate {
		return ParseCertificate(raw)
	}
	key := sha256.Sum256(raw)
	if c, ok := t.parsed.get(key); ok {
		if k, ok := c.PublicKey.(interface{ Expect() }); ok && c.Subject.IIN == "" && c.asked.Add(1) == familiar {
			k.Expect()
		}
		return c, nil
	}
	c, err := ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	t.parsed.put(key, c)
	return c, nil
}

// LoadTrust reads certificates from files and folders (their files ending in
// .cer .crt .der .pem .cert .ca, not their subfolders), PEM or DER. Self-issued
// ones become roots, the others intermediates. All faults are reported at once;
// none or no root is a fault.
func LoadTrust(paths ...string) (*Trust, error) {
	t := NewTrust()
	err := t.Load(paths...)
	if err == nil && len(t.Roots()) == 0 {
		err = fmt.Errorf("no self-signed certificate in %s: without a root nothing can be trusted", strings.Join(paths, ", "))
	}
	return t, err
}

// Load adds what LoadTrust reads; none or no root is no fault.
func (t *Trust) Load(paths ...string) error {
	var faults []error
	for _, path := range paths {
		certs, err := LoadCertificates(path)
		if err != nil {
			faults = append(faults, err)
		}
		for _, c := range certs {
			if !c.SelfIssued() {
				t.AddIntermediate(c)
			} else if err := t.AddRoot(c); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", path, err))
			}
		}
	}
	return errors.Join(faults...)
}

// certificateSuffixes are the file names that are read from a folder.
var certificateSuffixes = []string{".cer", ".crt", ".der", ".pem", ".cert", ".ca"}

// LoadCertificates reads a file, or the certificate files of a folder. What
// could be read is returned beside the error. In a folder, PEM files without
// a certificate (keys, requests) are passed over.
func LoadCertificates(path string) ([]*Certificate, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return loadFile(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var out []*Certificate
	var faults []error
	for _, e := range entries {
		if e.Type()&fs.ModeType&^fs.ModeSymlink != 0 || !slices.Contains(certificateSuffixes, strings.ToLower(filepath.Ext(e.Name()))) {
			continue
		}
		certs, err := loadFile(filepath.Join(path, e.Name()))
		if err != nil && !errors.Is(err, errNoCertificate) {
			faults = append(faults, err)
		}
		out = append(out, certs...)
	}
	if len(out) == 0 && len(faults) == 0 {
		faults = append(faults, fmt.Errorf("%s: no certificate in this folder (%s)", path, strings.Join(certificateSuffixes, " ")))
	}
	return out, errors.Join(faults...)
}

// maxCertificateFile bounds a file of many certificates.
const maxCertificateFile = 16 << 20

func loadFile(path string) ([]*Certificate, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxCertificateFile {
		return nil, fmt.Errorf("%s: %d bytes; at most %d are read", path, info.Size(), maxCertificateFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	certs, err := ParsePEMOrDER(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certs, nil
}
