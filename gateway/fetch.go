package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"

	"kopir/gateway/soap"
	"kopir/signature/xmltree"
)

// A bridge without a call-back address fetches what the gateway has for it.
// What comes that way walks the same steps as what is pushed: the signature
// that is judged is the one over the answer, which is the gateway's, and only
// what it covers is read.

// Confirmation is what the gateway is told of a message that was fetched. The
// zero value: it is kept, and need not be handed out again.
type Confirmation struct {
	Refused *soap.ErrorInfo // the message was not taken, and why
	Resend  bool            // it must be handed out again
}

// Fetched takes one message of an answer to getMessages, named by its
// messageId. When it returns, what the confirmation says is on disk; so the
// gateway is told after, and only after. A message that comes again, because
// the confirmation was lost or because it is pushed too, is known by its id and
// what it says: the envelope around it is another one each time.
func (b *Bridge) Fetched(ctx context.Context, answer []byte, messageID string) Confirmation {
	m, err := b.take(ctx, Incoming{Door: FetchDoor, Raw: answer, Fetched: messageID})
	if err == nil {
		return Confirmation{}
	}
	f, _, row := b.faultOf(m, err)
	return Confirmation{Refused: f.Info, Resend: row.ours()}
}

// request is the message that was sent to us, as if it had been pushed.
func request(whole *soap.Message, in Incoming) (*soap.Message, error) {
	if in.Door != FetchDoor {
		if whole.Kind != soap.Request {
			return nil, refuse(Malformed, "Envelope/Body", "an answer or a fault where a request is expected")
		}
		return whole, nil
	}
	p, ok := whole.Payload.(*soap.AsyncGetMessagesResponse)
	if !ok {
		return nil, refuse(Malformed, "Envelope/Body", "not an answer to getMessages")
	}
	return pick(whole, p, in.Fetched)
}

// pick takes one message out of an answer to getMessages.
func pick(whole *soap.Message, p *soap.AsyncGetMessagesResponse, id string) (*soap.Message, error) {
	var found *soap.AsyncSendMessageRequest
	for i := range p.Messages {
		if p.Messages[i].MessageInfo.MessageID != id || id == "" {
			continue
		}
		if found != nil {
			return nil, refuse(Malformed, "messages/messageInfo/messageId", "two messages of one answer have this id")
		}
		found = &soap.AsyncSendMessageRequest{MessageInfo: p.Messages[i].MessageInfo, MessageData: p.Messages[i].MessageData}
	}
	if found == nil {
		return nil, refuse(Malformed, "messages/messageInfo/messageId", "no message of the answer has this id")
	}
	return &soap.Message{Operation: soap.AsyncSendMessage, Kind: soap.Request, Payload: found, Security: whole.Security, Signature: whole.Signature}, nil
}

// contentSum tells messages apart by what they say and not by how they came: hex of
// SHA-256 over everything but the password, the session and the route, which
// are the gateway's own. Empty for other kinds of messages.
func contentSum(m *soap.Message) string {
	p, ok := m.Payload.(*soap.AsyncSendMessageRequest)
	if !ok {
		return ""
	}
	h := sha256.New()
	i := p.MessageInfo
	for _, s := range []string{
		messageKey(i.MessageID), strings.TrimSpace(i.CorrelationID), i.ServiceID, string(i.MessageType), i.MessageDate.UTC().Format("2006-01-02T15:04:05.999999999"), i.Sender.SenderID,
	} {
		part(h, []byte(s))
	}
	d := p.MessageData.Data
	part(h, d.Document())
	if d.Form == soap.Nested {
		for n := range d.Node.Elements() {
			part(h, n.Document().Canonical(nil, n, xmltree.C14N{Kind: xmltree.Exclusive, Comments: true}))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// part hashes a piece with its length before it, so that pieces cannot run
// into each other.
func part(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:])
	h.Write(b)
}

// same says whether what was kept is this message: the same bytes, or where
// one of the two was fetched and the other pushed, the same content.
func (m *inbound) same(kept *Message) bool {
	switch {
	case kept.SHA256 == m.sha:
		return true
	case m.in.Door == FetchDoor && kept.Door == AsyncDoor:
		doc, err := xmltree.Parse(kept.Raw, xmltree.DefaultLimits())
		if err != nil {
			return false
		}
		pushed, err := soap.Read(doc)
		return err == nil && contentSum(pushed) == m.sha
	case m.in.Door == AsyncDoor && kept.Door == FetchDoor:
		return contentSum(m.claim) == kept.SHA256
	default:
		return false
	}
}
