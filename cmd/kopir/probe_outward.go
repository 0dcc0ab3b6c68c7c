package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"kopir/signature/nuc"
)

// dialTimeout bounds the question whether an address can be reached.
const dialTimeout = 3 * time.Second

// question is one thing that is asked of somebody else's address.
type question struct {
	key, url string
	ask      func(ctx context.Context) error
	problem  string // begins the sentence
	remedy   string
}

// probeOutward asks every address of others: whether it can be reached and, of
// revocation, whether what it gives can be believed.
func (l *loaded) probeOutward(ctx context.Context, m *materials) []fault {
	var all []question
	for _, a := range []struct{ key, url string }{{"gateway.sync", l.Gateway.Sync}, {"gateway.async", l.Gateway.Async}} {
		all = append(all, question{a.key, a.url, func(ctx context.Context) error { return l.reach(ctx, a.url, m) },
			"cannot be reached: ", "check the address, the name service and the firewall"})
	}
	for i, s := range l.Senders {
		all = append(all, question{fmt.Sprintf("senders[%d].rest.url", i), s.REST.URL, func(ctx context.Context) error { return l.reachWith(ctx, s.REST.URL, m.partnerCA[s.ID]) },
			"cannot be reached: ", "check the address, the name service, the firewall and rest.ca"})
	}
	all = append(all, l.revocationQuestions(m)...)
	faults := make([]*fault, len(all))
	var wg sync.WaitGroup
	for i, q := range all {
		if u, err := url.Parse(q.url); err != nil || u.Hostname() == "" {
			continue // told by checkValues
		}
		wg.Go(func() {
			if err := q.ask(ctx); err != nil {
				problem := q.problem
				var op *net.OpError
				if errors.As(err, &op) {
					problem, err = "cannot be reached: ", lastError(err)
				}
				f := l.at(q.key, problem+err.Error(), q.remedy)
				faults[i] = &f
			}
		})
	}
	wg.Wait()
	var fs []fault
	for _, f := range faults {
		if f != nil {
			fs = append(fs, *f)
		}
	}
	return fs
}

// revocationQuestions fetch every list and ask every responder about a
// certificate that it must know.
func (l *loaded) revocationQuestions(m *materials) []question {
	if m.trust == nil {
		return nil // told, and without authorities there is nothing to compare with
	}
	checker := l.checker(m, nil)
	others := m.trust.Authorities()
	for _, own := range m.authorities {
		if own != nil {
			others = without(others, own)
		}
	}
	var all []question
	add := func(prefix string, ocsp, crl, delta []string, issuers []*nuc.Certificate) {
		if len(issuers) == 0 {
			return
		}
		for i, u := range ocsp {
			all = append(all, question{fmt.Sprintf("%s.ocsp[%d]", prefix, i), u, func(ctx context.Context) error {
				leaf, issuer := m.sample(issuers)
				if leaf == nil {
					return l.reach(ctx, u, m) // nothing to ask about
				}
				return checker.ProbeResponder(ctx, u, leaf, issuer)
			}, "gives no answer that can be believed: ", "name the responder of these authorities: " + names(issuers)})
		}
		for _, lists := range []struct {
			name string
			urls []string
		}{{"crl", crl}, {"delta", delta}} {
			for i, u := range lists.urls {
				all = append(all, question{fmt.Sprintf("%s.%s[%d]", prefix, lists.name, i), u, func(ctx context.Context) error {
					return checker.ProbeList(ctx, u, lists.name == "delta", issuers...)
				}, "gives no list that can be believed: ", "name the list of one of these authorities: " + names(issuers)})
			}
		}
	}
	r := &l.Revocation
	add("revocation", r.OCSP, r.CRL, r.Delta, others)
	for i, a := range r.Authorities {
		if m.authorities[i] != nil {
			add(fmt.Sprintf("revocation.authorities[%d]", i), a.OCSP, a.CRL, a.Delta, []*nuc.Certificate{m.authorities[i]})
		}
	}
	return all
}

// sample is a certificate of ours or of a partner that one of these issued.
func (m *materials) sample(issuers []*nuc.Certificate) (leaf, issuer *nuc.Certificate) {
	var all []*nuc.Certificate
	if m.keys != nil {
		for _, s := range m.keys.Standing(time.Now()) {
			all = append(all, s.Certificate)
		}
	}
	for _, list := range m.senderCertificates {
		all = append(all, list...)
	}
	for _, c := range append(all, m.known...) {
		chain, _ := m.trust.Chain(c, time.Now())
		if len(chain) < 2 {
			continue
		}
		for _, issuer := range issuers {
			if is(issuer)(chain[1]) {
				return c, issuer
			}
		}
	}
	return nil, nil
}

func names(certs []*nuc.Certificate) string {
	s := ""
	for i, c := range certs {
		if i > 0 {
			s += "; "
		}
		s += c.SubjectName.String()
	}
	return s
}

func without(all []*nuc.Certificate, one *nuc.Certificate) (rest []*nuc.Certificate) {
	for _, c := range all {
		if !is(one)(c) {
			rest = append(rest, c)
		}
	}
	return rest
}

// reach opens a connection to the host of an address, or to the proxy on the
// way there, and closes it. Of an https address the certificate is judged.
func (l *loaded) reach(ctx context.Context, address string, m *materials) error {
	return l.reachWith(ctx, address, m.gatewayCA)
}

func (l *loaded) reachWith(ctx context.Context, address string, roots *x509.CertPool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	proxy := l.proxy()
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	d := &net.Dialer{Timeout: dialTimeout}
	var c net.Conn
	if via, err := proxy(&http.Request{URL: u}); err == nil && via != nil {
		if c, err = d.DialContext(ctx, "tcp", hostPort(via)); err != nil {
			return fmt.Errorf("the proxy: %w", err)
		}
	} else if u.Scheme == "https" {
		c, err = (&tls.Dialer{NetDialer: d, Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", hostPort(u))
		var unknown *tls.CertificateVerificationError
		if errors.As(err, &unknown) {
			return fmt.Errorf("its certificate is not believed (%w): name its root in ca", unknown.Err)
		}
		if err != nil {
			return err
		}
	} else if c, err = d.DialContext(ctx, "tcp", hostPort(u)); err != nil {
		return err
	}
	return c.Close()
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
