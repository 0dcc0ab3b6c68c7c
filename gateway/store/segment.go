package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"kopir/gateway/journal"
)

// Segment is a piece of the journal that lies in a file, an archive as package
// journal writes it.
type Segment struct {
	First, Last int64        // records
	Hash        journal.Hash // of the last one
	File        string
	Sum         journal.Hash // SHA-256 of the file
}

// ReadMoved says how files with records of the journal are opened. Without it a
// journal of which some were moved cannot be read from its beginning.
func (s *Store) ReadMoved(open func(file string) (io.ReadCloser, error)) { s.moved = open }

// Segments lists what lies in files, in the order of the chain.
func (s *Store) Segments(ctx context.Context) (all []Segment, err error) {
	rows, err := s.query(ctx, `SELECT first, last, hash, file, sha256 FROM journal_segments ORDER BY last`)
	if err != nil {
		return nil, fmt.Errorf("store: segments: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var g Segment
		var h, sum []byte
		if err := rows.Scan(&g.First, &g.Last, &h, &g.File, &sum); err != nil {
			return nil, fmt.Errorf("store: segments: %w", err)
		}
		copy(g.Hash[:], h)
		copy(g.Sum[:], sum)
		all = append(all, g)
	}
	return all, rows.Err()
}

// inFiles gives the records after one that lie in files, and after which one it
// goes on in the store.
func (s *Store) inFiles(ctx context.Context, after int64, owner string, each func(Link) error) (int64, error) {
	all, err := s.Segments(ctx)
	if err != nil {
		return after, err
	}
	for _, g := range all {
		if g.Last <= after {
			continue
		}
		if err := ctx.Err(); err != nil { // a file takes seconds
			return after, err
		}
		if err := s.inFile(g, after, owner, each); err != nil {
			return after, err
		}
		after = g.Last
	}
	if n := len(all); n > 0 && after == all[n-1].Last { // the row that stays must be the last one of the file
		var kept []byte
		if err := s.row(ctx, `SELECT hash FROM journal WHERE seq = ?`, after).Scan(&kept); err != nil {
			return after, &journal.Fault{Seq: after, What: "it is the last one in " + all[n-1].File + " and must stay in the store, and is not there"}
		}
		if !bytes.Equal(kept, all[n-1].Hash[:]) {
			return after, &journal.Fault{Seq: after, What: "its row is not the record that stands in " + all[n-1].File}
		}
	}
	return after, nil
}

// LostFile is the fault of a chain of which a file cannot be read, with why.
// What hangs on its last record can be verified all the same.
type LostFile struct {
	*journal.Fault
	Segment Segment
	why     error
}

// Unwrap gives both.
func (e *LostFile) Unwrap() []error { return []error{e.Fault, e.why} }

func (s *Store) inFile(g Segment, after int64, owner string, each func(Link) error) error {
	lost := func(why error) error {
		return &LostFile{&journal.Fault{Seq: g.First, What: fmt.Sprintf("records %d to %d lie in %s, and it cannot be read: %v", g.First, g.Last, g.File, why)}, g, why}
	}
	if s.moved == nil {
		return lost(errors.New("no folder is named (retention.folder)"))
	}
	f, err := s.moved(g.File)
	if err != nil {
		return lost(err)
	}
	defer f.Close()
	last := journal.Entry{}
	err = journal.Scan(f, func(e journal.Entry) error {
		last = e
		if e.Seq <= after || owner != "" && !ownedBy(e.Body, owner) {
			return nil
		}
		return each(Link{Seq: e.Seq, Hash: e.Hash, Body: e.Body, Checkpoint: e.Checkpoint})
	})
	if err == nil && (last.Seq != g.Last || last.Hash != g.Hash) {
		return &journal.Fault{Seq: g.Last, What: g.File + " does not end with the record that it must"}
	}
	return err
}

// ownedBy says whether a record is an owner's.
func ownedBy(body []byte, owner string) bool {
	if !bytes.Contains(body, []byte(owner)) {
		return false
	}
	r, err := journal.Read(body)
	return err == nil && r.Owner == owner
}

// movedOwner is under which it is recorded that records were moved.
const movedOwner = "journal"

// errOtherwise: what is to be moved is not in the store.
var errOtherwise = errors.New("store: the journal does not hold what is to be moved; somebody else moved it")

// Move takes records out of the store that lie in a file, whole and verified, but
// the last one: what follows hangs on it. The journal says which file has them.
func (s *Store) Move(ctx context.Context, g Segment, who string) error {
	err := s.writer.writeLong(ctx, func(t *tx) error {
		want := g.Last - g.First
		if g.First > 1 {
			want++ // the last one of the piece before
		}
		if n, err := t.exec(`DELETE FROM journal WHERE seq < ?`, g.Last); err != nil || n != want {
			return errors.Join(err, errOtherwise)
		}
		row, err := t.row(`SELECT COUNT(*) FROM journal WHERE seq = ? AND hash = ?`, g.Last, g.Hash[:])
		var there int
		if err == nil {
			err = row.Scan(&there)
		}
		if err != nil || there != 1 {
			return errors.Join(err, errOtherwise)
		}
		if _, err := t.exec(`DELETE FROM checkpoints WHERE seq < ?`, g.Last); err != nil {
			return err
		}
		if _, err := t.exec(`INSERT INTO journal_segments (last, first, hash, file, sha256) VALUES (?, ?, ?, ?, ?)`, g.Last, g.First, g.Hash[:], g.File, g.Sum[:]); err != nil {
			return err
		}
		t.record = recording{kind: journal.Moved, owner: movedOwner, who: who, parts: []journal.Part{
			{What: "segment", ID: g.File, Note: fmt.Sprintf("records %d to %d", g.First, g.Last), Digest: g.Sum},
		}}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: move records %d to %d: %w", g.First, g.Last, err)
	}
	return nil
}

// CheckpointsBefore lists the checkpoints over records after one and up to
// another that were made before a time, newest first.
func (s *Store) CheckpointsBefore(ctx context.Context, after, upTo int64, before time.Time) ([]Link, error) {
	return s.links(ctx, `SELECT j.seq, j.hash, j.body, c.signed FROM checkpoints c JOIN journal j ON j.seq = c.seq WHERE c.seq > ? AND c.seq <= ? AND c.at < ? ORDER BY c.seq DESC`, after, upTo, micros(before))
}

// errEnough ends the reading of the journal.
var errEnough = errors.New("enough")
