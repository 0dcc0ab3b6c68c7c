package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// What the parts of records are about. Those that change are recorded at each
// change; the last record counts.
const (
	journalMessage     = "message"
	journalVerdict     = "verdict"
	journalApplication = "application"
	journalEvent       = "event"
	journalDue         = "due"
	journalResult      = "result"
	journalPaper       = "paper"
	journalPayload     = "payload" // what a delivery carries
	journalDelivery    = "delivery"
)

func eventID(number string, seq int64) string { return number + "/" + strconv.FormatInt(seq, 10) }

func dueID(number string, step, started int64) string {
	return fmt.Sprintf("%s/%d/%d", number, step, started)
}

func messageContent(m *gateway.Message) [][]byte {
	return [][]byte{[]byte(m.Sender), []byte(m.Key), []byte(m.SHA256), []byte(m.Door), []byte(m.Operation), []byte(m.Service),
		strconv.AppendInt(nil, micros(m.At), 10), []byte(m.Application), []byte(m.Code), m.Raw, m.Reply}
}

func evidenceContent(e *gateway.Evidence) [][]byte {
	content := [][]byte{[]byte(e.Message), []byte(e.Application), strconv.AppendInt(nil, micros(e.At), 10), []byte(e.Outcome.String()), []byte(e.Reason), e.Verdict, e.Document}
	if len(e.Finding) > 0 { // of registries alone
		content = append(content, e.Finding)
	}
	return content
}

// Audit is what comparing the journal with the tables found.
type Audit struct {
	Records int64 `json:"records"`
	Rows    int64 `json:"rows"` // that agree with their last record
	Erased  int64 `json:"erased"`
	// Older are rows from before the journal began.
	Older  int64    `json:"older"`
	Faults []string `json:"faults,omitempty"` // at most maxFaults
}

const maxFaults = 100

func (a *Audit) fault(format string, args ...any) {
	if len(a.Faults) < maxFaults {
		a.Faults = append(a.Faults, fmt.Sprintf(format, args...))
	}
}

// thing is a part of records: its kind and id, and whose.
type thing struct{ what, id string }

type recorded struct {
	owner   string
	digests []journal.Hash // of things that do not change: all; else the last
	seen    bool
}

