package client

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/xmltree"
)

// Signed says what an answer needs to be believed.
type Signed uint8

const (
	// Always: the peer's signature. The zero value.
	Always Signed = iota
	// IfPresent: an answer without a signature is believed for the connection
	// it came over; one with a signature that does not hold is not.
	IfPresent
)

// Judge judges the signature over a Body; *signature.Verifier does.
type Judge interface {
	WSSE(ctx context.Context, doc *xmltree.Document, want signature.Want) *signature.Verdict
}

// Peer is one address of another system, and as whom we speak to it.
type Peer struct {
	Name    string // for errors and metrics, such as "gateway"
	Address string // http or https URL

	SenderID string
	Password soap.Secret
	// Sign signs an envelope; nil sends it unsigned.
	Sign func(envelope []byte) ([]byte, error)

	// Answers, Judge, BINs and Certificates decide which answers are believed:
	// those signed by a system certificate of one of the organisations, or by
	// one of the certificates (SHA-256 of the whole).
	Answers      Signed
	Judge        Judge
	BINs         []string
	Certificates [][sha256.Size]byte

	// HTTP is the client to use; nil: NewHTTP without client certificates.
	// Whatever it is, redirects are not followed.
	HTTP      *http.Client
	Timeout   time.Duration // of one exchange; zero: 30 s
	MaxAnswer int64         // bytes; zero: 64 MB
	Now       func() time.Time
	// May is asked right before a message leaves, and stops it with its error:
	// nil: always. A process that slept must not say what another has said.
	May func() error
}

// Defaults of a Peer.
const (
	DefaultTimeout   = 30 * time.Second
	DefaultMaxAnswer = 64 << 20
)

// idleTime is how long a connection is kept that a burst opened and nothing goes
// over. Many a server closes its end after 20 seconds (Tomcat as it is shipped): a
// message that is written to it in that moment has an outcome that nobody knows.
const idleTime = 15 * time.Second

// NewHTTP makes an HTTP client whose connections are kept and used again.
// config may be nil; it carries client certificates and roots of the transport.
// proxy says by which proxy a request goes; nil: as the environment has it.
func NewHTTP(config *tls.Config, proxy func(*http.Request) (*url.URL, error)) *http.Client {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	return &http.Client{Transport: &http.Transport{
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   128, // two lanes to one gateway at full width
		IdleConnTimeout:       idleTime,
		ExpectContinueTimeout: time.Second,
	}}
}

// check completes a Peer with its defaults or says everything that is wrong.
func (p *Peer) check() error {
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("client: peer %q: "+format, append([]any{p.Name}, args...)...))
	}
	switch u, err := url.Parse(p.Address); {
	case err != nil:
		bad("address: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		bad("address %q is no absolute http or https URL", u.Redacted())
	}
	if p.SenderID == "" {
		bad("a sender id is needed")
	}
	if p.Answers == Always && p.Judge == nil {
		bad("its answers must be signed, and there is nothing to judge signatures with")
	}
	if p.Judge != nil && len(p.BINs) == 0 && len(p.Certificates) == 0 {
		bad("it is not said whose signature is the peer's: any holder of a certificate could answer in its name")
	}
	if p.Timeout < 0 || p.MaxAnswer < 0 {
		bad("time-out and size limit must not be negative")
	}
	if p.Timeout == 0 {
		p.Timeout = DefaultTimeout
	}
	if p.MaxAnswer == 0 {
		p.MaxAnswer = DefaultMaxAnswer
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	p.HTTP = withoutRedirects(p.HTTP)
	return errors.Join(faults...)
}

// sender is how we name ourselves to the peer.
func (p *Peer) sender() soap.SenderInfo {
	return soap.SenderInfo{SenderID: p.SenderID, Password: p.Password}
}

// holds says whether a certificate is one that the peer answers with.
func (p *Peer) holds(c *nuc.Certificate) bool {
	if c == nil {
		return false
	}
	return slices.Contains(p.Certificates, c.Fingerprint) || c.Subject.BIN != "" && slices.Contains(p.BINs, c.Subject.BIN)
}
