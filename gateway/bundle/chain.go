package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"kopir/gateway/journal"
)

// chainLine is one line of the chain: a piece of the chain begins after a
// record of which the hash is named, and goes on to the next checkpoint.
type chainLine struct {
	After      *place          `json:"after,omitempty"`
	Record     json.RawMessage `json:"record,omitempty"`
	Other      journal.Hash    `json:"other,omitzero"` // SHA-256 of the body of a record that is not shown
	Checkpoint []byte          `json:"checkpoint,omitempty"`
}

type place struct {
	Seq  int64        `json:"seq"`
	Hash journal.Hash `json:"hash"`
}

// ChainWriter writes the records of one owner with their way to the next
// checkpoint. Records come in the order of the chain.
type ChainWriter struct {
	b   bytes.Buffer
	err error
}

func (w *ChainWriter) put(l chainLine) {
	if w.err != nil {
		return
	}
	e := json.NewEncoder(&w.b)
	e.SetEscapeHTML(false)
	w.err = e.Encode(l)
}

// After begins a piece behind a record.
func (w *ChainWriter) After(seq int64, h journal.Hash) {
	w.put(chainLine{After: &place{seq, h}})
}

// Record adds the next record, Other one that is not shown.
func (w *ChainWriter) Record(body []byte) { w.put(chainLine{Record: body}) }

// Other adds a record that is not shown.
func (w *ChainWriter) Other(body []byte) { w.put(chainLine{Other: journal.Sum(body)}) }

// Checkpoint ends a piece.
func (w *ChainWriter) Checkpoint(signed []byte) { w.put(chainLine{Checkpoint: signed}) }

// Bytes are the whole chain.
func (w *ChainWriter) Bytes() ([]byte, error) {
	if w.err != nil {
		return nil, fmt.Errorf("bundle: %w", w.err)
	}
	return w.b.Bytes(), nil
}

// link is one shown record in its place.
type link struct {
	seq    int64
	record *journal.Record
}

// readChain follows the chain piece by piece. Each must end with a checkpoint
// that is believed.
func readChain(src []byte, judge journal.Judge) (links []link, last journal.Chain, err error) {
	var c journal.Chain
	open := false // a piece that has no checkpoint yet
	for n := 1; len(src) > 0; n++ {
		raw, rest, found := bytes.Cut(src, []byte("\n"))
		src = rest
		bad := func(format string, args ...any) ([]link, journal.Chain, error) {
			return nil, last, fmt.Errorf("line %d: %s", n, fmt.Sprintf(format, args...))
		}
		var l chainLine
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil || !found {
			return bad("it does not read")
		}
		var again ChainWriter
		if again.put(l); !bytes.Equal(again.b.Bytes(), append(raw[:len(raw):len(raw)], '\n')) {
			return bad("it is not written as this program writes")
		}
		kinds := 0
		for _, there := range []bool{l.After != nil, l.Record != nil, l.Other != journal.Hash{}, l.Checkpoint != nil} {
			if there {
				kinds++
			}
		}
		switch {
		case kinds != 1:
			return bad("it is of no kind, or of several")
		case l.After != nil:
			if open || l.After.Seq < last.Seq {
				return bad("a piece of the chain begins before the one in front of it has ended")
			}
			c, open = journal.Chain{Seq: l.After.Seq, Head: l.After.Hash}, true
			if c.Seq < 0 || c.Seq == 0 && c.Head != (journal.Hash{}) {
				return bad("the chain does not begin so")
			}
			if c.Seq == last.Seq && last.Seq > 0 && c.Head != last.Head {
				return bad("it names another hash for record %d than the piece in front of it", c.Seq)
			}
		case !open:
			return bad("it belongs to no piece of the chain")
		case l.Record != nil:
			r, err := journal.Read(l.Record)
			if err != nil {
				return bad("%v", err)
			}
			c.Pass(journal.Sum(l.Record))
			links = append(links, link{c.Seq, r})
		case l.Other != journal.Hash{}:
			c.Pass(l.Other)
		default:
			if err := c.Seal(l.Checkpoint, judge); err != nil {
				return bad("%v", err)
			}
			last, open = c, false
		}
	}
	if open || last.Seq == 0 {
		return nil, last, errors.New("it does not end with a checkpoint")
	}
	return links, last, nil
}
