package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/gateway/client"
	"kopir/gateway/httpsig"
	"kopir/gateway/server"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// restConfig is a partner that speaks REST: where its notices go, and the keys
// of its requests.
type restConfig struct {
	URL     string   `yaml:"url"`     // call-backs go here; empty with keys: it fetches its notices
	CA      []string `yaml:"ca"`      // roots of its https address; empty: the machine's
	Timeout duration `yaml:"timeout"` // of one call-back; default: the gateway's
	// Keys are those that sign its requests (RFC 9421).
	Keys []restKeyConfig `yaml:"keys"`
	// SignAnswers has the answers to them signed with the bridge's key.
	SignAnswers bool `yaml:"sign_answers"`
}

// restKeyConfig is a certificate of a configured authority, or a public key.
type restKeyConfig struct {
	File string `yaml:"file"`
	ID   string `yaml:"id"`  // keyid; empty: SHA-256 of certificate or key, in hexadecimal
	Alg  string `yaml:"alg"` // of a bare RSA key: rsa-v1_5-sha256 (default) or rsa-pss-sha512
}

// spoken says whether the partner speaks REST.
func (r restConfig) spoken() bool { return r.URL != "" || len(r.Keys) > 0 }

// soap says whether a sender speaks SOAP.
func (s sender) soap() bool { return s.PasswordFile != "" || len(s.BINs)+len(s.Certificates) > 0 }

// checkREST looks at the partners that speak REST.
func (l *loaded) checkREST() []fault {
	var fs []fault
	bad := func(key, problem, remedy string) { fs = append(fs, l.at(key, problem, remedy)) }
	signs := false
	for i, s := range l.Senders {
		key := fmt.Sprintf("senders[%d].rest", i)
		for j, k := range s.REST.Keys {
			if signs = true; k.File == "" {
				bad(fmt.Sprintf("%s.keys[%d].file", key, j), "is missing", "name the file of the partner's certificate, or of its public key in PEM")
			}
		}
		if s.REST.SignAnswers && len(s.REST.Keys) == 0 {
			bad(key+".sign_answers", "stands without keys, so nothing is answered to this partner", "name the keys that sign its requests, or leave it out")
		}
		if s.Polled && s.REST.spoken() {
			bad(key, "a partner is told in one way, and this one is polled too", "leave polled out, or rest")
		}
		if s.REST.URL == "" {
			if len(s.REST.CA) > 0 {
				bad(key+".ca", "stands without url", "name the address whose roots these are")
			}
			continue
		}
		l.checkURL(&fs, key+".url", s.REST.URL)
		if _, written := l.places[key+".timeout"]; written && s.REST.Timeout <= 0 {
			bad(key+".timeout", "must be longer than nothing", "leave the key out for its default")
		}
		if !s.Polled && slices.ContainsFunc(l.Senders, func(o sender) bool { return o.Polled && o.Channel == s.Channel }) {
			bad(key+".url", "nothing is pushed to channel "+s.Channel+", as a sender of it is polled", "leave polled out, or rest")
		}
	}
	if signs && l.origin() == "" {
		bad("public_url", "is missing, and partners sign for the address that they call", "write the address under which they reach this bridge")
	}
	return append(fs, l.checkShared()...)
}

// checkShared: two partners of one channel behind one gateway are told apart by
// their own services only, and are either both polled or neither.
func (l *loaded) checkShared() []fault {
	var fs []fault
	for i, s := range l.Senders {
		shared := func(o sender) bool {
			return o.ID != s.ID && o.Channel == s.Channel && o.soap() && !o.REST.spoken()
		}
		if s.soap() && !s.Polled && !s.REST.spoken() && slices.ContainsFunc(l.Senders, func(o sender) bool { return o.Polled && o.Channel == s.Channel }) {
			fs = append(fs, l.at(fmt.Sprintf("senders[%d].polled", i), "nothing is pushed to channel "+s.Channel+", as another sender of it is polled", "set polled for all senders of the channel, or for none"))
		}
		if s.StatusService == "" && s.soap() && !s.REST.spoken() && slices.ContainsFunc(l.Senders, shared) {
			fs = append(fs, l.at(fmt.Sprintf("senders[%d].status_service", i), "is missing, and another sender is of channel "+s.Channel+" too", "write this partner's own serviceId, or its notices would go to the other"))
		}
	}
	return fs
}

