package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// recording is what the journal keeps of one write: it goes with it or not at all.
type recording struct {
	kind  journal.Kind
	owner string
	who   string
	key   []byte // the owner's
	parts []journal.Part
}

// part notes one thing that the write puts down. content is what an audit finds
// again in its row.
func (t *tx) part(what, id, note string, content ...[]byte) {
	p := journal.Part{What: what, ID: id, Note: note}
	if len(content) > 0 {
		p.Digest = journal.Digest(t.record.key, content...)
	}
	t.record.parts = append(t.record.parts, p)
}

// records are those of a whole job.
func (t *tx) records() []recording {
	if len(t.record.parts) == 0 {
		return t.before
	}
	return append(t.before, t.record)
}

// recordAs begins the record of a write that is about an application, or about
// a message that became none; a record before it is complete.
func (t *tx) recordAs(kind journal.Kind, owner, who string) error {
	t.before = t.records()
	key, err := t.w.ownerKey(t, owner)
	t.record = recording{kind: kind, owner: owner, who: who, key: key}
	return err
}

// ownerOf is under whose key a change is recorded.
func ownerOf(c *gateway.Change) string {
	switch {
	case c.Application != nil:
		return c.Application.Number
	case len(c.Papers) > 0:
		return c.Papers[0].Application
	case len(c.Deliveries) > 0:
		return c.Deliveries[0].Application
	case len(c.Events) > 0:
		return c.Events[0].Application
	case len(c.Dues) > 0:
		return c.Dues[0].Application
	case len(c.Evidence) > 0 && c.Evidence[0].Application != "":
		return c.Evidence[0].Application
	case c.Message != nil && c.Message.Application != "":
		return c.Message.Application
	case c.Message != nil:
		return "message/" + c.Message.ID
	}
	return ""
}

// maxKeys bounds the keys that are kept at hand.
const maxKeys = 4096

// ownerKey gives the key of an owner, a new one to a new owner.
func (w *writer) ownerKey(t *tx, owner string) ([]byte, error) {
	if key, ok := w.keys[owner]; ok {
		if len(key) == 0 {
			return nil, errDestroyed
		}
		return key, nil
	}
	key, err := t.keptKey(owner)
	if err == nil && key == nil {
		key = journal.NewKey()
		err = t.later("journal key", errOwned, `INSERT INTO journal_keys (owner, secret) VALUES (?, ?) ON CONFLICT (owner) DO NOTHING`, owner, key)
	}
	if err != nil {
		return nil, err
	}
	if len(w.keys) >= maxKeys {
		clear(w.keys)
	}
	w.keys[owner] = key
	return key, nil
}

// errDestroyed: nothing is recorded any more under a key that is destroyed.
var errDestroyed = fmt.Errorf("the key is destroyed: %w", gateway.ErrRemoved)

// errOwned says that an owner that looked new has a key.
var errOwned = errors.New("the owner has a key already")

