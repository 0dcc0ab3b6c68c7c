package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"kopir/signature/nuc"
)

// Partner is a system that may put messages through the SOAP doors. It is
// known by the certificate that signs its messages, by its password, or by
// both: what is configured must fit, and one of them must be.
//
// The gateway replaces the password of what it pushes by 64 hexadecimal digits
// that a receiver cannot check, and may sign with a certificate of its own. So
// such a password is passed over where the certificate is bound, and refused
// where it is not; BINs may name the sender's organisation and the gateway's.
type Partner struct {
	SenderID string
	// Channel is the way of the applications that it brings.
	Channel Channel
	// Password is that of its messages, in clear; empty: none is asked for.
	Password string
	// BINs are the organisations whose system certificates it signs with,
	// Certificates the SHA-256 of single certificates.
	BINs         []BIN
	Certificates [][sha256.Size]byte
	// Services are the service ids it may use; empty: all.
	Services []string
}

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

// mayUse says whether a service id is open to the partner.
func (p *Partner) mayUse(serviceID string) bool {
	return len(p.Services) == 0 || slices.Contains(p.Services, serviceID)
}

// password says whether what stands in a message is right.
func (p *Partner) password(given string) bool {
	if p.Password == "" || p.bound() && replaced(given) {
		return true
	}
	want, have := sha256.Sum256([]byte(p.Password)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], have[:]) == 1
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
	byID    map[string]*Partner
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
		case p.byID[one.SenderID] != nil:
			faults = append(faults, fmt.Errorf("gateway: partner %s is named twice", one.SenderID))
		case !one.bound() && one.Password == "":
			faults = append(faults, fmt.Errorf("gateway: partner %s has neither password nor certificate: anybody could speak in its name", one.SenderID))
		case one.Channel != Portal && one.Channel != CSC:
			faults = append(faults, fmt.Errorf("gateway: partner %s brings applications by %q; it must be %s or %s", one.SenderID, one.Channel, Portal, CSC))
		}
		p.byID[one.SenderID] = &one
		p.all = append(p.all, &one)
	}
	return p, errors.Join(faults...)
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
