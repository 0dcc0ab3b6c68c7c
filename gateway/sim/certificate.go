package sim

import (
	"fmt"
	"net/http"
	"time"

	"kopir/signature/keystore"
	"kopir/signature/sigtest"
)

// DefaultPassword opens every key file unless another one is asked for.
const DefaultPassword = "Qwerty12"

// reasons of revocation by the words of the control interface.
var reasons = map[string]int{
	"": sigtest.ReasonKeyCompromise, "key_compromise": sigtest.ReasonKeyCompromise, "unspecified": sigtest.ReasonUnspecified,
	"affiliation_changed": sigtest.ReasonAffiliation, "superseded": sigtest.ReasonSuperseded, "cessation": sigtest.ReasonCessation, "hold": sigtest.ReasonHold,
}

// Certificate is what the control interface tells about somebody's certificate.
type Certificate struct {
	Key       string    `json:"key"`
	Serial    string    `json:"serial"` // hex
	Keys      Keys      `json:"keys"`   // rsa or gost
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Revoked   bool      `json:"revoked"`
	PEM       string    `json:"pem"`
}

// Credential is the certificate and key that a person or system uses now.
func (s *Sim) Credential(key string) (*sigtest.Credential, error) {
	if m, ok := s.members[key]; ok {
		c, _ := m.keys()
		return c, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.certificates[key]; ok {
		return c, nil
	}
	return nil, fmt.Errorf("there is no person or system %q", key)
}

// keys gives what a member signs with now.
func (m *member) keys() (*sigtest.Credential, *keystore.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.credential, m.sign
}

// signing is the key for WS-Security.
func (m *member) signing() *keystore.Key {
	_, k := m.keys()
	return k
}

func (s *Sim) describe(key string) (Certificate, error) {
	c, err := s.Credential(key)
	if err != nil {
		return Certificate{}, err
	}
	by, _ := s.authorityOf(c)
	keys := KeysRSA
	if by.Algorithm() != sigtest.RSA {
		keys = KeysGOST
	}
	return Certificate{key, fmt.Sprintf("%x", c.Serial()), keys, c.Certificate.NotBefore, c.Certificate.NotAfter, by.Revoked(c.Serial(), s.now()), string(c.PEM())}, nil
}

// Revoke takes back the certificate that somebody uses now.
func (s *Sim) Revoke(key, reason string) error {
	code, ok := reasons[reason]
	if !ok {
		return fmt.Errorf("reason %q is none of key_compromise, unspecified, affiliation_changed, superseded, cessation, hold", reason)
	}
	c, err := s.Credential(key)
	if err != nil {
		return err
	}
	by, _ := s.authorityOf(c)
	if by.Revoked(c.Serial(), s.now()) {
		return fmt.Errorf("the certificate of %s is revoked already", key)
	}
	by.Revoke(c, s.now(), code)
	return nil
}

// Release lifts a hold.
func (s *Sim) Release(key string) error {
	c, err := s.Credential(key)
	if err != nil {
		return err
	}
	by, _ := s.authorityOf(c)
	return by.Release(c, s.now())
}

// Replace gives somebody a new certificate in a condition: a word of
// Tweaks.Certificate, "good" for an ordinary new one.
func (s *Sim) Replace(key, condition string) error {
	if m, ok := s.members[key]; ok {
		old, _ := m.keys()
		p := old.Profile
		p.Key, p.NotBefore, p.NotAfter = nil, time.Time{}, time.Time{}
		c, err := s.issue(s.KeyUse().Systems, p, condition)
		if err != nil {
			return err
		}
		k, err := c.Key()
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.credential, m.sign = c, k
		m.mu.Unlock()
		s.verifier.Trust.AddKnown(k.Certificate)
		return nil
	}
	p, ok := s.Person(key)
	if !ok {
		return fmt.Errorf("there is no person or system %q", key)
	}
	profile, err := p.profile(sigtest.Sign)
	if err != nil {
		return err
	}
	c, err := s.issue(s.KeyUse().People, profile, condition)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.certificates[key] = c
	s.mu.Unlock()
	return nil
}

// renewAll replaces every certificate that is no longer good.
func (s *Sim) renewAll() {
	s.mu.Lock()
	keys := append([]string(nil), s.order...)
	s.mu.Unlock()
	for key := range s.members {
		keys = append(keys, key)
	}
	for _, key := range keys {
		c, err := s.Credential(key)
		if err != nil {
			continue
		}
		now := s.now()
		by, ours := s.authorityOf(c)
		good := ours && c.Profile.Usage == sigtest.Sign && !by.Revoked(c.Serial(), now) && !now.Before(c.Certificate.NotBefore) && !now.After(c.Certificate.NotAfter)
		if good {
			continue
		}
		if err := s.Replace(key, "good"); err != nil {
			s.log.Sugar().Errorf("renew %s: %v", key, err)
		}
	}
}

func (s *Sim) getCertificate(w http.ResponseWriter, r *http.Request) {
	c, err := s.describe(r.PathValue("key"))
	if err != nil {
		problem(w, http.StatusNotFound, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, c)
}

func (s *Sim) getCertPEM(w http.ResponseWriter, r *http.Request) {
	c, err := s.Credential(r.PathValue("key"))
	if err != nil {
		problem(w, http.StatusNotFound, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Write(c.PEM())
}

func (s *Sim) getP12(w http.ResponseWriter, r *http.Request) {
	q, ok := query(w, r, "password")
	if !ok {
		return
	}
	c, err := s.Credential(r.PathValue("key"))
	if err != nil {
		problem(w, http.StatusNotFound, err.Error())
		return
	}
	password := DefaultPassword
	if q.Has("password") {
		password = q.Get("password")
	}
	p12, err := c.PKCS12(password)
	if err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-pkcs12")
	w.Header().Set("Content-Disposition", `attachment; filename="`+c.FileName()+`"`)
	w.Write(p12)
}

// change runs one change of a certificate and shows what came of it.
func (s *Sim) change(w http.ResponseWriter, key string, err error) {
	c, unknown := s.describe(key)
	switch {
	case unknown != nil:
		problem(w, http.StatusNotFound, unknown.Error())
	case err != nil:
		problem(w, http.StatusUnprocessableEntity, err.Error())
	default:
		writeJSON(w, http.StatusOK, c)
	}
}

func (s *Sim) postRevoke(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Reason string `json:"reason"`
	}
	if readJSON(w, r, &in) {
		key := r.PathValue("key")
		s.change(w, key, s.Revoke(key, in.Reason))
	}
}

func (s *Sim) postRelease(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	s.change(w, key, s.Release(key))
}

func (s *Sim) postReplace(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Condition string `json:"condition"`
	}
	if readJSON(w, r, &in) {
		key := r.PathValue("key")
		s.change(w, key, s.Replace(key, in.Condition))
	}
}
