package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Fault is the first thing in a journal that is not as it was written.
type Fault struct {
	Seq  int64 // of the record at which it shows
	What string
}

// Error says which record, and what is wrong with it.
func (f *Fault) Error() string { return fmt.Sprintf("record %d: %s", f.Seq, f.What) }

// Chain verifies records in their order. The zero value awaits record 1.
type Chain struct {
	Seq  int64 // of the last record that held
	Head Hash  // its hash
	// Sealed is the last record under a checkpoint that held, and SealedAt the
	// time that the checkpoint proves.
	Sealed   int64
	SealedAt time.Time
	// Stamped: that time is proven by a time stamp, and not the signer's word.
	Stamped bool
}

// Add verifies the next record: the bytes of its body and the hash that was
// kept with them.
func (c *Chain) Add(body []byte, kept Hash) error {
	next := c.Seq + 1
	if Link(next, c.Head, Sum(body)) != kept {
		return &Fault{next, "it is not what was written there, or does not follow the record before it"}
	}
	c.Seq, c.Head = next, kept
	return nil
}

// Pass takes the next record by the Sum of its body alone.
func (c *Chain) Pass(body Hash) {
	c.Head = Link(c.Seq+1, c.Head, body)
	c.Seq++
}

// Mark is what a checkpoint signs.
type Mark struct {
	Seq  int64     `json:"seq"`
	Hash Hash      `json:"hash"`
	At   time.Time `json:"at"`
}

// Judge verifies the signature of a checkpoint and gives what was signed, and
// the time that its stamp proves; zero without a stamp. Trust is the caller's.
type Judge func(signed []byte) (content []byte, stamp time.Time, err error)

// Seal verifies a checkpoint over the record that was added last.
func (c *Chain) Seal(signed []byte, judge Judge) error {
	content, stamp, err := judge(signed)
	if err != nil {
		return &Fault{c.Seq, fmt.Sprintf("its checkpoint is not to be believed: %v", err)}
	}
	var m Mark
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return &Fault{c.Seq, fmt.Sprintf("its checkpoint does not read: %v", err)}
	}
	if m.Seq != c.Seq || m.Hash != c.Head {
		return &Fault{c.Seq, fmt.Sprintf("its checkpoint was made over record %d with the hash %s", m.Seq, m.Hash)}
	}
	c.Sealed, c.SealedAt, c.Stamped = c.Seq, stamp, !stamp.IsZero()
	if !c.Stamped {
		c.SealedAt = m.At
	}
	return nil
}
