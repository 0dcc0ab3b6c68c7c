package cms

import (
	"math/big"
	"strings"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// Status is PKIStatus of a time stamping authority's answer.
type Status int

// Granted tells whether the answer must hold a token (RFC 3161 section 2.4.2).
func (s Status) Granted() bool { return s == 0 || s == 1 }

var statuses = [...]string{"granted", "granted with changes", "rejected", "waiting", "revocation warning", "revocation notification"}

func (s Status) String() string {
	if s >= 0 && int(s) < len(statuses) {
		return statuses[s]
	}
	return "unknown status"
}

// Response is a time stamping authority's answer.
type Response struct {
	Status   Status
	Text     string // what the authority says to people; may be empty
	Failures uint32 // bits of PKIFailureInfo, bit 0 of the standard lowest
	Token    []byte // DER; nil unless granted
}

// IsResponse tells an answer from a bare token by what stands first in it: a
// status, or the type of the content.
func IsResponse(raw []byte) bool {
	whole, err := der.Parse("", raw, der.Sequence)
	if err != nil {
		return false
	}
	s := whole.Seq()
	return s.Peek(der.Sequence)
}

// ParseResponse reads an answer. Errors are *der.Error.
func ParseResponse(raw []byte) (*Response, error) {
	const object = "time stamp response"
	if len(raw) > MaxToken {
		return nil, &der.Error{Object: object, Message: "more bytes than an answer has"}
	}
	whole, err := der.Parse(object, raw, der.Sequence)
	if err != nil {
		return nil, err
	}
	s := whole.Seq()
	info, err := s.Next("status", der.Sequence)
	if err != nil {
		return nil, err
	}
	r := &Response{}
	status, err := r.readStatus(info)
	if err != nil {
		return nil, err
	}
	token, ok, err := s.Optional("timeStampToken", der.Sequence)
	if err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	if ok != r.Status.Granted() {
		return nil, status.Errorf("%s, with a token: %v", r.Status, ok)
	}
	if ok {
		r.Token = token.Raw
	}
	return r, nil
}

func (r *Response) readStatus(v der.Value) (der.Value, error) {
	s := v.Seq()
	status, err := s.Next("status", der.Integer)
	if err != nil {
		return status, err
	}
	n, err := status.Int()
	if err != nil {
		return status, err
	}
	r.Status = Status(n)
	text, ok, err := s.Optional("statusString", der.Sequence)
	if err != nil {
		return status, err
	}
	if ok {
		var parts []string
		for lines := text.Seq(); !lines.Empty() && len(parts) < maxValues; {
			line, err := lines.Next("line", der.UTF8String)
			if err != nil {
				return status, err
			}
			part, err := line.Text()
			if err != nil {
				return status, err
			}
			parts = append(parts, part)
		}
		r.Text = strings.Join(parts, " ")
	}
	fail, ok, err := s.Optional("failInfo", der.BitString)
	if err != nil {
		return status, err
	}
	if ok {
		b := fail.Body
		if len(b) < 1 || len(b) > 5 || b[0] > 7 {
			return status, fail.Errorf("not a set of failures")
		}
		for i, c := range b[1:] {
			for bit := range 8 {
				if c&(0x80>>bit) != 0 {
					r.Failures |= 1 << (i*8 + bit)
				}
			}
		}
	}
	return status, s.End()
}

// Request asks for a time stamp (RFC 3161 section 2.4.1).
type Request struct {
	Imprint     Imprint
	Policy      string // object identifier; empty: the authority's choice
	Nonce       *big.Int
	Certificate bool // the authority's certificate shall come along
}

// Marshal gives the request in DER.
func (r Request) Marshal() ([]byte, error) {
	alg, err := algorithmDER(r.Imprint.Hash.ObjectIdentifier())
	if err != nil {
		return nil, err
	}
	parts := [][]byte{tlv(der.Integer, []byte{1}), tlv(der.Sequence, alg, tlv(der.OctetString, r.Imprint.Digest))}
	if r.Policy != "" {
		oid, err := oidDER(r.Policy)
		if err != nil {
			return nil, err
		}
		parts = append(parts, oid)
	}
	if r.Nonce != nil {
		parts = append(parts, intDER(r.Nonce))
	}
	if r.Certificate {
		parts = append(parts, tlv(der.Boolean, []byte{0xff}))
	}
	return tlv(der.Sequence, parts...), nil
}

// ParseRequest reads a request, as an authority does. Errors are *der.Error.
func ParseRequest(raw []byte) (*Request, error) {
	whole, err := der.Parse("time stamp request", raw, der.Sequence)
	if err != nil {
		return nil, err
	}
	s := whole.Seq()
	version, err := s.Next("version", der.Integer)
	if err != nil {
		return nil, err
	}
	if n, err := version.Int(); err != nil || n != 1 {
		return nil, version.Errorf("only version 1 is read")
	}
	imprint, err := s.Next("messageImprint", der.Sequence)
	if err != nil {
		return nil, err
	}
	r := &Request{}
	if r.Imprint, err = readImprint(imprint); err != nil {
		return nil, err
	}
	if policy, ok, err := s.Optional("reqPolicy", der.ObjectID); err != nil {
		return nil, err
	} else if ok {
		if r.Policy, err = policy.OID(); err != nil {
			return nil, err
		}
	}
	if nonce, ok, err := s.Optional("nonce", der.Integer); err != nil {
		return nil, err
	} else if ok {
		if r.Nonce, err = boundedInt(nonce); err != nil {
			return nil, err
		}
	}
	if want, ok, err := s.Optional("certReq", der.Boolean); err != nil {
		return nil, err
	} else if ok {
		if r.Certificate, err = want.Bool(); err != nil {
			return nil, err
		}
	}
	if list, ok, err := s.Optional("extensions", der.ContextConstructed(0)); err != nil {
		return nil, err
	} else if ok {
		for x := list.Seq(); !x.Empty(); {
			ext, err := nuc.ReadExtension(&x)
			if err != nil {
				return nil, err
			}
			if ext.Critical {
				return nil, ext.Value.Errorf("the critical extension %s is not understood", ext.OID)
			}
		}
	}
	return r, s.End()
}
