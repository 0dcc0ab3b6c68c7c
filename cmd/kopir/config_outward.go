package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"kopir/gateway/client"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
)

// pollConfig is a service whose messages are fetched from the gateway by
// getMessages instead of having them pushed.
type pollConfig struct {
	ServiceID string   `yaml:"service_id"`
	Every     duration `yaml:"every"`
	Amount    int      `yaml:"amount"`
}

// authorityConfig is where one issuing authority publishes, instead of the
// addresses for all others.
type authorityConfig struct {
	Certificate string   `yaml:"certificate"`
	OCSP        []string `yaml:"ocsp"`
	CRL         []string `yaml:"crl"`
	Delta       []string `yaml:"delta"`
}

const (
	defaultPollEvery = time.Minute
	// Each message is kept with the whole signed answer that brought it.
	defaultPollAmount = 1
	maxPollAmount     = 100
)

func (l *loaded) checkOutward() []fault {
	var fs []fault
	bad := func(key, problem, remedy string) { fs = append(fs, l.at(key, problem, remedy)) }
	if l.Proxy != "" && l.Proxy != "none" {
		l.checkURL(&fs, "proxy", l.Proxy)
	}
	seen := map[string]bool{}
	for i, p := range l.Gateway.Poll {
		key := fmt.Sprintf("gateway.poll[%d]", i)
		_, every := l.places[key+".every"]
		switch {
		case p.ServiceID == "":
			bad(key+".service_id", "is missing", "write the serviceId whose messages are fetched; `kopir mapping list` lists them")
		case seen[p.ServiceID]:
			bad(key+".service_id", fmt.Sprintf("%q stands twice", p.ServiceID), "keep one entry for a service")
		}
		seen[p.ServiceID] = true
		if every && p.Every <= 0 {
			bad(key+".every", "must be longer than nothing", "leave the key out for its default")
		}
		if p.Amount < 0 || p.Amount > maxPollAmount {
			bad(key+".amount", fmt.Sprintf("must be from 1 to %d", maxPollAmount), "leave the key out for its default")
		}
	}
	for i, a := range l.Revocation.Authorities {
		key := fmt.Sprintf("revocation.authorities[%d]", i)
		if a.Certificate == "" {
			bad(key+".certificate", "is missing", "name the file with the authority's certificate, which must be among trust")
		}
		if len(a.OCSP)+len(a.CRL) == 0 {
			bad(key, "names no source", "name ocsp or crl, or leave the entry out")
		}
		if len(a.Delta) > 0 && len(a.CRL) == 0 {
			bad(key+".delta", "stands without crl, and a delta list means nothing alone", "name the full list too")
		}
		for _, list := range []struct {
			name string
			urls []string
		}{{"ocsp", a.OCSP}, {"crl", a.CRL}, {"delta", a.Delta}} {
			for j, u := range list.urls {
				l.checkURL(&fs, fmt.Sprintf("%s.%s[%d]", key, list.name, j), u)
			}
		}
	}
	return fs
}

// openOutward opens the roots of the gateway's address and the certificates of
// the authorities that have sources of their own.
func (l *loaded) openOutward(m *materials) []fault {
	var fs []fault
	m.gatewayCA, fs = l.openPool("gateway.ca", l.Gateway.CA)
	for i, a := range l.Revocation.Authorities {
		key := fmt.Sprintf("revocation.authorities[%d].certificate", i)
		m.authorities = append(m.authorities, nil)
		if a.Certificate == "" {
			continue // told by checkValues
		}
		certs, err := nuc.LoadCertificates(l.path(a.Certificate))
		for _, e := range each(err) {
			fs = append(fs, l.at(key, plainFileError(e), "name the file with the authority's certificate"))
		}
		switch {
		case len(certs) == 0 || m.trust == nil:
		case len(certs) > 1:
			fs = append(fs, l.at(key, fmt.Sprintf("%s holds %d certificates", a.Certificate, len(certs)), "name a file with the authority's own certificate alone"))
		case !slices.ContainsFunc(m.issuers(), is(certs[0])):
			fs = append(fs, l.at(key, certs[0].SubjectName.String()+" is not among trust", "add it to trust, or correct the name"))
		case slices.ContainsFunc(m.authorities, is(certs[0])):
			fs = append(fs, l.at(key, "this authority stands twice", "keep one entry for an authority"))
		default:
			m.authorities[i] = certs[0]
		}
	}
	for i, p := range l.Gateway.Poll {
		if m.set == nil || p.ServiceID == "" {
			continue
		}
		if _, ok := m.set.ByGateway(p.ServiceID); !ok {
			fs = append(fs, l.at(fmt.Sprintf("gateway.poll[%d].service_id", i), fmt.Sprintf("no service has the serviceId %q", p.ServiceID), "`kopir mapping list` lists them"))
		}
	}
	return append(fs, l.unsourced(m)...)
}

// is asks whether another certificate, or none, is this one.
func is(c *nuc.Certificate) func(*nuc.Certificate) bool {
	return func(other *nuc.Certificate) bool { return other != nil && other.Fingerprint == c.Fingerprint }
}

// issuers are all that may have issued a certificate.
func (m *materials) issuers() []*nuc.Certificate {
	return append(slices.Clone(m.trust.Authorities()), m.trust.Roots()...)
}

// unsourced finds authorities of which nobody could say what they revoked.
func (l *loaded) unsourced(m *materials) []fault {
	r := &l.Revocation
	if m.trust == nil || len(r.OCSP)+len(r.CRL) > 0 || len(r.Authorities) == 0 {
		return nil
	}
	var fs []fault
	for _, c := range m.trust.Authorities() {
		own := slices.ContainsFunc(m.authorities, is(c))
		stored := slices.ContainsFunc(m.lists, func(crl *revocation.CRL) bool { return crl.IssuedBy(c) })
		if !own && !stored {
			fs = append(fs, l.at("revocation.authorities", "nothing is named for "+c.SubjectName.String()+", so no certificate that it issued could ever be accepted", "add an entry for it, or ocsp and crl for all others"))
		}
	}
	return fs
}

// sources say where each authority of the trust is asked.
func (l *loaded) sources(m *materials) []revocation.Source {
	r := &l.Revocation
	var all []revocation.Source
	for i, a := range r.Authorities {
		if m.authorities[i] != nil {
			all = append(all, revocation.Source{Issuer: m.authorities[i], OCSP: a.OCSP, CRL: a.CRL, Delta: a.Delta})
		}
	}
	for _, c := range m.trust.Authorities() {
		if !slices.ContainsFunc(all, func(s revocation.Source) bool { return is(c)(s.Issuer) }) {
			all = append(all, revocation.Source{Issuer: c, OCSP: r.OCSP, CRL: r.CRL, Delta: r.Delta})
		}
	}
	return all
}

// proxy is the way out of the machine; nil: what the environment says
// (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).
func (l *loaded) proxy() func(*http.Request) (*url.URL, error) {
	switch l.Proxy {
	case "":
		return nil
	case "none":
		return func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	u, err := url.Parse(l.Proxy)
	return func(*http.Request) (*url.URL, error) { return u, err }
}

// outward is the HTTP client for the gateway.
func (l *loaded) outward(m *materials) *http.Client {
	return client.NewHTTP(&tls.Config{RootCAs: m.gatewayCA}, l.proxy())
}
