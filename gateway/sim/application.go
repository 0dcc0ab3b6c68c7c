package sim

import (
	"fmt"
	"time"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/sigtest"
)

// DefaultService is what people apply for when they do not say.
const DefaultService = "almaty-unemployed-certificate"

// Tweaks make an application other than it should be. The zero value is a
// good application.
type Tweaks struct {
	IIN          string            `json:"iin,omitempty"`           // the applicant's IIN in the document
	Set          map[string]string `json:"set,omitempty"`           // element path below the root: other text, or an element that the form does not have
	Drop         []string          `json:"drop,omitempty"`          // element paths that are left out
	AttachmentKB int               `json:"attachment_kb,omitempty"` // encloses a PDF of this size
	Form         string            `json:"form,omitempty"`          // of data: escaped (default), untyped, cdata, nested
	Unsigned     bool              `json:"unsigned,omitempty"`      // no person's signature
	Tampered     bool              `json:"tampered,omitempty"`      // changed after it was signed
	Certificate  string            `json:"certificate,omitempty"`   // of the signer: good (default), expired, not_yet_valid, revoked, hold, auth, stranger
	CosignedBy   string            `json:"cosigned_by,omitempty"`   // a second signature, by this person
	Break        []string          `json:"break,omitempty"`         // rules of the form to break, as FIELD:RULE; GET /sim/services lists them
}

// Certificates that a signer can have.
const (
	certGood        = ""
	certExpired     = "expired"
	certNotYetValid = "not_yet_valid"
	certRevoked     = "revoked"
	certHold        = "hold"
	certAuth        = "auth"
	certStranger    = "stranger"
)

// document makes and signs the document of an application. It fills in who
// signs where the submission does not say.
func (s *Sim) document(channel, number string, sub *Submission) ([]byte, *mappings.Service, error) {
	service, err := s.serviceOf(channel, sub)
	if err != nil {
		return nil, nil, err
	}
	document, err := s.compose(service, channel, number, sub)
	if err == nil {
		document, err = changed(document, service, sub.Tweaks)
	}
	if err != nil || sub.Tweaks.Unsigned || service.Request.Data.Signed != "inner" {
		return document, service, err
	}
	switch sub.Signed {
	case "", "xml":
	case signedCMS:
		document, err = s.signCMS(sub.SignedBy, sub.Tweaks, document)
		return document, service, err
	default:
		return nil, nil, fmt.Errorf("signed %q is neither xml nor cms", sub.Signed)
	}
	if document, err = s.signAs(sub.SignedBy, sub.Tweaks.Certificate, document); err != nil {
		return nil, nil, err
	}
	if sub.Tweaks.CosignedBy != "" {
		if document, err = s.signAs(sub.Tweaks.CosignedBy, certGood, document); err != nil {
			return nil, nil, err
		}
	}
	if sub.Tweaks.Tampered {
		document = tampered(document)
	}
	return document, service, nil
}

const signedCMS = "cms"

// signCMS puts a CMS message (DER) around a document. Tampered is the last bit
// of the signature value.
func (s *Sim) signCMS(person string, t Tweaks, document []byte) ([]byte, error) {
	c, err := s.credentialFor(person, t.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := c.Key()
	if err != nil {
		return nil, err
	}
	message, err := signature.SignCMS(document, key, signature.CMSOptions{SigningTime: s.now()})
	if err == nil && t.Tampered {
		message[len(message)-1] ^= 1
	}
	return message, err
}

// SignAs puts a person's enveloped signature into an XML document, made by
// goxmldsig with RSA keys and by the bridge's own signer with national ones. Certificate is one of the words of Tweaks.Certificate.
func (s *Sim) SignAs(person, certificate string, document []byte) ([]byte, error) {
	return s.signAs(person, certificate, document)
}

func (s *Sim) signAs(person, certificate string, document []byte) ([]byte, error) {
	c, err := s.credentialFor(person, certificate)
	if err != nil {
		return nil, err
	}
	return signEnveloped(document, c)
}

// credentialFor gives a person's certificate in a condition. The good one is
// always the same; each of the others is issued for the occasion.
func (s *Sim) credentialFor(person, condition string) (*sigtest.Credential, error) {
	s.mu.Lock()
	good, p := s.certificates[person], s.people[person]
	s.mu.Unlock()
	if p.Key == "" {
		return nil, fmt.Errorf("there is no person %q", person)
	}
	if condition == certGood || condition == "good" {
		return good, nil
	}
	profile, err := p.profile(sigtest.Sign)
	if err != nil {
		return nil, err
	}
	return s.issue(s.KeyUse().People, profile, condition)
}

// issue makes a certificate with a kind of key in a condition: one of the words
// above, or good.
func (s *Sim) issue(keys Keys, profile sigtest.Profile, condition string) (*sigtest.Credential, error) {
	const day = 24 * time.Hour
	with, err := s.authorityWith(keys)
	if err != nil {
		return nil, err
	}
	now, by := s.now(), with.Authority
	profile.NotBefore = now.Add(-day)
	switch condition {
	case certGood, "good", certRevoked, certHold:
	case certExpired:
		profile.NotBefore, profile.NotAfter = now.Add(-400*day), now.Add(-35*day)
	case certNotYetValid:
		profile.NotBefore, profile.NotAfter = now.Add(30*day), now.Add(395*day)
	case certAuth:
		profile.Usage = sigtest.Auth
	case certStranger:
		by = with.strangers
	default:
		return nil, fmt.Errorf("certificate %q is none of good, expired, not_yet_valid, revoked, hold, auth, stranger", condition)
	}
	c, err := by.Issue(profile)
	if err != nil {
		return nil, err
	}
	switch condition {
	case certRevoked:
		by.Revoke(c, now, sigtest.ReasonKeyCompromise)
	case certHold:
		by.Revoke(c, now, sigtest.ReasonHold)
	}
	return c, nil
}
