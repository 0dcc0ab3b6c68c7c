package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"time"

	"kopir/gateway"
	"kopir/gateway/client"
)

// emailConfig is the mail server for letters to applicants; without server
// there is no such way out.
type emailConfig struct {
	Server       string   `yaml:"server"` // host:port
	TLS          string   `yaml:"tls"`    // starttls or implicit
	From         string   `yaml:"from"`
	User         string   `yaml:"user"`
	PasswordFile string   `yaml:"password_file"`
	Auth         string   `yaml:"auth"` // plain or login
	CA           []string `yaml:"ca"`
	Timeout      duration `yaml:"timeout"`
}

// smsConfig is the operator's HTTP gateway for messages to phones; without url
// there is no such way out.
type smsConfig struct {
	URL        string         `yaml:"url"`
	Method     string         `yaml:"method"`
	Type       string         `yaml:"type"`
	Headers    []headerConfig `yaml:"headers"`
	Body       string         `yaml:"body"`
	SecretFile string         `yaml:"secret_file"`
	Success    struct {
		Status   []int  `yaml:"status"`
		Contains string `yaml:"contains"`
	} `yaml:"success"`
	CA      []string `yaml:"ca"`
	Timeout duration `yaml:"timeout"`
}

type headerConfig struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

func (l *loaded) checkLetters() []fault {
	var fs []fault
	bad := func(key, problem, remedy string) { fs = append(fs, l.at(key, problem, remedy)) }
	if _, written := l.places["email"]; written {
		e := l.Email
		if _, err := l.mailServer(); err != nil {
			bad("email.server", fmt.Sprintf("%q is no server with a port", e.Server), "write host:port, such as smtp.akimat.example:587")
		}
		if e.TLS != "starttls" && e.TLS != "implicit" {
			bad("email.tls", fmt.Sprintf("unknown way %q", e.TLS), "known: starttls, implicit; there is no way without TLS")
		}
		if _, err := netmail.ParseAddress(e.From); err != nil {
			bad("email.from", fmt.Sprintf("%q is no sender's address", e.From), "write \"Name <address>\"")
		}
		if (e.User == "") != (e.PasswordFile == "") {
			bad("email", "user and password_file belong together", "name both, or neither")
		}
		if e.Auth != "plain" && e.Auth != "login" {
			bad("email.auth", fmt.Sprintf("unknown way %q", e.Auth), "known: plain, login")
		}
		if e.Timeout <= 0 {
			bad("email.timeout", "must be longer than nothing", "leave the key out for its default")
		}
	}
	if _, written := l.places["sms"]; written {
		l.checkURL(&fs, "sms.url", l.SMS.URL)
		if l.SMS.Timeout <= 0 {
			bad("sms.timeout", "must be longer than nothing", "leave the key out for its default")
		}
		if l.SMS.URL != "" {
			if err := l.smsPost("").Check(); err != nil {
				bad("sms", err.Error(), "see testdata/config/kopir.yaml")
			}
		}
	}
	return fs
}

// mailServer is the mail client without its secret and roots.
func (l *loaded) mailServer() (*client.Mail, error) {
	host, port, err := net.SplitHostPort(l.Email.Server)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" {
		return nil, fmt.Errorf("port %q", port)
	}
	return &client.Mail{Host: host, Port: int(n), Implicit: l.Email.TLS == "implicit", From: l.Email.From, User: l.Email.User,
		Login: l.Email.Auth == "login", Timeout: time.Duration(l.Email.Timeout)}, nil
}

func (l *loaded) smsPost(secret string) *client.SMS {
	c := l.SMS
	s := &client.SMS{Address: c.URL, Method: c.Method, Type: c.Type, Body: c.Body, Secret: secret, Statuses: c.Success.Status, Contains: c.Success.Contains, Timeout: time.Duration(c.Timeout)}
	for _, h := range c.Headers {
		s.Headers = append(s.Headers, [2]string{h.Name, h.Value})
	}
	return s
}

// letterMaterials are the secrets and roots of the ways to applicants.
type letterMaterials struct {
	password, secret string
	mailCA, smsCA    *x509.CertPool
}

func (l *loaded) openLetters(m *materials) []fault {
	var fs, more []fault
	if l.Email.PasswordFile != "" {
		m.letters.password = l.secret("email.password_file", l.Email.PasswordFile, m, &fs)
	}
	if l.SMS.SecretFile != "" {
		m.letters.secret = l.secret("sms.secret_file", l.SMS.SecretFile, m, &fs)
	}
	m.letters.mailCA, more = l.openPool("email.ca", l.Email.CA)
	fs = append(fs, more...)
	m.letters.smsCA, more = l.openPool("sms.ca", l.SMS.CA)
	return append(fs, more...)
}

// posts are the ways to applicants that are configured.
func (l *loaded) posts(m *materials) (map[gateway.Route]gateway.Post, error) {
	out := map[gateway.Route]gateway.Post{}
	if l.Email.Server != "" {
		mail, err := l.mailServer()
		if err != nil {
			return nil, fmt.Errorf("email.server: %w", err)
		}
		mail.Password, mail.TLS = m.letters.password, &tls.Config{RootCAs: m.letters.mailCA}
		if err := mail.Check(); err != nil {
			return nil, err
		}
		out[gateway.ToEmail] = mail
	}
	if l.SMS.URL != "" {
		sms := l.smsPost(m.letters.secret)
		sms.HTTP = client.NewHTTP(&tls.Config{RootCAs: m.letters.smsCA}, l.proxy())
		if err := sms.Check(); err != nil {
			return nil, err
		}
		out[gateway.ToSMS] = sms
	}
	return out, nil
}

// notePublicURL says what applicants do not get without an address of ours.
func (l *loaded) notePublicURL(m *materials) {
	if l.PublicURL != "" || m.set == nil {
		return
	}
	asks := 0
	for _, s := range m.set.Services() {
		if len(s.Questionnaire) > 0 {
			asks++
		}
	}
	m.notes = append(m.notes, fmt.Sprintf("public_url is not set: printed results bear no QR code and cannot be verified by it, and the questionnaire, which %d service%s ask%s for, is not offered; write the address under which applicants reach this bridge, such as https://kopir.akimat.example",
		asks, plural(asks), map[bool]string{true: "s"}[asks == 1]))
}
