package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/gateway/client"
	"kopir/mappings"
	"kopir/signature"
)

// registryConfig is how one registry behind gateway.sync is asked. Keys that
// belong to another registry are refused.
type registryConfig struct {
	ID        string   `yaml:"id"`
	ServiceID string   `yaml:"service_id"`
	NoData    []string `yaml:"no_data"` // codes by which it says that it has no such thing
	Cache     duration `yaml:"cache"`   // how long a positive answer serves the same question of the same service
	Timeout   duration `yaml:"timeout"` // of one question; the gateway's without

	// gbd-fl
	SenderCode string        `yaml:"sender_code"` // as the register knows us
	Typed      bool          `yaml:"typed"`
	Consent    consentConfig `yaml:"consent"`
	NoConsent  []string      `yaml:"no_consent"` // codes by which it does not take the consent's token

	RequestorBIN string `yaml:"requestor_bin"` // gbd-ul: our BIN
	Root         string `yaml:"root"`          // gbd-ul: of the question

	Shape string `yaml:"shape"` // enis: file with the shape of its messages
}

// consentConfig is as whom and for what a person's consent is asked.
type consentConfig struct {
	Company      string   `yaml:"company"`
	CompanyBIN   string   `yaml:"company_bin"`
	Responsible  string   `yaml:"responsible"`
	Employee     string   `yaml:"employee"`
	PersonalData string   `yaml:"personal_data"`
	Access       string   `yaml:"access"`
	Lifetime     duration `yaml:"lifetime"`
	OmitSMS      bool     `yaml:"omit_sms"`
	TicketKey    string   `yaml:"ticket_key"` // PEM file with the RSA key of the ticket (ovt)
	Refused      []string `yaml:"refused"`
	Expired      []string `yaml:"expired"`
}

// registryKeys are the keys that belong to one registry alone.
var registryKeys = map[string]string{
	"sender_code": mappings.Persons, "typed": mappings.Persons, "consent": mappings.Persons, "no_consent": mappings.Persons,
	"requestor_bin": mappings.Entities, "root": mappings.Entities, "shape": mappings.Notaries,
}

// asked is one registry with the key of its entry, for faults.
type asked struct {
	key string
	registryConfig
}

// asks are the registries of the configuration. The key registry is the older
// form, for the register of persons alone; that one is always there.
func (l *loaded) asks() []asked {
	var all []asked
	for i, r := range l.Registries {
		all = append(all, asked{fmt.Sprintf("registries[%d]", i), r})
	}
	if !slices.ContainsFunc(all, func(a asked) bool { return a.ID == mappings.Persons }) {
		one := l.Registry
		one.ID = mappings.Persons
		all = append(all, asked{"registry", one})
	}
	return all
}

// wantsConsent says whether the variant with the consent's token is chosen.
func (l *loaded) wantsConsent(a asked) bool {
	_, ok := l.places[a.key+".consent"]
	return ok
}

func (l *loaded) checkRegistries() []fault {
	var fs []fault
	bad := func(key, problem, remedy string) { fs = append(fs, l.at(key, problem, remedy)) }
	if _, old := l.places["registry"]; old && len(l.Registries) > 0 {
		bad("registry", "stands beside registries", "move it there: {id: gbd-fl, …}")
	}
	seen := map[string]bool{}
	for _, a := range l.asks() {
		if !slices.Contains(mappings.RegistryIDs(), a.ID) {
			bad(a.key+".id", fmt.Sprintf("unknown registry %q", a.ID), "known: "+strings.Join(mappings.RegistryIDs(), ", "))
			continue
		}
		if seen[a.ID] {
			bad(a.key+".id", fmt.Sprintf("%q stands twice", a.ID), "keep one entry for a registry")
		}
		seen[a.ID] = true
		for key, owner := range registryKeys {
			if _, written := l.places[a.key+"."+key]; written && owner != a.ID {
				bad(a.key+"."+key, "means nothing for "+a.ID, "it belongs to "+owner)
			}
		}
		if a.Timeout < 0 || a.Cache < 0 {
			bad(a.key, "timeout and cache must not be negative", "leave the keys out for their defaults")
		}
		if time.Duration(a.Cache) > gateway.MaxReuse {
			bad(a.key+".cache", "personal data would serve again for too long", "at most "+gateway.MaxReuse.String())
		}
		switch a.ID {
		case mappings.Persons:
			if l.wantsConsent(a) {
				fs = append(fs, l.checkConsent(a)...)
			}
		case mappings.Entities:
			l.checkBIN(&fs, a.key+".requestor_bin", a.RequestorBIN)
			if a.Root != "" && !slices.Contains(client.EntityRoots(), a.Root) {
				bad(a.key+".root", fmt.Sprintf("unknown root %q", a.Root), "known: "+strings.Join(client.EntityRoots(), ", "))
			}
		case mappings.Notaries:
			if a.Shape == "" {
				bad(a.key+".shape", "is missing, and no contract of this registry is public", "name the file with the shape of its messages; gateway/sim/testdata/enis.yaml is one to start from")
			}
			for _, key := range []string{"service_id", "no_data"} {
				if _, written := l.places[a.key+"."+key]; written {
					bad(a.key+"."+key, "means nothing for "+a.ID, "the shape file says it")
				}
			}
		}
	}
	return fs
}

