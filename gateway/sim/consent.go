package sim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/beevik/etree"

	"kopir/gateway/soap"
)

// consentNS is the namespace of the consent service's answers.
const consentNS = "http://service.2fa-chain.kz/ns/kdp"

// States of a consent: the first two are known from the field, the others are
// this simulator's.
const (
	consentValid   = "VALID"
	consentPending = "PENDING"
	consentRefused = "REFUSED"
	consentExpired = "EXPIRED"
)

// consentAnswers are what a person may be set to answer.
var consentAnswers = map[string]string{"": consentValid, "given": consentValid, "pending": consentPending, "refused": consentRefused, "expired": consentExpired}

// consents are the tokens that were given out. Each opens the register about one
// person until its end.
type consents struct {
	once sync.Once
	key  *rsa.PrivateKey // of the tickets
	err  error

	mu    sync.Mutex
	given map[string]token // by the token
}

type token struct {
	iin, public string
	until       time.Time
}

// opens says whether a token opens the register about somebody.
func (c *consents) opens(code, public, iin string, at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.given[code]
	return ok && t.public == public && t.iin == iin && at.Before(t.until)
}

// give makes a token.
func (c *consents) give(iin string, until time.Time) (code string, t token) {
	random := func() string {
		b := make([]byte, 48)
		rand.Read(b) // never fails
		return base64.StdEncoding.EncodeToString(b)
	}
	code, t = random(), token{iin, random(), until}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given == nil {
		c.given = map[string]token{}
	}
	c.given[code] = t
	return code, t
}

// ticketKey signs the tickets with which the consent service is entered; the
// bridge gets it as an akimat gets its own.
func (c *consents) ticketKey() (*rsa.PrivateKey, error) {
	c.once.Do(func() { c.key, c.err = rsa.GenerateKey(rand.Reader, 2048) })
	return c.key, c.err
}

// checkTicket verifies a ticket (a JSON web token, RS256) where one is sent.
func (s *Sim) checkTicket(text, bin string) error {
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return errors.New("ovt is no JSON web token")
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return errors.New("ovt is no JSON web token")
		}
	}
	var head struct{ Alg string }
	var claims struct {
		BIN     string `json:"cbin"`
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
	}
	if json.Unmarshal(raw[0], &head) != nil || json.Unmarshal(raw[1], &claims) != nil || head.Alg != "RS256" {
		return errors.New("ovt is not of the form agreed on")
	}
	key, err := s.consents.ticketKey()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], raw[2]) != nil {
		return errors.New("the signature of ovt does not hold")
	}
	if at := s.now().Unix(); at < claims.Issued-60 || at > claims.Expires || claims.BIN != bin {
		return errors.New("ovt is out of date or of another organisation")
	}
	return nil
}

// consent answers KDP_SERVICE: what the person says on the telephone is set by
// PUT /sim/people/KEY/consent.
func (s *Sim) consent(request *soap.SyncSendMessageRequest, _ Trouble) (soap.Data, error) {
	q, err := children(request.RequestData.Data, "uin", "company", "company_bin", "access_name", "personal_data_name", "expiresIn", "omit-sms")
	if err != nil {
		return soap.Data{}, err
	}
	ovt := ""
	if n, ok, _ := request.RequestData.Data.Node.Child("", "ovt"); ok {
		ovt = n.Text()
	}
	ms, err := strconv.ParseInt(q["expiresIn"], 10, 64)
	if err != nil || ms <= 0 || q["access_name"] != personTokenService {
		return soap.Data{}, fmt.Errorf("expiresIn must be milliseconds, and access_name %s", personTokenService)
	}
	if err := s.checkTicket(ovt, q["company_bin"]); err != nil {
		return soap.Data{}, err
	}
	p, known := s.byIIN(q["uin"])
	state := consentAnswers[p.Consent]
	if !known {
		state = consentPending // nobody has this telephone
	}
	root := etree.NewElement("k:response")
	root.CreateAttr("xmlns:k", consentNS)
	root.CreateElement("k:status").SetText(state)
	if state == consentValid {
		code, t := s.consents.give(p.IIN, s.now().Add(time.Duration(ms)*time.Millisecond))
		root.CreateElement("k:code").SetText(broken(code))
		root.CreateElement("k:public-key").SetText(broken(t.public))
	}
	doc := newDocument()
	doc.SetRoot(root)
	content, err := doc.WriteToBytes()
	if err != nil {
		return soap.Data{}, err
	}
	return soap.InForm(soap.Nested, content)
}

// broken puts a line break into base64, as the real service does.
func broken(s string) string { return s[:40] + "\n" + s[40:] }

// putConsent says what a person answers from now on.
func (s *Sim) putConsent(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Consent string `json:"consent"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if err := s.SetConsent(r.PathValue("key"), in.Consent); err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	p, _ := s.Person(r.PathValue("key"))
	writeJSON(w, http.StatusOK, p)
}

// SetConsent says what a person answers from now on: given, pending, refused,
// expired.
func (s *Sim) SetConsent(key, answer string) error {
	if _, ok := consentAnswers[answer]; !ok {
		return fmt.Errorf("consent %q is none of given, pending, refused, expired", answer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.people[key]
	if !ok {
		return fmt.Errorf("there is no person %q", key)
	}
	p.Consent = answer
	s.people[key] = p
	return nil
}

func (s *Sim) getTicketKey(w http.ResponseWriter, _ *http.Request) {
	key, err := s.consents.ticketKey()
	if err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	pem.Encode(w, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}
