// Package journal is the chain of records by which a bridge proves what
// happened: every message, verdict, decision, delivery, configuration and
// access, in their order, each with the hash of the one before.
//
// A record holds no content and no person's data: of each thing it keeps the
// kind, the id, what became of it, and a digest under a key that belongs to the
// application (HMAC-SHA-256, RFC 2104). Who has content and key can prove that
// this was it; when the key is erased, the digest says nothing any more and the
// chain still holds.
//
// A checkpoint is a signature (CMS with a time stamp, RFC 5652 and RFC 3161)
// over the hash of one record. What lies before it can be neither changed nor
// cut off. What lies after the last one is chained, no more.
//
// The hash of a record is made of its number, the hash before it, and the SHA-256
// of its body (Link). So a chain can be followed through records that are not
// shown: of those it takes their SHA-256 alone, which says nothing about them.
// An evidence bundle proves so that its records stand in the chain, without the
// records of others.
//
// An archive is a text file, one JSON object a line (record, checkpoint, end).
// Verifying it needs no network and no database.
package journal

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Kind says what a record is about.
type Kind string

// The kinds of record.
const (
	Change        Kind = "change"        // what one decision changed, whole
	Access        Kind = "access"        // somebody read a person's data
	Configuration Kind = "configuration" // the bridge began to run on this
	Erasure       Kind = "erasure"       // the key of an application was destroyed
	Archive       Kind = "archive"       // its content went into a sealed file
	Moved         Kind = "moved"         // records of the chain went into a file
)

// Hash is a SHA-256 value, in hexadecimal when written.
type Hash [sha256.Size]byte

// MarshalText writes lower-case hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) != 2*len(h) {
		return fmt.Errorf("a hash has %d digits, this one %d", 2*len(h), len(b))
	}
	if _, err := hex.Decode(h[:], b); err != nil {
		return fmt.Errorf("a hash is written in hexadecimal: %w", err)
	}
	return nil
}

// String is the hexadecimal form.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Record is one link of the chain.
type Record struct {
	At    time.Time `json:"at"`
	Kind  Kind      `json:"kind"`
	Owner string    `json:"owner,omitempty"` // whose key made the digests: an application's number, or message/ and an id
	Who   string    `json:"who,omitempty"`   // name of the API key or process that acted
	Parts []Part    `json:"parts,omitempty"`
}

// Part is one thing in a record.
type Part struct {
	What   string `json:"what"` // message, verdict, application, event, due, delivery, result …
	ID     string `json:"id"`
	Note   string `json:"note,omitempty"` // what became of it, without content
	Digest Hash   `json:"digest,omitzero"`
}

// Body is the record as it is kept and hashed.
func (r *Record) Body() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Read is the record of a body: exactly what Body writes.
func Read(body []byte) (*Record, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	r := new(Record)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("journal: a record does not read: %w", err)
	}
	if again, err := r.Body(); err != nil || !bytes.Equal(again, body) {
		return nil, errors.New("journal: a record is not written as this program writes")
	}
	return r, nil
}

// Sum is the SHA-256 of a record's body, or of anything else.
func Sum(body []byte) Hash { return sha256.Sum256(body) }

// Link is the hash of record seq, which the next one names: the SHA-256 of four
// lines, each with its end. prev is the hash of the record before, noughts for
// the first; body the Sum of the record's body.
//
//	kopir journal 1
//	(seq, decimal)
//	(prev, hexadecimal)
//	(body, hexadecimal)
func Link(seq int64, prev, body Hash) Hash {
	b := make([]byte, 0, 192)
	b = append(b, "kopir journal 1\n"...)
	b = append(strconv.AppendInt(b, seq, 10), '\n')
	b = append(hex.AppendEncode(b, prev[:]), '\n')
	b = append(hex.AppendEncode(b, body[:]), '\n')
	return sha256.Sum256(b)
}

// KeySize is the length of an owner's key in bytes.
const KeySize = 32

// NewKey makes the key of a new owner.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key) // never fails (crypto/rand)
	return key
}

// Digest is what a record keeps of a thing: its parts, each with its length
// before it, under the owner's key.
func Digest(key []byte, parts ...[]byte) Hash {
	m := hmac.New(sha256.New, key)
	var length [8]byte
	for _, p := range parts {
		for i := range length {
			length[i] = byte(len(p) >> (56 - 8*i))
		}
		m.Write(length[:])
		m.Write(p)
	}
	return Hash(m.Sum(nil))
}