func (l *loaded) checkConsent(a asked) []fault {
	var fs []fault
	c, key := a.Consent, a.key+".consent"
	for _, need := range []struct{ name, value, remedy string }{
		{"company", c.Company, "write the name of the organisation that asks"},
		{"personal_data", c.PersonalData, "write what is read, as the consent service names it"},
	} {
		if need.value == "" {
			fs = append(fs, l.at(key+"."+need.name, "is missing", need.remedy))
		}
	}
	l.checkBIN(&fs, key+".company_bin", c.CompanyBIN)
	if c.Lifetime < 0 {
		fs = append(fs, l.at(key+".lifetime", "must not be negative", "leave the key out for "+client.DefaultConsentLifetime.String()))
	}
	if c.Lifetime > 0 && a.Cache > c.Lifetime {
		fs = append(fs, l.at(a.key+".cache", "is longer than the consent lasts", "at most consent.lifetime"))
	}
	return fs
}

// openRegistries opens the files that the registries name, and mentions what
// the services ask for and no entry leads to.
func (l *loaded) openRegistries(m *materials) []fault {
	var fs []fault
	there := map[string]bool{}
	for _, a := range l.asks() {
		there[a.ID] = true
		if a.Shape != "" && a.ID == mappings.Notaries {
			shape, faults := mappings.LoadShape(l.path(a.Shape))
			for _, f := range faults {
				fs = append(fs, l.at(a.key+".shape", fmt.Sprintf("%s:%d:%d: %s", a.Shape, f.Line, f.Column, f.Message(mappings.English)), f.Remedy(mappings.English)))
			}
			m.shape = shape
		}
		if a.Consent.TicketKey != "" {
			key, err := rsaKey(l.path(a.Consent.TicketKey))
			if err != nil {
				fs = append(fs, l.at(a.key+".consent.ticket_key", a.Consent.TicketKey+": "+plainFileError(err), "name a PEM file with an RSA private key, without a password"))
			}
			m.ticket = key
		}
	}
	if m.set == nil {
		return fs
	}
	for _, id := range mappings.RegistryIDs() {
		n := 0
		for _, s := range m.set.Services() {
			if slices.ContainsFunc(s.Registries, func(u mappings.RegistryUse) bool { return u.ID == id }) {
				n++
			}
		}
		if n > 0 && !there[id] {
			m.notes = append(m.notes, fmt.Sprintf("registries: %d service%s ask%s %s, and there is no entry for it: specialists are told to check by hand", n, plural(n), map[bool]string{true: "s"}[n == 1], id))
		}
	}
	return fs
}

// rsaKey reads a private key in PEM, PKCS#8 or PKCS#1.
func rsaKey(file string) (*rsa.PrivateKey, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("holds no PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if rsaKey, ok := key.(*rsa.PrivateKey); ok && err == nil {
		return rsaKey, nil
	}
	return nil, errors.New("holds no RSA private key")
}

// registries are the ways to ask, each with a time limit of its own.
func (l *loaded) registries(m *materials, peer client.Peer, zone *time.Location) (map[string]gateway.Registry, error) {
	all := map[string]gateway.Registry{}
	sign := func(document []byte) ([]byte, error) {
		return signature.SignEnveloped(document, m.keys.Signing(time.Now()), signature.SignOptions{})
	}
	for _, a := range l.asks() {
		own := peer
		if a.Timeout > 0 {
			own.Timeout = time.Duration(a.Timeout)
		}
		channel, err := client.NewSync(own)
		if err != nil {
			return nil, err
		}
		var r gateway.Registry
		switch a.ID {
		case mappings.Persons:
			code := a.SenderCode
			if code == "" {
				code = l.Gateway.SenderID
			}
			persons := &client.Persons{Channel: channel, SenderCode: code, ServiceID: a.ServiceID, Typed: a.Typed, NoData: a.NoData, NoConsent: a.NoConsent}
			if c := a.Consent; l.wantsConsent(a) {
				persons.Consent = &client.Consents{
					Channel: channel, Company: c.Company, CompanyBIN: c.CompanyBIN, Responsible: c.Responsible, Employee: c.Employee, Access: c.Access,
					PersonalData: c.PersonalData, Lifetime: time.Duration(c.Lifetime), OmitSMS: c.OmitSMS, Ticket: m.ticket, Refused: c.Refused, Expired: c.Expired,
				}
			}
			r = persons
		case mappings.Entities:
			r = &client.Entities{Channel: channel, ServiceID: a.ServiceID, Requestor: a.RequestorBIN, Root: a.Root, Sign: sign, NoData: a.NoData}
		case mappings.Notaries:
			r = &client.Notaries{Channel: channel, Shape: m.shape, SenderID: l.Gateway.SenderID, SenderBIN: m.keys.Signing(time.Now()).Certificate.Subject.BIN, Sign: sign, Zone: zone}
		}
		all[a.ID] = gateway.Reuse(r, time.Duration(a.Cache), nil)
	}
	return all, nil
}
