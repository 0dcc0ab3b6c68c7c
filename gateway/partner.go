package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"kopir/signature/nuc"
)

// Partner is a system that may bring messages. Through the SOAP doors it is
// known by the certificate that signs its messages, by its password, or by
// both: what is configured must fit. Through the REST door it is known by the
// keys that sign its requests. One of them must be; who has REST alone does not
// exist for the SOAP doors.
//
// The gateway replaces the password of what it pushes by 64 hexadecimal digits
// that a receiver cannot check, and may sign with a certificate of its own. So
// such a password is passed over where the certificate is bound, and refused
// where it is not; BINs may name the sender's organisation and the gateway's.
type Partner struct {
	SenderID string
	// Channel is the way of the applications that it brings.
	Channel Channel
	// Password is that of its messages, in clear; empty: none is asked for. Former
	// is the one before, which is good as well while the partner changes; empty:
	// there is none.
	Password, Former string
	// BINs are the organisations whose system certificates it signs with,
	// Certificates the SHA-256 of single certificates.
	BINs         []BIN
	Certificates [][sha256.Size]byte
	// Services are the service ids it may use; empty: all.
	Services []string
	// Keys are those of its HTTP requests.
	Keys []PartnerKey
	// REST partners are told in JSON: by a call-back, or with Collects in the list
	// of their notices alone.
	REST, Collects bool
}

// soap says whether the partner speaks SOAP.
func (p *Partner) soap() bool { return p.bound() || p.Password != "" }

// bound says whether the partner is tied to certificates.
func (p *Partner) bound() bool { return len(p.BINs) > 0 || len(p.Certificates) > 0 }

// holds says whether a certificate is one of the partner's.
func (p *Partner) holds(c *nuc.Certificate) bool {
	if c == nil {
		return false
	}
	for _, f := range p.Certificates {
		if subtle.ConstantTimeCompare(f[:], c.Fingerprint[:]) == 1 {
			return true
		}
	}
	bin := BIN(c.Subject.BIN)
	return bin != "" && slices.Contains(p.BINs, bin)
}

// mayUse says whether a service is open to the partner under one of its ids.
func (p *Partner) mayUse(serviceIDs ...string) bool {
	return len(p.Services) == 0 || slices.ContainsFunc(serviceIDs, func(id string) bool { return slices.Contains(p.Services, id) })
}

// password says whether what stands in a message is right, and whether it is
// the former one.
func (p *Partner) password(given string) (ok, former bool) {
	switch {
	case p.Password == "" || p.bound() && replaced(given) || sameSecret(p.Password, given):
		return true, false
	case p.Former != "" && sameSecret(p.Former, given):
		return true, true
	}
	return false, false
}

// sameSecret compares secrets in a time that tells nothing of them.
func sameSecret(want, given string) bool {
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// replaced says whether a password has the form that the gateway writes over
// the sender's own in what it pushes.
func replaced(password string) bool {
	if len(password) != 64 {
		return false
	}
	for _, c := range []byte(password) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// gatewayName is whom the log and the history name for the gateway's own word.
const gatewayName = "gateway"

type partners struct {
	// gateway is the gateway itself, which names no sender when it speaks of
	// messages of ours. It brings nothing.
	gateway *Partner
	byID    map[string]*Partner // those that speak SOAP
	all     []*Partner
}

func newPartners(list []Partner, gateway []BIN) (partners, error) {
	p := partners{byID: map[string]*Partner{}, gateway: &Partner{SenderID: gatewayName, BINs: gateway}}
	var faults []error
	for i := range list {
		one := list[i]
		switch {
		case one.SenderID == "":
			faults = append(faults, fmt.Errorf("gateway: partner %d has no sender id", i+1))
		case p.named(one.SenderID) != nil:
			faults = append(faults, fmt.Errorf("gateway: partner %s is named twice", one.SenderID))
		case !one.soap() && len(one.Keys) == 0:
			faults = append(faults, fmt.Errorf("gateway: partner %s has neither password nor certificate nor key: anybody could speak in its name", one.SenderID))
		case one.Former != "" && one.Password == "":
			faults = append(faults, fmt.Errorf("gateway: partner %s has a former password and none now", one.SenderID))
		case one.Channel != Portal && one.Channel != CSC:
			faults = append(faults, fmt.Errorf("gateway: partner %s brings applications by %q; it must be %s or %s", one.SenderID, one.Channel, Portal, CSC))
		}
		for j, k := range one.Keys {
			other, _ := p.byKey(k.ID)
			if other != nil || slices.ContainsFunc(one.Keys[:j], func(o PartnerKey) bool { return o.ID == k.ID }) {
				faults = append(faults, fmt.Errorf("gateway: partner %s: the key %s stands twice", one.SenderID, k.ID))
			}
		}
		if one.soap() {
			p.byID[one.SenderID] = &one
		}
		p.all = append(p.all, &one)
	}
	return p, errors.Join(faults...)
}

// named finds a partner, whatever it speaks; nil: there is none.
func (p partners) named(senderID string) *Partner {
	for _, one := range p.all {
		if one.SenderID == senderID {
			return one
		}
	}
	return nil
}

// byKey finds whose HTTP requests a key signs; nil: nobody's.
func (p partners) byKey(id string) (*Partner, PartnerKey) {
	for _, one := range p.all {
		for _, k := range one.Keys {
			if k.ID == id {
				return one, k
			}
		}
	}
	return nil, PartnerKey{}
}

// spokesman is who is told what belongs to nobody's message on a channel whose
// partners all speak REST: the first of them. Nil: the channel's way out knows.
func (p partners) spokesman(c Channel) (first *Partner) {
	for _, one := range p.all {
		switch {
		case one.Channel != c:
		case !one.REST:
			return nil
		case first == nil:
			first = one
		}
	}
	return first
}

// byCertificate finds the one partner that a certificate is bound to, for
// messages that name no sender.
func (p partners) byCertificate(c *nuc.Certificate) (*Partner, bool) {
	var found *Partner
	for _, one := range p.all {
		if one.holds(c) {
			if found != nil {
				return nil, false
			}
			found = one
		}
	}
	return found, found != nil
}
