package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// Remove takes the content of an application that is over, or of a message that
// became none, out of the store: rows, messages, evidence, deliveries, papers.
// What stays is that it was: number, service, states, times, terms without who
// moved them and why, and the records of the journal. Erased destroys its key too, so that the digests of the journal
// and an archived file say nothing any more; Archived is recorded with the file
// that has it, as part. The stored reply stays for whoever brings the message
// again.
//
// ErrOpen: it is not over. ErrRemoved: it is erased, or is to be archived twice.
// ErrNotFound: there is nothing of it.
func (s *Store) Remove(ctx context.Context, owner string, r gateway.Removal, file *journal.Part) error {
	err := s.writer.write(ctx, func(t *tx) error { return t.remove(owner, r, file) }, owner)
	if err != nil && !errors.Is(err, gateway.ErrRemoved) {
		return fmt.Errorf("store: remove %s: %w", owner, err)
	}
	return errors.Join(err, s.sweep(ctx)) // also after one that was cut off here
}

// sweep empties SQLite's log of writes, in which the old pages stand.
func (s *Store) sweep(ctx context.Context) error {
	if s.d.shared {
		return nil
	}
	var busy, log, done int
	if err := s.row(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &done); err != nil {
		return fmt.Errorf("store: empty the log: %w", err)
	}
	if busy != 0 {
		return errors.New("store: what was removed still stands in the log of the database, because somebody reads it; do it again")
	}
	return nil
}

func (t *tx) remove(owner string, r gateway.Removal, file *journal.Part) error {
	var secret []byte
	row, err := t.row(`SELECT secret FROM journal_keys WHERE owner = ?`, owner)
	if err == nil {
		err = row.Scan(&secret)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return gateway.ErrNotFound
	case err != nil:
		return err
	case len(secret) == 0:
		return gateway.ErrRemoved
	}
	if err := t.removeApplication(owner, r); err != nil {
		return err
	}
	if err := t.sealMessages(owner); err != nil {
		return err
	}
	if err := t.bareDues(owner); err != nil {
		return err
	}
	for _, table := range []string{"results", "papers", "events", "evidence", "holds", "outbox", "tries", "pickups"} {
		if _, err := t.exec(`DELETE FROM `+table+` WHERE application = ?`, owner); err != nil {
			return err
		}
	}
	if err := t.forgetReplays(owner); err != nil {
		return err
	}
	part := journal.Part{What: string(r.What), ID: owner, Note: r.Reason}
	kind := journal.Erasure
	if r.What == gateway.Archived {
		kind, part = journal.Archive, *file
	} else if _, err := t.exec(`UPDATE journal_keys SET secret = ?, erased_at = ? WHERE owner = ?`, []byte{}, micros(r.At), owner); err != nil {
		return err
	}
	t.record = recording{kind: kind, owner: owner, who: r.By, parts: []journal.Part{part}}
	delete(t.w.keys, owner)
	return nil
}

// removeApplication leaves of the row what is nobody's secret.
func (t *tx) removeApplication(owner string, r gateway.Removal) error {
	if strings.HasPrefix(owner, "message/") {
		return nil
	}
	var body string
	row, err := t.row(`SELECT body FROM applications WHERE number = ? {lock}`, owner)
	if err == nil {
		err = row.Scan(&body)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return gateway.ErrNotFound
	}
	a := new(gateway.Application)
	if err == nil {
		err = fromJSON(body, a)
	}
	if err != nil {
		return err
	}
	if a.Removed != nil && a.Removed.What == r.What {
		return gateway.ErrRemoved
	}
	var waiting int
	row, err = t.row(`SELECT COUNT(*) FROM outbox WHERE application = ? AND state IN ('queued', 'dead')`, owner)
	if err == nil {
		err = row.Scan(&waiting)
	}
	if err != nil {
		return err
	}
	if !a.State.Final() || waiting > 0 {
		return gateway.ErrOpen
	}
	bare, err := toJSON(a.Bare(r))
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE applications SET iin = '', bin = '', partner_number = '', body = ?, removed = ? WHERE number = ?`, bare, string(r.What), owner)
	return err
}

// bareDues leaves of terms what is nobody's secret: how long a step takes is
// measured by them.
func (t *tx) bareDues(owner string) error {
	dues, err := readDues(t.query(`SELECT `+dueColumns+` FROM dues WHERE application = ?`, owner))
	if err != nil {
		return err
	}
	for i := range dues {
		if err := t.bareDue(&dues[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) bareDue(d *gateway.Due) error {
	bare, err := toJSON(d.Bare())
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE dues SET body = ? WHERE application = ? AND step = ? AND started_at = ?`, bare, d.Application, d.Step, micros(d.StartedAt))
	return err
}

