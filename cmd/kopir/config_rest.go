package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"kopir/gateway"
	"kopir/gateway/client"
	"kopir/gateway/httpsig"
)

// restConfig is a partner that speaks REST: where its notices go.
type restConfig struct {
	URL     string   `yaml:"url"`     // call-backs go here; empty: it is told through the gateway
	CA      []string `yaml:"ca"`      // roots of its https address; empty: the machine's
	Timeout duration `yaml:"timeout"` // of one call-back; default: the gateway's
}

// checkREST looks at the partners that speak REST.
func (l *loaded) checkREST() []fault {
	var fs []fault
	for i, s := range l.Senders {
		key := fmt.Sprintf("senders[%d].rest", i)
		if s.REST.URL == "" {
			if len(s.REST.CA) > 0 {
				fs = append(fs, l.at(key+".ca", "stands without url", "name the address whose roots these are"))
			}
			continue
		}
		l.checkURL(&fs, key+".url", s.REST.URL)
		if _, written := l.places[key+".timeout"]; written && s.REST.Timeout <= 0 {
			fs = append(fs, l.at(key+".timeout", "must be longer than nothing", "leave the key out for its default"))
		}
		if slices.ContainsFunc(l.Senders, func(o sender) bool { return o.Polled && o.Channel == s.Channel }) {
			fs = append(fs, l.at(key+".url", "nothing is pushed to channel "+s.Channel+", as a sender of it is polled", "leave polled out, or rest"))
		}
	}
	return fs
}

// openREST opens the roots of the partners' addresses.
func (l *loaded) openREST(m *materials) []fault {
	var fs []fault
	m.partnerCA = map[string]*x509.CertPool{}
	for i, s := range l.Senders {
		pool, faults := l.openPool(fmt.Sprintf("senders[%d].rest.ca", i), s.REST.CA)
		m.partnerCA[s.ID] = pool
		fs = append(fs, faults...)
	}
	return fs
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
			Sign: func() (httpsig.Signer, error) { return httpsig.SignerOf(m.keys.Signing(time.Now())) },
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
// and each has a service of its own for what belongs to no conversation. A
// channel whose partners all speak REST is told so, by the first of them.
func (l *loaded) outlets(gate *client.Async, rest map[string]*client.REST) map[gateway.Route]client.Outlet {
	out := map[gateway.Route]client.Outlet{}
	for _, s := range l.Senders {
		route := gateway.RouteOf(gateway.Channel(s.Channel))
		one := out[route]
		if to := rest[s.ID]; to == nil {
			one.Channel, one.ServiceID = gate, s.StatusService
		} else if one.REST == nil {
			one.REST = to
		}
		out[route] = one
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