// origin is the address for which partners sign: the public one, or that of
// listen if it names one. Never what a request says of itself: else a request
// that was signed for another bridge could be used here.
func (l *loaded) origin() string {
	if l.PublicURL != "" {
		return l.PublicURL
	}
	host, port, err := net.SplitHostPort(l.Listen)
	if a, bad := netip.ParseAddr(host); err != nil || host == "" || port == "0" || bad == nil && a.IsUnspecified() {
		return ""
	}
	return "http://" + net.JoinHostPort(host, port)
}

// partnerKey is a key of a partner's requests, opened.
type partnerKey struct {
	httpsig.Key
	certificate *nuc.Certificate // nil: a bare key
	answers     bool
}

// openREST opens the roots of the partners' addresses, and their keys.
func (l *loaded) openREST(m *materials) []fault {
	var fs []fault
	m.partnerCA, m.partnerKeys = map[string]*x509.CertPool{}, map[string][]partnerKey{}
	whose := map[string]string{}
	for i, s := range l.Senders {
		pool, faults := l.openPool(fmt.Sprintf("senders[%d].rest.ca", i), s.REST.CA)
		m.partnerCA[s.ID] = pool
		fs = append(fs, faults...)
		for j, k := range s.REST.Keys {
			if k.File == "" {
				continue // told by checkREST
			}
			at := fmt.Sprintf("senders[%d].rest.keys[%d]", i, j)
			key, faults := l.openPartnerKey(at, k, m)
			fs = append(fs, faults...)
			if len(faults) > 0 {
				continue
			}
			if key.answers = s.REST.SignAnswers; whose[key.ID] != "" {
				fs = append(fs, l.at(at, "the keyid "+key.ID+" is also that of a key of "+whose[key.ID], "give each key an id of its own"))
			}
			whose[key.ID] = s.ID
			m.partnerKeys[s.ID] = append(m.partnerKeys[s.ID], key)
		}
	}
	return fs
}

// openPartnerKey opens a certificate of a configured authority, or a public key.
func (l *loaded) openPartnerKey(at string, k restKeyConfig, m *materials) (key partnerKey, fs []fault) {
	const remedy = "name the partner's certificate, or its public key as a PEM block PUBLIC KEY"
	bad := func(problem, remedy string) (partnerKey, []fault) {
		return partnerKey{}, []fault{l.at(at+".file", k.File+": "+problem, remedy)}
	}
	b, err := os.ReadFile(l.path(k.File))
	if err != nil {
		return bad(plainFileError(err), remedy)
	}
	if block, _ := pem.Decode(b); block != nil && block.Type != "CERTIFICATE" {
		if key.Key, err = httpsig.ParseKey(b, k.Alg); err != nil {
			return bad(strings.TrimPrefix(err.Error(), "httpsig: "), remedy)
		}
	} else {
		certs, err := nuc.LoadCertificates(l.path(k.File))
		if err != nil || len(certs) != 1 {
			return bad("holds no certificate, or several", remedy)
		}
		key.certificate = certs[0]
		if key.Key, err = httpsig.KeyOf(certs[0]); err != nil {
			return bad(strings.TrimPrefix(err.Error(), "httpsig: "), remedy)
		}
		if k.Alg != "" && k.Alg != key.Algorithm {
			fs = append(fs, l.at(at+".alg", "the certificate's key is one for "+key.Algorithm, "leave it out"))
		}
		fs = append(fs, l.partnerCertificate(at+".file", certs[0], m)...)
	}
	if k.ID != "" {
		key.ID = k.ID
	}
	return key, fs
}