// Audit compares every row that the journal speaks of with what it says. It
// takes the chain for verified.
func (s *Store) Audit(ctx context.Context) (a Audit, err error) {
	things := map[thing]*recorded{}
	begun := map[string]bool{} // owners of whom the journal tells from their beginning
	err = s.Journal(ctx, 0, "", func(l Link) error {
		r, err := journal.Read(l.Body)
		if err != nil {
			return err
		}
		a.Records++
		if r.Kind != journal.Change {
			return nil
		}
		for _, p := range r.Parts {
			k := thing{p.What, p.ID}
			if p.What == journalVerdict {
				k.id = r.Owner
			}
			known := things[k]
			if known == nil {
				known = &recorded{owner: r.Owner}
				things[k] = known
			}
			if p.What == journalVerdict {
				known.digests = append(known.digests, p.Digest)
			} else {
				known.digests = []journal.Hash{p.Digest}
			}
			if p.What == journalMessage {
				begun[r.Owner] = true
			}
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	keys, err := s.ownerKeys(ctx)
	if err != nil {
		return a, err
	}
	err = s.rows(ctx, func(k thing, content ...[]byte) {
		known := things[k]
		if known == nil {
			a.Older++
			return
		}
		known.seen = true
		key := keys[known.owner]
		if key == nil {
			a.fault("%s %s: the key of %s is gone", k.what, k.id, known.owner)
			return
		}
		if !slices.Contains(known.digests, journal.Digest(key, content...)) {
			a.fault("%s %s is not as it was recorded", k.what, k.id)
			return
		}
		a.Rows++
	})
	if err != nil {
		return a, err
	}
	for k, known := range things {
		switch {
		case known.seen || !slices.Contains(lasting, k.what):
		case keys[known.owner] == nil:
			a.Erased++
		default:
			a.fault("%s %s was recorded and is gone", k.what, k.id)
		}
	}
	slices.Sort(a.Faults)
	return a, nil
}

// lasting are the things whose rows stay until they are erased.
var lasting = []string{journalMessage, journalVerdict, journalApplication, journalEvent, journalDue, journalResult, journalPayload, journalDelivery}

func (s *Store) ownerKeys(ctx context.Context) (map[string][]byte, error) {
	rows, err := s.query(ctx, `SELECT owner, secret FROM journal_keys WHERE erased_at = 0`)
	if err != nil {
		return nil, fmt.Errorf("store: journal keys: %w", err)
	}
	defer rows.Close()
	keys := map[string][]byte{}
	for rows.Next() {
		var owner string
		var key []byte
		if err := rows.Scan(&owner, &key); err != nil {
			return nil, fmt.Errorf("store: journal keys: %w", err)
		}
		keys[owner] = key
	}
	return keys, rows.Err()
}

// rows gives every row of which the journal speaks, as it was recorded.
func (s *Store) rows(ctx context.Context, each func(k thing, content ...[]byte)) error {
	for _, t := range []struct {
		q    string
		give func(c []any)
	}{
		{`SELECT number, body FROM applications`, func(c []any) { each(thing{journalApplication, str(c[0])}, raw(c[1])) }},
		{`SELECT application, seq, body FROM events`, func(c []any) { each(thing{journalEvent, eventID(str(c[0]), c[1].(int64))}, raw(c[2])) }},
		{`SELECT application, step, started_at, body FROM dues`, func(c []any) {
			each(thing{journalDue, dueID(str(c[0]), c[1].(int64), c[2].(int64))}, raw(c[3]))
		}},
		{`SELECT application, body, content, signature FROM results`, func(c []any) {
			each(thing{journalResult, str(c[0])}, raw(c[1]), raw(c[2]), raw(c[3]))
		}},
		{`SELECT application, languages, body, content FROM papers`, func(c []any) {
			each(thing{journalPaper, str(c[0]) + "/" + str(c[1])}, raw(c[2]), raw(c[3]))
		}},
		{`SELECT id, body, payload, sent, answer FROM outbox`, func(c []any) {
			each(thing{journalPayload, str(c[0])}, raw(c[2]))
			each(thing{journalDelivery, str(c[0])}, raw(c[1]), raw(c[3]), raw(c[4]))
		}},
		{`SELECT id, sender, message_key, sha256, door, operation, service, at, application, code, raw, reply FROM messages`, func(c []any) {
			m := gateway.Message{Sender: str(c[1]), Key: str(c[2]), SHA256: str(c[3]), Door: gateway.Door(str(c[4])), Operation: str(c[5]), Service: str(c[6]),
				At: moment(c[7].(int64)), Application: str(c[8]), Code: gateway.Code(str(c[9])), Raw: raw(c[10]), Reply: raw(c[11])}
			each(thing{journalMessage, str(c[0])}, messageContent(&m)...)
		}},
		{`SELECT message, application, at, outcome, reason, verdict, document, finding FROM evidence`, func(c []any) {
			if len(raw(c[len(c)-1])) == 0 {
				c = c[:len(c)-1]
			}
			content := make([][]byte, len(c))
			for i := range c {
				content[i] = raw(c[i])
			}
			each(thing{journalVerdict, str(c[1])}, content...)
		}},
	} {
		if err := s.scan(ctx, t.q, t.give); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) scan(ctx context.Context, q string, give func([]any)) error {
	rows, err := s.query(ctx, q)
	if err != nil {
		return fmt.Errorf("store: audit: %w", err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("store: audit: %w", err)
	}
	row, to := make([]any, len(names)), make([]any, len(names))
	for i := range row {
		to[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return fmt.Errorf("store: audit: %w", err)
		}
		give(row)
	}
	return rows.Err()
}

func str(v any) string { return string(raw(v)) }

func raw(v any) []byte {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case []byte:
		return v
	case int64:
		return strconv.AppendInt(nil, v, 10)
	}
	return nil
}