// keptKey looks for the key of an owner; nil: it has none.
func (t *tx) keptKey(owner string) (key []byte, err error) {
	if t.read[owner] { // its key would be at hand
		return nil, nil
	}
	row, err := t.row(`SELECT secret FROM journal_keys WHERE owner = ?`, owner)
	if err == nil {
		err = row.Scan(&key)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil && len(key) == 0 {
		err = errDestroyed
	}
	if err != nil {
		return nil, fmt.Errorf("store: journal key: %w", err)
	}
	return key, nil
}

// chain appends the records of a group. It comes last in the transaction: who
// holds the head waits for nothing more but the flush.
func (w *writer) chain(t *tx) error {
	if len(w.records)+len(w.listed) == 0 {
		return nil
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	seq, prev, err := t.head()
	if err != nil {
		return fmt.Errorf("store: journal: %w", err)
	}
	if err := t.list(w.listed); err != nil {
		return err
	}
	for _, r := range w.records {
		seq++
		rec := journal.Record{At: at, Kind: r.kind, Owner: r.owner, Who: r.who, Parts: r.parts}
		body, err := rec.Body()
		if err != nil {
			return err
		}
		prev = journal.Link(seq, prev, journal.Sum(body))
		hash := slices.Clone(prev[:]) // it is sent later
		if err := t.later("journal", nil, `INSERT INTO journal (seq, owner, hash, body) VALUES (?, ?, ?, ?)`, seq, r.owner, hash, string(body)); err != nil {
			return err
		}
	}
	return t.later("journal", nil, `UPDATE journal_head SET seq = ?, hash = ? WHERE id = 1`, seq, prev[:])
}

// head locks the end of the chain and gives it. On PostgreSQL the question goes
// with what is queued.
func (t *tx) head() (seq int64, h journal.Hash, err error) {
	const q = `SELECT seq, hash FROM journal_head WHERE id = 1 {lock}`
	var kept []byte
	if t.w.d.shared {
		t.w.ask("journal", func(r pgx.Rows) error { return r.Scan(&seq, &kept) }, q)
		if err = t.w.flush(t.ctx); err == nil && kept == nil {
			err = sql.ErrNoRows
		}
	} else {
		var row *sql.Row
		if row, err = t.row(q); err == nil {
			err = row.Scan(&seq, &kept)
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		if _, err := t.exec(`INSERT INTO journal_head (id, seq, hash) VALUES (1, 0, ?) ON CONFLICT (id) DO NOTHING`, h[:]); err != nil {
			return 0, h, err
		}
		return t.head()
	}
	if err == nil && copy(h[:], kept) != len(h) {
		err = errors.New("the head is damaged")
	}
	return seq, h, err
}

// Note records what is no Change: an access, a configuration. It makes no
// digests.
func (s *Store) Note(ctx context.Context, kind journal.Kind, owner, who string, parts ...journal.Part) error {
	return s.writer.write(ctx, func(t *tx) error {
		t.record = recording{kind: kind, owner: owner, who: who, parts: parts}
		return nil
	})
}

// Head is the end of the chain: its last record's number and hash.
func (s *Store) Head(ctx context.Context) (seq int64, h journal.Hash, err error) {
	var kept []byte
	err = s.row(ctx, `SELECT seq, hash FROM journal_head WHERE id = 1`).Scan(&seq, &kept)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, h, nil
	}
	if err != nil {
		return 0, h, fmt.Errorf("store: journal: %w", err)
	}
	copy(h[:], kept)
	return seq, h, nil
}

// HashOf is the hash of one record; noughts for record 0, before the first.
func (s *Store) HashOf(ctx context.Context, seq int64) (h journal.Hash, err error) {
	if seq == 0 {
		return h, nil
	}
	var kept []byte
	switch err = s.row(ctx, `SELECT hash FROM journal WHERE seq = ?`, seq).Scan(&kept); {
	case err == nil:
		copy(h[:], kept)
		return h, nil
	case !errors.Is(err, sql.ErrNoRows):
		return h, fmt.Errorf("store: record: %w", err)
	}
	err = s.Journal(ctx, seq-1, "", func(l Link) error {
		if l.Seq == seq {
			h = l.Hash
		}
		return errEnough
	})
	if err == nil || h == (journal.Hash{}) && errors.Is(err, errEnough) {
		return h, fmt.Errorf("store: record %d: %w", seq, gateway.ErrNotFound)
	}
	if !errors.Is(err, errEnough) {
		return h, err
	}
	return h, nil
}

// stampedMark names the mark of the last record under a checkpoint with a time stamp.
const stampedMark = "journal/stamped"

// Checkpoint keeps a signature over one record. One that bears a time stamp takes
// the place of one that does not.
func (s *Store) Checkpoint(ctx context.Context, m journal.Mark, signed []byte, stamped bool) error {
	instead := "NOTHING"
	if stamped {
		instead = "UPDATE SET at = excluded.at, signed = excluded.signed"
	}
	return s.writer.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO checkpoints (seq, at, signed) VALUES (?, ?, ?) ON CONFLICT (seq) DO `+instead, m.Seq, micros(m.At), signed)
		if err == nil && stamped {
			_, err = t.exec(`INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
				WHERE CAST(marks.value AS BIGINT) < CAST(excluded.value AS BIGINT)`, stampedMark, strconv.FormatInt(m.Seq, 10))
		}
		if err != nil {
			return fmt.Errorf("store: checkpoint: %w", err)
		}
		return nil
	})
}

// LastStamped is the number of the last record under a checkpoint with a time
// stamp; nought without one, or where a version before made them all.
func (s *Store) LastStamped(ctx context.Context) (seq int64, err error) {
	value, err := s.Mark(ctx, stampedMark)
	if err != nil || value == "" {
		return 0, err
	}
	return strconv.ParseInt(value, 10, 64)
}

// WrittenAt is when a record was written. ErrNotFound: it is not in the store.
func (s *Store) WrittenAt(ctx context.Context, seq int64) (time.Time, error) {
	page, err := s.links(ctx, `SELECT j.seq, j.hash, j.body, c.signed FROM journal j LEFT JOIN checkpoints c ON c.seq = j.seq WHERE j.seq = ?`, seq)
	if err != nil {
		return time.Time{}, err
	}
	if len(page) == 0 {
		return time.Time{}, fmt.Errorf("store: record %d: %w", seq, gateway.ErrNotFound)
	}
	r, err := journal.Read(page[0].Body)
	if err != nil {
		return time.Time{}, err
	}
	return r.At, nil
}

// LastCheckpoint is the number of the last record under a checkpoint, and when
// that was made; nought without one.
func (s *Store) LastCheckpoint(ctx context.Context) (seq int64, at time.Time, err error) {
	var us int64
	err = s.row(ctx, `SELECT seq, at FROM checkpoints ORDER BY seq DESC LIMIT 1`).Scan(&seq, &us)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, nil
	}
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("store: checkpoint: %w", err)
	}
	return seq, moment(us), nil
}

// Link is one record as it is kept, with the checkpoint over it if there is one.
type Link struct {
	Seq        int64
	Hash       journal.Hash
	Body       []byte
	Checkpoint []byte
}

// linkPage is how many records are read at once.
const linkPage = 1000

// Journal gives the records after one, in their order, of one owner or, when
// that is empty, of all: those in files first, then those in the store.
func (s *Store) Journal(ctx context.Context, after int64, owner string, each func(Link) error) error {
	for {
		var err error
		if after, err = s.inFiles(ctx, after, owner, each); err != nil {
			return err
		}
		done, err := s.inStore(ctx, &after, owner, each)
		if done || err != nil {
			return err
		}
	}
}

// inStore gives the records that are in the store; not done: some of those after
// went into a file meanwhile.
func (s *Store) inStore(ctx context.Context, after *int64, owner string, each func(Link) error) (done bool, err error) {
	q := `SELECT j.seq, j.hash, j.body, c.signed FROM journal j LEFT JOIN checkpoints c ON c.seq = j.seq WHERE j.seq > ? ORDER BY j.seq LIMIT ?`
	args := func() []any { return []any{*after, linkPage} }
	if owner != "" {
		q = `SELECT j.seq, j.hash, j.body, c.signed FROM journal j LEFT JOIN checkpoints c ON c.seq = j.seq WHERE j.seq > ? AND j.owner = ? ORDER BY j.seq LIMIT ?`
		args = func() []any { return []any{*after, owner, linkPage} }
	}
	for {
		page, err := s.links(ctx, q, args()...)
		if err != nil {
			return false, err
		}
		if all, err := s.Segments(ctx); err != nil || len(all) > 0 && all[len(all)-1].Last > *after {
			return false, err
		}
		for _, l := range page {
			if err := each(l); err != nil {
				return false, err
			}
			*after = l.Seq
		}
		if len(page) < linkPage {
			return true, nil
		}
	}
}

func (s *Store) links(ctx context.Context, q string, args ...any) (page []Link, err error) {
	rows, err := s.query(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("store: journal: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l Link
		var h []byte
		if err := rows.Scan(&l.Seq, &h, &l.Body, &l.Checkpoint); err != nil {
			return nil, fmt.Errorf("store: journal: %w", err)
		}
		copy(l.Hash[:], h)
		page = append(page, l)
	}
	return page, rows.Err()
}
