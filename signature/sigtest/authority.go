package sigtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
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
	FreshKeys bool      // generate keys instead of taking those of the pool (seconds instead of milliseconds)
}

// Authority is a root and its issuing CA. Safe for concurrent use.
//
// With pool keys everything is deterministic: the same calls in the same order
// on an authority of the same name and options give the same bytes.
type Authority struct {
	name, base string
	names      authorityNames
	day        time.Time
	fresh      bool
	variant    int // which pool keys

	root, issuing *link
	responder     *Credential

	mu      sync.Mutex
	issued  map[string]*Credential // by serial, decimal
	counter uint64
	revoked []revocation
}

// link is a CA certificate with its key.
type link struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewAuthority makes an authority. Its name is added to the names of root and
// issuing CA when it is not empty, and chooses its pool keys, so that a named
// authority and the unnamed one are strangers.
func NewAuthority(name string, o Options) (*Authority, error) {
	n, err := names()
	if err != nil {
		return nil, err
	}
	a := &Authority{name: name, names: n, base: strings.TrimRight(o.BaseURL, "/"), day: o.Day.UTC().Truncate(time.Second), fresh: o.FreshKeys, issued: map[string]*Credential{}}
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

func (a *Authority) caKey(n int) (*rsa.PrivateKey, error) {
	if a.fresh {
		return freshKey(caBits)
	}
	return caKey(a.variant + n)
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
	policy, err := policies(policyRoot, a.url("/cps"))
	if err != nil {
		return err
	}
	a.root, err = sealLink(&x509.Certificate{
		RawSubject: subject, NotBefore: a.day.AddDate(-3, 0, 0), NotAfter: a.day.AddDate(17, 0, 0),
		AuthorityKeyId: keyID(key), ExtraExtensions: []pkix.Extension{policy},
	}, nil, key)
	return err
}

func (a *Authority) makeIssuing() error {
	key, err := a.caKey(1)
	if err != nil {
		return err
	}
	subject, err := name(printable(oidCountry, "KZ"), utf8(oidCN, a.title(a.names.Issuing)))
	if err != nil {
		return err
	}
	policy, err := policies(policyIssuing, a.url("/cps"))
	if err != nil {
		return err
	}
	a.issuing, err = sealLink(&x509.Certificate{
		RawSubject: subject, NotBefore: a.day.AddDate(-1, 0, 0), NotAfter: a.day.AddDate(9, 0, 0),
		IssuingCertificateURL: []string{a.url(PathRoot)}, CRLDistributionPoints: []string{a.url(PathRootCRL)},
		ExtraExtensions: []pkix.Extension{policy},
	}, a.root, key)
	return err
}

// sealLink signs a CA certificate; parent nil: by itself.
func sealLink(template *x509.Certificate, parent *link, key *rsa.PrivateKey) (*link, error) {
	template.SubjectKeyId = keyID(key)
	template.SerialNumber = serialOf(template.SubjectKeyId)
	template.SignatureAlgorithm = x509.SHA256WithRSA
	template.BasicConstraintsValid, template.IsCA = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	if parent == nil {
		parent = &link{template, key}
	}
	cert, err := create(template, parent, key)
	if err != nil {
		return nil, err
	}
	return &link{cert, key}, nil
}

func create(template *x509.Certificate, parent *link, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	if err != nil {
		return nil, fmt.Errorf("sigtest: certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// Issue makes a certificate and its key. The serial number is 20 bytes made
// of the key and a counter.
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
		key, err = freshKey(leafBits)
	default:
		key, err = PoolKey(a.variant*7 + int(n))
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
	extra, err := a.extensions(p)
	if err != nil {
		return nil, err
	}
	ski := keyID(key)
	cert, err := create(&x509.Certificate{
		SerialNumber: serialOf(binary.BigEndian.AppendUint64(append([]byte(nil), ski...), n)),
		RawSubject:   subject, NotBefore: p.NotBefore, NotAfter: p.NotAfter,
		SignatureAlgorithm: x509.SHA256WithRSA, SubjectKeyId: ski, KeyUsage: p.keyUsage(),
		OCSPServer: []string{a.url(PathOCSP)}, IssuingCertificateURL: []string{a.url(PathIssuing)},
		CRLDistributionPoints: []string{a.url(PathCRL)}, ExtraExtensions: extra,
	}, a.issuing, key)
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

// keyID is SHA-1 of the content of the public key's BIT STRING (RFC 5280, 4.2.1.2 (1)).
func keyID(key crypto.Signer) []byte {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil // CreateCertificate refuses the same key with the reason
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &spki); err != nil {
		return nil
	}
	sum := sha1.Sum(spki.Key.Bytes)
	return sum[:]
}

// serialOf makes a positive serial number of 20 bytes: SHA-1 with the top hex
// digit lowered, as the national authority does with key identifiers.
func serialOf(seed []byte) *big.Int {
	sum := sha1.Sum(seed)
	sum[0] = sum[0]&0x3f | 0x40
	return new(big.Int).SetBytes(sum[:])
}