// sealMessages takes the messages away, and leaves the replies to those who
// have the messages.
func (t *tx) sealMessages(owner string) error {
	rows, err := t.query(`SELECT id, raw, reply FROM messages WHERE (application = ? OR id = ?) AND keeping = 0`, owner, strings.TrimPrefix(owner, "message/"))
	if err != nil {
		return err
	}
	type message struct {
		id         string
		raw, reply []byte
	}
	var all []message
	for rows.Next() {
		var m message
		if err := rows.Scan(&m.id, &m.raw, &m.reply); err != nil {
			rows.Close()
			return err
		}
		all = append(all, m)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	// Without the message there is nothing to seal its reply under.
	if _, err := t.exec(`UPDATE messages SET reply = ?, keeping = 2 WHERE (application = ? OR id = ?) AND keeping = 3`, []byte{}, owner, strings.TrimPrefix(owner, "message/")); err != nil {
		return err
	}
	for _, m := range all {
		sealed, err := gateway.SealReply(m.raw, m.reply)
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE messages SET raw = ?, reply = ?, keeping = 1 WHERE id = ?`, []byte{}, sealed, m.id); err != nil {
			return err
		}
	}
	return nil
}

// forgetReplays drops the answers that REST gave about the owner. Those that do
// not say what they are about are looked through.
func (t *tx) forgetReplays(owner string) error {
	if _, err := t.exec(`DELETE FROM replays WHERE application = ?`, owner); err != nil {
		return err
	}
	rows, err := t.query(`SELECT owner, replay_key, answer FROM replays WHERE application IS NULL AND answer IS NOT NULL`)
	if err != nil {
		return err
	}
	var all [][2]string
	for rows.Next() {
		var who, key string
		var answer []byte
		if err := rows.Scan(&who, &key, &answer); err != nil {
			rows.Close()
			return err
		}
		var kept struct {
			Body []byte `json:"body"`
		}
		if err := json.Unmarshal(answer, &kept); err != nil || strings.Contains(string(kept.Body), owner) {
			all = append(all, [2]string{who, key})
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, k := range all {
		if _, err := t.exec(`DELETE FROM replays WHERE owner = ? AND replay_key = ?`, k[0], k[1]); err != nil {
			return err
		}
	}
	return nil
}

// Over lists what is over since before a time and not erased, oldest first:
// applications, by their last change, and messages that became none. With
// archived false those in files are left out. It reads so many applications from a
// cursor on, empty for the first, and gives the next one, empty after the last: so
// those that changed since are passed over, and read once.
func (s *Store) Over(ctx context.Context, before time.Time, archived bool, after string, limit int) (owners []string, next string, err error) {
	var w where
	w.and("state IN ('completed', 'refused')")
	w.and(map[bool]string{true: `removed <> 'erased'`, false: `removed = ''`}[archived]) // each as an index has it
	w.and("received_at < ?", micros(before))
	w.and("NOT EXISTS (SELECT 1 FROM outbox o WHERE o.application = a.number AND o.state IN ('queued', 'dead'))")
	if after != "" {
		at, number, err := parseCursor(after)
		if err != nil {
			return nil, "", err
		}
		w.and("(received_at, number) > (?, ?)", at, number)
	}
	rows, err := s.query(ctx, `SELECT received_at, number, body FROM applications a`+w.String()+` ORDER BY received_at, number LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("store: over: %w", err)
	}
	page, err := applicationPage(rows, limit)
	if err != nil {
		return nil, "", err
	}
	for _, a := range page.Applications {
		if a.ChangedAt.Before(before) {
			owners = append(owners, a.Number)
		}
	}
	if !archived || page.Next != "" {
		return owners, page.Next, nil
	}
	for _, keeping := range []string{"0", "3"} { // each has an index of its own
		n := 0
		if err := s.scan(ctx, `SELECT id FROM messages WHERE application = '' AND keeping = `+keeping+` AND at < ? ORDER BY at LIMIT ?`, []any{micros(before), limit}, func(v []any) {
			owners, n = append(owners, "message/"+string(raw(v[0]))), n+1
		}); err != nil {
			return nil, "", err
		}
		if n == limit { // those behind come when these are gone
			next = cursor(micros(before), "")
		}
	}
	return owners, next, nil
}

// mostForgotten is about how many answers one transaction forgets: the first time
// there may be those of years.
const mostForgotten = 1000

// ForgetReplies drops sealed replies to messages from before a time, and answers
// of REST that are as old.
func (s *Store) ForgetReplies(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.writer.writeLong(ctx, func(t *tx) error {
		n, err = t.exec(`UPDATE messages SET reply = ?, keeping = 2 WHERE keeping = 1 AND at < ?`, []byte{}, micros(before))
		return err
	})
	for last := false; err == nil && !last; {
		until := micros(before) - 1
		err = s.row(ctx, `SELECT claimed_to FROM replays WHERE answer IS NOT NULL AND claimed_to <= ? ORDER BY claimed_to LIMIT 1 OFFSET ?`, until, mostForgotten).Scan(&until)
		if last = errors.Is(err, sql.ErrNoRows); last || err == nil {
			err = s.writer.write(ctx, func(t *tx) error {
				_, err := t.exec(`DELETE FROM replays WHERE answer IS NOT NULL AND claimed_to <= ?`, until)
				return err
			})
		}
	}
	if err != nil {
		return 0, fmt.Errorf("store: replies: %w", err)
	}
	return n, nil
}

// Secret is the key of an owner; ErrRemoved when it is destroyed.
func (s *Store) Secret(ctx context.Context, owner string) (secret []byte, err error) {
	if err := s.row(ctx, `SELECT secret FROM journal_keys WHERE owner = ?`, owner).Scan(&secret); err != nil {
		return nil, found(err, "journal key")
	}
	if len(secret) == 0 {
		return nil, gateway.ErrRemoved
	}
	return secret, nil
}
