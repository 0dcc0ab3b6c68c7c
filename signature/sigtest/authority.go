package sigtest

import (
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// Paths below Options.BaseURL, as the certificates name them.
const (
	PathRoot     = "/cert/root.cer"
	PathIssuing  = "/cert/nca.cer"
	PathCRL      = "/crl/nca.crl"
	PathDeltaCRL = "/crl/nca_d.crl"
	PathRootCRL  = "/crl/root.crl"
	PathOCSP     = "/ocsp"
)

// DefaultBaseURL is what certificates point to when Options.BaseURL is empty:
// a name that resolves nowhere (RFC 2606).
const DefaultBaseURL = "http://ca.invalid/ca"

const day = 24 * time.Hour

// Noon is a moment at which everything that a default authority issues by
// default is valid: the fixed clock for tests.
func Noon() time.Time { return time.Date(2026, 6, 15, 7, 0, 0, 0, time.UTC) }

// Options of an authority. The zero value is good.
type Options struct {
	BaseURL   string    // of the addresses in certificates; empty: DefaultBaseURL
	Day       time.Time // leaves start a day before it; zero: 2026-06-01. Root: 3 years before to 17 after; issuing CA: 1 before to 9 after
	FreshKeys bool      // generate keys instead of taking the public test keys (RSA: seconds instead of milliseconds)
	Algorithm Algorithm // of root, issuing CA, responder, and of leaves whose profile brings no key
}

// Authority is a root and its issuing CA. Safe for concurrent use.
//
// Without FreshKeys everything is deterministic: the same calls in the same order
// on an authority of the same name and options give the same bytes.
type Authority struct {
	name, base string
	names      authorityNames
	day        time.Time
	fresh      bool
	variant    int // which pool keys
	algorithm  Algorithm

	root, issuing *link
	responder     *Credential

	mu      sync.Mutex
	issued  map[string]*Credential // by serial, decimal
	counter uint64
	revoked []revocation
}

// Algorithm is with what the authority signs.
func (a *Authority) Algorithm() Algorithm { return a.algorithm }

// link is a CA certificate with its key.
type link struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewAuthority makes an authority. Its name is added to the names of root and
// issuing CA when it is not empty, and chooses its pool keys, so that a named
// authority and the unnamed one are strangers.
func NewAuthority(name string, o Options) (*Authority, error) {
	all, err := names()
	if err != nil {
		return nil, err
	}
	if _, ok := schemes[o.Algorithm]; !ok {
		return nil, fmt.Errorf("sigtest: no algorithm %d", o.Algorithm)
	}
	n := all.RSA
	if o.Algorithm != RSA {
		n = all.GOST
	}
	a := &Authority{algorithm: o.Algorithm, name: name, names: n, base: strings.TrimRight(o.BaseURL, "/"), day: o.Day.UTC().Truncate(time.Second), fresh: o.FreshKeys, issued: map[string]*Credential{}}
	if o.BaseURL == "" {
		a.base = DefaultBaseURL
	}
	if o.Day.IsZero() {
		a.day = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	}
	if name != "" {
		// Pair 0 of the pool is the unnamed authority's alone.
		sum := 0
		for _, b := range []byte(name) {
			sum += int(b)
		}
		a.variant = (1 + sum%(caKeys/2-1)) * 2
	}
	if err := a.makeRoot(); err != nil {
		return nil, err
	}
	if err := a.makeIssuing(); err != nil {
		return nil, err
	}
	a.responder, err = a.Issue(Profile{Kind: Responder, CommonName: a.names.Responder})
	return a, err
}

func (a *Authority) url(path string) string { return a.base + path }

// title adds the authority's name to one of the fixed names.
func (a *Authority) title(s string) string {
	if a.name == "" {
		return s
	}
	return s + " " + a.name
}

func (a *Authority) caKey(n int) (crypto.Signer, error) {
	switch {
	case a.fresh:
		return freshKeyOf(a.algorithm, caBits)
	case a.algorithm == RSA:
		return caKey(a.variant + n)
	}
	return derivedKey(a.algorithm, fmt.Sprintf("authority %q %d", a.name, n))
}

func (a *Authority) makeRoot() error {
	key, err := a.caKey(0)
	if err != nil {
		return err
	}
	subject, err := name(utf8(oidCN, a.title(a.names.Root)), printable(oidCountry, "KZ"))
	if err != nil {
		return err
	}
	a.root, err = a.makeLink(draft{subject: subject, notBefore: a.day.AddDate(-3, 0, 0), notAfter: a.day.AddDate(17, 0, 0)}, key, policyRoot, nil)
	return err
}

func (a *Authority) makeIssuing() error {
	key, err := a.caKey(1)
	if err != nil {
		return err
	}
	subject, policy := []attribute{printable(oidCountry, "KZ"), utf8(oidCN, a.title(a.names.Issuing))}, policyIssuing
	if a.algorithm == GOST2015 {
		// As the authority of 2022 is written.
		subject[0], subject[1], policy = subject[1], subject[0], policyLeaf
	}
	der, err := name(subject...)
	if err != nil {
		return err
	}
	a.issuing, err = a.makeLink(draft{subject: der, notBefore: a.day.AddDate(-1, 0, 0), notAfter: a.day.AddDate(9, 0, 0)}, key, policy, a.root)
	return err
}

// makeLink signs a CA certificate; parent nil: by itself.
func (a *Authority) makeLink(d draft, key crypto.Signer, policy asn1.ObjectIdentifier, parent *link) (*link, error) {
	ski, err := keyID(key)
	if err != nil {
		return nil, err
	}
	d.serial = serialOf(ski)
	if a.algorithm != RSA {
		d.serial = new(big.Int).SetBytes(lowered(ski))
	}
	issuer, by, akiSKI, akiSerial := d.subject, key, ski, d.serial
	var akiIssuer []byte
	if parent != nil {
		issuer, by, akiSKI, akiSerial = parent.cert.RawSubject, parent.key, parent.cert.SubjectKeyId, parent.cert.SerialNumber
	}
	if a.algorithm == GOST2015 {
		akiIssuer = issuer // both are issued by the root
	}
	var l extensionList
	usage := func() { l.add(usageExtension(x509.KeyUsageCertSign | x509.KeyUsageCRLSign)) }
	basic := func() { l.add(authorityExtension()) }
	keys := func() {
		l.add(subjectKeyExtension(ski))
		l.add(authorityKeyExtension(akiSKI, akiIssuer, akiSerial))
	}
	access := func() { l.add(accessExtension("", a.url(PathRoot))) }
	point := func() { l.add(pointExtension(oidCRLPoints, a.url(PathRootCRL))) }
	if parent == nil {
		access, point = func() {}, func() {}
	}
	order := []func(){usage, basic, keys, access, point}
	if a.algorithm == GOST2015 {
		order = []func(){basic, usage, point, keys, access}
	}
	for _, add := range order {
		add()
	}
	l.add(policies(policy, a.url("/cps")))
	if d.extensions = l.list; l.err != nil {
		return nil, l.err
	}
	cert, err := d.sign(key, issuer, by)
	if err != nil {
		return nil, err
	}
	return &link{cert, key}, nil
}

// Issue makes a certificate and its key. The serial number is that of the key
// identifier where the national algorithms are used and the key is the
// certificate's own; else 20 bytes made of the key and a counter.
func (a *Authority) Issue(p Profile) (*Credential, error) {
	subject, err := p.subject(a.names.Organization)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.counter++
	n := a.counter
	a.mu.Unlock()
	key := p.Key
	switch {
	case key != nil:
	case a.fresh:
		key, err = freshKeyOf(a.algorithm, leafBits)
	case a.algorithm == RSA:
		key, err = PoolKey(a.variant*7 + int(n))
	default:
		key, err = derivedKey(a.algorithm, fmt.Sprintf("holder %q %d", a.name, n))
	}
	if err != nil {
		return nil, err
	}
	if p.NotBefore.IsZero() {
		p.NotBefore = a.day.Add(-day)
	}
	if p.NotAfter.IsZero() {
		p.NotAfter = p.NotBefore.AddDate(1, 0, 0)
	}
	if !p.NotBefore.Before(p.NotAfter) {
		return nil, errors.New("sigtest: a certificate must end after it begins")
	}
	algorithm, _, err := algorithmOf(key)
	if err != nil {
		return nil, err
	}
	ski, err := keyID(key)
	if err != nil {
		return nil, err
	}
	serial := serialOf(binary.BigEndian.AppendUint64(append([]byte(nil), ski...), n))
	if algorithm != RSA && p.Key == nil {
		serial = new(big.Int).SetBytes(lowered(ski)) // each certificate has a key of its own
	}
	extensions, err := a.extensions(p, algorithm, ski)
	if err != nil {
		return nil, err
	}
	cert, err := draft{serial, subject, p.NotBefore, p.NotAfter, extensions}.sign(key, a.issuing.cert.RawSubject, a.issuing.key)
	if err != nil {
		return nil, err
	}
	c := &Credential{Profile: p, DER: cert.Raw, Certificate: cert, Signer: key, Chain: [][]byte{cert.Raw, a.issuing.cert.Raw, a.root.cert.Raw}}
	a.mu.Lock()
	a.issued[cert.SerialNumber.String()] = c
	a.mu.Unlock()
	return c, nil
}

// Root and Issuing give the DER certificates of the two authorities.
func (a *Authority) Root() []byte { return a.root.cert.Raw }

// Issuing gives the DER certificate of the issuing CA.
func (a *Authority) Issuing() []byte { return a.issuing.cert.Raw }

// Responder is the OCSP responder's own certificate and key.
func (a *Authority) Responder() *Credential { return a.responder }

// RootsPEM is the trust anchor; ChainPEM the anchor and the issuing CA.
func (a *Authority) RootsPEM() []byte { return certPEM(a.Root()) }

// ChainPEM gives root and issuing CA in one file.
func (a *Authority) ChainPEM() []byte { return append(certPEM(a.Root()), certPEM(a.Issuing())...) }

// Issued gives every certificate issued so far with this serial number.
func (a *Authority) Issued(serial *big.Int) (*Credential, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.issued[serial.String()]
	return c, ok
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// serialOf makes a positive serial number of 20 bytes: SHA-1 with the top hex
// digit lowered, as the national authority does with key identifiers.
func serialOf(seed []byte) *big.Int {
	sum := sha1.Sum(seed)
	sum[0] = sum[0]&0x3f | 0x40
	return new(big.Int).SetBytes(sum[:])
}
