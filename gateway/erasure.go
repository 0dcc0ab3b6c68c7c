package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Removal says that the content of an application lies here no more.
type Removal struct {
	What   RemovalKind `json:"what"`
	At     time.Time   `json:"at"`
	By     string      `json:"by"`
	Reason string      `json:"reason,omitempty"`
}

// RemovalKind is what became of it.
type RemovalKind string

// What becomes of the content of an application that is over.
const (
	Archived RemovalKind = "archived" // in a sealed file, under the application's key
	Erased   RemovalKind = "erased"   // for good: its key is destroyed
)

// ErrOpen says that an application is not over: it is open, or something of it
// is still on its way.
var ErrOpen = errors.New("the application is not over")

// ErrRemoved says that the content is archived or erased already.
var ErrRemoved = errors.New("the content of the application is removed")

// Bare is an application without anything of a person.
func (a *Application) Bare(r Removal) *Application {
	return &Application{
		Number: a.Number, Service: a.Service, Edition: a.Edition, Channel: a.Channel, State: a.State, Office: a.Office, Fields: []Field{},
		ReceivedAt: a.ReceivedAt, ChangedAt: a.ChangedAt, Version: a.Version, Removed: &r,
	}
}

// Bare is a term without anything of a person: who moved it, and why.
func (due Due) Bare() *Due {
	due.Moved = nil
	return &due
}

// SealReply makes a stored reply readable only to whoever brings the message
// again: the key is made of the message's own bytes, which are kept no more.
// Their SHA-256, which is kept, does not give it.
func SealReply(raw, reply []byte) ([]byte, error) {
	return Seal(raw, "kopir reply", reply)
}

// OpenReply opens what SealReply made.
func OpenReply(raw, sealed []byte) ([]byte, error) {
	return Unseal(raw, "kopir reply", sealed)
}

// Seal encrypts content under a key that is made of a secret and a purpose
// (HKDF-SHA-256, AES-256-GCM). A secret seals one content for a purpose, so the
// nonce is fixed.
func Seal(secret []byte, purpose string, content []byte) ([]byte, error) {
	box, err := sealed(secret, purpose)
	if err != nil {
		return nil, err
	}
	return box.Seal(nil, make([]byte, box.NonceSize()), content, nil), nil
}

// Unseal opens what Seal made.
func Unseal(secret []byte, purpose string, content []byte) ([]byte, error) {
	box, err := sealed(secret, purpose)
	if err != nil {
		return nil, err
	}
	open, err := box.Open(nil, make([]byte, box.NonceSize()), content, nil)
	if err != nil {
		return nil, errors.New("sealed under another key, or changed")
	}
	return open, nil
}

func sealed(secret []byte, purpose string) (cipher.AEAD, error) {
	if len(secret) == 0 {
		return nil, errors.New("there is no key")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return cipher.NewGCM(block)
}

// Keeping is how the reply to a message is kept.
type Keeping int64

// The ways of keeping a reply.
const (
	ReplyPlain  Keeping = iota
	ReplySealed         // the message is removed: SealReply
	ReplyGone           // its time is over
	ReplyAlone          // as it was, without the message: it was refused beyond its sender's budget
)

// stored is the stored reply to a message that came again. raw is that message.
func (m *Message) stored(raw []byte) ([]byte, error) {
	switch m.Keeping {
	case ReplySealed:
		reply, err := OpenReply(raw, m.Reply)
		if err != nil {
			return nil, &Error{Code: Internal, Say: "the stored answer does not open", Cause: err}
		}
		return reply, nil
	case ReplyGone:
		return nil, refuse(DuplicateID, "messageId", "this message was received and answered on %s; the answer is not kept any more; ask about the application %s", m.At.Format(time.DateOnly), m.Application)
	}
	return m.Reply, nil
}