// partnerCertificate is what the bridge would hold against a certificate on any
// day. Its dates are judged at every call: one that has ended must not keep the
// bridge from starting, and its successor is named before its time.
func (l *loaded) partnerCertificate(at string, c *nuc.Certificate, m *materials) (fs []fault) {
	if u := c.CheckUsage(); u.Outcome != verdict.Passed {
		fs = append(fs, l.at(at, "the certificate is not for signing: "+u.Detail, "ask the partner for the certificate of its signing key"))
	}
	if m.trust == nil {
		return fs
	}
	_, checks := m.trust.Chain(c, c.NotBefore)
	for _, k := range checks {
		if k.Name == verdict.CheckChain && k.Outcome != verdict.Passed {
			fs = append(fs, l.at(at, "the certificate does not lead to a configured root: "+k.Detail, "add the certificates of its authority to trust, or name the bare public key"))
		}
	}
	return fs
}

// signers are the keys of partners' requests for the door, by keyid.
func (m *materials) signers() map[string]server.PartnerKey {
	out := map[string]server.PartnerKey{}
	for _, keys := range m.partnerKeys {
		for _, k := range keys {
			out[k.ID] = server.PartnerKey{Key: k.Key, Answers: k.answers}
		}
	}
	return out
}

// openPool opens files of roots for an https address; without any it is nil,
// which means the machine's.
func (l *loaded) openPool(key string, paths []string) (*x509.CertPool, []fault) {
	var pool *x509.CertPool
	var fs []fault
	const remedy = "name a PEM file with the roots of that https address"
	for i, p := range paths {
		at := fmt.Sprintf("%s[%d]", key, i)
		b, err := os.ReadFile(l.path(p))
		if err != nil {
			fs = append(fs, l.at(at, p+": "+plainFileError(err), remedy))
			continue
		}
		if pool == nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(b) {
			fs = append(fs, l.at(at, p+": holds no certificate in PEM", remedy))
		}
	}
	return pool, fs
}

// httpSigner signs what goes out over REST.
func (m *materials) httpSigner() (httpsig.Signer, error) {
	return httpsig.SignerOf(m.keys.Signing(time.Now()))
}

// restPartners are the senders that are told in JSON, by their ids.
func (l *loaded) restPartners(m *materials) (map[string]*client.REST, error) {
	out := map[string]*client.REST{}
	var faults []error
	for _, s := range l.Senders {
		if s.REST.URL == "" {
			continue
		}
		one := &client.REST{
			Name: s.ID, Address: s.REST.URL, Timeout: time.Duration(s.REST.Timeout),
			Sign: m.httpSigner,
			HTTP: client.NewHTTP(&tls.Config{RootCAs: m.partnerCA[s.ID]}, l.proxy()),
		}
		if one.Timeout == 0 {
			one.Timeout = time.Duration(l.Gateway.Timeout)
		}
		faults = append(faults, one.Check())
		out[s.ID] = one
	}
	return out, errors.Join(faults...)
}

// outlets are the ways out: one gateway serves all partners that speak SOAP,
// and each has a service of its own for what belongs to no conversation; what is
// nobody's in particular goes to the first of them. A channel whose partners all
// speak REST is told so, by the first of them.
func (l *loaded) outlets(gate *client.Async, rest map[string]*client.REST) map[gateway.Route]client.Outlet {
	out := map[gateway.Route]client.Outlet{}
	for _, s := range l.Senders {
		route := gateway.RouteOf(gateway.Channel(s.Channel))
		one := out[route]
		switch to := rest[s.ID]; {
		case to != nil && one.REST == nil:
			one.REST = to
		case to == nil && !s.REST.spoken() && one.Channel == nil:
			one.Channel, one.ServiceID = gate, s.StatusService
		}
		if one.Channel != nil || one.REST != nil {
			out[route] = one
		}
	}
	return out
}

// statusServices are the partners' own services, by sender id.
func (l *loaded) statusServices() map[string]string {
	out := map[string]string{}
	for _, s := range l.Senders {
		if s.StatusService != "" {
			out[s.ID] = s.StatusService
		}
	}
	return out
}

// apart are the lanes of the partners that are reached at an address of their own.
func (l *loaded) apart() []gateway.Lane {
	var all []gateway.Lane
	for _, s := range l.Senders {
		if s.REST.URL != "" {
			all = append(all, gateway.Lane{Route: gateway.RouteOf(gateway.Channel(s.Channel)), Receiver: s.ID})
		}
	}
	return all
}
