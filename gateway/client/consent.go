package client

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/signature/xmltree"
)

// ConsentService is the service of access to personal data (KDP).
const ConsentService = "KDP_SERVICE"

// consentNS is the namespace of its answers.
const consentNS = "http://service.2fa-chain.kz/ns/kdp"

// States of a consent that are known from the field.
const (
	consentValid   = "VALID"
	consentPending = "PENDING"
)

// Consent is a person's permission, as the consent service gave it: it travels
// in the question to the register, as kdpToken and publicKey.
type Consent struct {
	Token, PublicKey string
	answer           []byte // of the service, for evidence
	until            time.Time
}

// Consents asks the person, through the consent service, to let the register
// be read. Who agrees is the person himself, on his telephone; until then the
// service says PENDING, and the question about him is asked again later.
type Consents struct {
	Channel          *Sync
	Company          string // who asks
	CompanyBIN       string
	Responsible      string           // of the company
	Employee         string           // in whose work the data are read
	Access           string           // the service to be opened; empty: PersonServiceConsent
	PersonalData     string           // what is read
	Lifetime         time.Duration    // of a consent
	OmitSMS          bool             // do not send the person a message
	Ticket           *rsa.PrivateKey  // signs the ticket (ovt); nil: none is sent
	Refused, Expired []string         // states by which the service says so; an expired one is asked for anew
	Now              func() time.Time // nil: time.Now

	mu    sync.Mutex
	given map[string]Consent // by purpose: the consent serves the question's later tries
}

// ask gives the permission into consent. A Finding with NoData is the person's
// refusal; an error is asked again: the person has not answered yet.
func (c *Consents) ask(ctx context.Context, q gateway.Question, consent *Consent) (gateway.Finding, error) {
	now := c.now()
	c.mu.Lock()
	kept, ok := c.given[q.MessageID]
	c.mu.Unlock()
	if ok && now.Before(kept.until) {
		*consent = kept
		return gateway.Finding{}, nil
	}
	data, err := c.question(q, now)
	if err != nil {
		return gateway.Finding{}, err
	}
	info := soap.SyncMessageInfo{MessageID: q.MessageID + "-kdp", CorrelationID: q.MessageID, ServiceID: ConsentService, MessageDate: now}
	f, err := inquire(ctx, c.Channel, info, soap.NestedData(data), func(d soap.Data) (gateway.Finding, error) {
		state, got, err := readConsent(d)
		switch {
		case err != nil:
			return gateway.Finding{}, err
		case slices.Contains(c.Refused, state):
			return gateway.Finding{Standing: gateway.NoData, Reason: gateway.ConsentRefused}, nil
		case state == consentPending:
			return gateway.Finding{}, pending("client: the person has not answered the request for consent yet")
		case slices.Contains(c.Expired, state):
			return gateway.Finding{}, pending("client: the request for consent ended before the person answered; it is made anew")
		case state != consentValid:
			return gateway.Finding{}, &ResultError{"the consent service", state}
		case got.Token == "" || got.PublicKey == "":
			return gateway.Finding{}, errors.New("client: the consent service says that the person agreed, and gives no token")
		}
		*consent = got
		return gateway.Finding{}, nil
	})
	if err == nil && f.Standing == "" {
		consent.answer, consent.until = f.Answer, now.Add(c.lifetime())
		c.remember(q, *consent, now)
	}
	return f, err
}

// remember keeps a consent for the tries that follow, and drops those whose
// time is over.
func (c *Consents) remember(q gateway.Question, got Consent, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given == nil {
		c.given = map[string]Consent{}
	}
	for id, old := range c.given {
		if !now.Before(old.until) {
			delete(c.given, id)
		}
	}
	c.given[q.MessageID] = got
}

// forget drops a consent that the register did not take.
func (c *Consents) forget(q gateway.Question) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.given, q.MessageID)
}

func (c *Consents) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Consents) lifetime() time.Duration {
	if c.Lifetime == 0 {
		return DefaultConsentLifetime
	}
	return c.Lifetime
}

// DefaultConsentLifetime is how long a consent is asked for.
const DefaultConsentLifetime = time.Hour

func (c *Consents) question(q gateway.Question, now time.Time) ([]byte, error) {
	access := c.Access
	if access == "" {
		access = PersonServiceConsent
	}
	list := []string{
		"uin", q.Subject, "company", c.Company, "company_bin", c.CompanyBIN, "company_responsible", c.Responsible, "employee_name", c.Employee,
		"access_name", access, "personal_data_name", c.PersonalData, "expiresIn", strconv.FormatInt(c.lifetime().Milliseconds(), 10),
		// The person gets one message, not one with each of our tries.
		"omit-sms", strconv.FormatBool(c.OmitSMS || q.Again),
	}
	if c.Ticket != nil {
		ovt, err := ticket(c.Ticket, c.CompanyBIN, now)
		if err != nil {
			return nil, err
		}
		list = append(list, "ovt", ovt)
	}
	return elements(list...), nil
}

// ticketLifetime is that of the ticket that opens the consent service for us.
const ticketLifetime = 5 * time.Minute

// ticket is a JSON web token (RFC 7519, RS256 of RFC 7518, 3.3) with the claims
// that were seen: cbin, mcheck, iat, exp.
func ticket(key *rsa.PrivateKey, bin string, now time.Time) (string, error) {
	claims, err := json.Marshal(struct {
		BIN     string `json:"cbin"`
		Check   bool   `json:"mcheck"`
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
	}{bin, true, now.Unix(), now.Add(ticketLifetime).Unix()})
	if err != nil {
		return "", err
	}
	part := base64.RawURLEncoding.EncodeToString
	signed := part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	value, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("client: consent ticket: %w", err)
	}
	return signed + "." + part(value), nil
}

// readConsent finds state, code and public-key in the answer, below data or
// below one element in it, in the service's namespace or in none.
func readConsent(d soap.Data) (state string, c Consent, err error) {
	root, err := documentOf(d, "consent service")
	if err != nil {
		return "", c, err
	}
	read := func(name string) string {
		for _, space := range []string{consentNS, ""} {
			n, ok, e := root.Child(space, name)
			if e != nil {
				err = fmt.Errorf("client: consent service: %w", e)
			}
			if ok {
				return strings.TrimSpace(n.Text())
			}
		}
		return ""
	}
	if state = read("status"); state == "" && err == nil {
		root = onlyElement(root)
		state = read("status")
	}
	c = Consent{Token: unbroken(read("code")), PublicKey: unbroken(read("public-key"))}
	if state == "" && err == nil {
		err = errors.New("client: consent service: the answer has no status")
	}
	return state, c, err
}

// unbroken takes the line breaks out of base64.
func unbroken(s string) string { return strings.Join(strings.Fields(s), "") }

// documentOf is the root of what data carries, nested or escaped.
func documentOf(d soap.Data, who string) (xmltree.Node, error) {
	if text := d.Document(); text != nil {
		doc, err := xmltree.Parse(text, xmltree.DefaultLimits())
		if err != nil {
			return xmltree.Node{}, fmt.Errorf("client: %s: %w", who, err)
		}
		return doc.Root(), nil
	}
	if d.Form != soap.Nested {
		return xmltree.Node{}, fmt.Errorf("client: %s: the answer holds no document", who)
	}
	return d.Node, nil
}

// pending: the service answered, and the person has not.
func pending(say string) error {
	return &gateway.SendError{Cause: gateway.CausePending, Err: errors.New(say)}
}
