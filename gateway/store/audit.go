package store

import (
	"bytes"
	"context"
	"errors"
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
	journalTry         = "try" // a delivery as it stood after a try that failed
)

func eventID(number string, seq int64) string { return number + "/" + strconv.FormatInt(seq, 10) }

func dueID(number string, step, started int64) string {
	return fmt.Sprintf("%s/%d/%d", number, step, started)
}

func messageContent(m *gateway.Message) [][]byte {
	return [][]byte{[]byte(m.Sender), []byte(m.Key), []byte(m.SHA256), []byte(m.Door), []byte(m.Operation), []byte(m.Service),
		strconv.AppendInt(nil, micros(m.At), 10), []byte(m.Application), []byte(m.Code), m.Raw, m.Reply}
}

func tryID(delivery string, n int64) string { return delivery + "/" + strconv.FormatInt(n, 10) }

// Audit is what comparing the journal with the tables found.
type Audit struct {
	Records int64 `json:"records"`
	Rows    int64 `json:"rows"`   // that agree with their last record
	Erased  int64 `json:"erased"` // erased, or archived in a file
	// Older are rows from before the journal began.
	Older  int64    `json:"older"`
	Faults []string `json:"faults,omitempty"` // at most maxFaults
}

const maxFaults = 100

// thing is a part of records: its kind and id, and whose.
type thing struct{ what, id string }

type recorded struct {
	owner   string
	digests []journal.Hash // of things that do not change: all; else the last
	seen    bool
}

// auditing is an Audit under way.
type auditing struct {
	*Audit
	things  map[thing]*recorded
	removed map[string]bool     // owners whose content was archived or erased, by the journal
	keys    map[string][]byte   // of owners
	doubts  map[string][]string // what seems to be wrong, by owner
	lately  map[string]bool     // owners of records that were read since it was cleared
}

func (a *auditing) doubt(owner, format string, args ...any) {
	a.doubts[owner] = append(a.doubts[owner], fmt.Sprintf(format, args...))
}

// take notes what a record speaks of.
func (a *auditing) take(body []byte) error {
	r, err := journal.Read(body)
	if err != nil {
		return err
	}
	a.lately[r.Owner] = true
	if r.Kind == journal.Erasure || r.Kind == journal.Archive {
		a.removed[r.Owner] = true
	}
	if r.Kind != journal.Change {
		return nil
	}
	for _, p := range r.Parts {
		k := thing{p.What, p.ID}
		if p.What == journalVerdict {
			k.id = r.Owner
		}
		known := a.things[k]
		if known == nil {
			known = &recorded{owner: r.Owner}
			a.things[k] = known
		}
		if p.What == journalVerdict {
			known.digests = append(known.digests, p.Digest)
		} else {
			known.digests = []journal.Hash{p.Digest}
		}
	}
	return nil
}

// judge compares a row with its last record.
func (a *auditing) judge(r journal.Thing) {
	k := thing{r.What, r.ID}
	known := a.things[k]
	if known == nil {
		a.Older++
		return
	}
	known.seen = true
	if a.removed[known.owner] {
		a.Erased++
		return
	}
	key := a.keys[known.owner]
	if key == nil {
		a.doubt(known.owner, "%s %s: the key of %s is gone", k.what, k.id, known.owner)
		return
	}
	if !slices.Contains(known.digests, r.Digest(key)) {
		a.doubt(known.owner, "%s %s is not as it was recorded", k.what, k.id)
		return
	}
	a.Rows++
}

// missing looks for rows that were recorded and not seen.
func (a *auditing) missing(of func(owner string) bool) {
	for k, known := range a.things {
		switch {
		case known.seen || !slices.Contains(lasting, k.what) || !of(known.owner):
		case a.removed[known.owner]:
			a.Erased++
		default:
			a.doubt(known.owner, "%s %s was recorded and is gone", k.what, k.id)
		}
	}
}

// auditAtOnce is for how many records an audit holds in memory what they speak
// of: some hundreds of megabytes. A longer journal is audited by spans of owners.
var auditAtOnce int64 = 2_000_000

// span is a range of owners, as the database orders them: from the first, and
// before the other one; an empty one is no bound.
type span struct{ from, before string }

func (p span) whole() bool { return p == span{} }

// where is the condition that an owner is of the span.
func (p span) where(owner string) (cond string, args []any) {
	cond, args = owner+" >= ?", []any{p.from}
	if p.before != "" {
		cond, args = cond+" AND "+owner+" < ?", append(args, p.before)
	}
	return cond, args
}

// Audit compares every row that the journal speaks of with what it says. It
// takes the chain for verified. A bridge may go on writing meanwhile.
func (s *Store) Audit(ctx context.Context) (a Audit, err error) {
	if a.Records, _, err = s.Head(ctx); err != nil {
		return a, err
	}
	spans, err := s.spans(ctx, (a.Records+auditAtOnce-1)/auditAtOnce)
	if err != nil {
		return a, err
	}
	for _, p := range spans {
		if err := s.auditSpan(ctx, p, &a); err != nil {
			return a, err
		}
	}
	slices.Sort(a.Faults)
	return a, nil
}

// spans divides the owners into so many parts of like size.
func (s *Store) spans(ctx context.Context, parts int64) ([]span, error) {
	all := []span{{}}
	var owners int64
	if err := s.row(ctx, `SELECT COUNT(*) FROM journal_keys`).Scan(&owners); err != nil {
		return nil, fmt.Errorf("store: journal keys: %w", err)
	}
	for n := int64(1); n < min(parts, owners); n++ {
		var at string
		if err := s.row(ctx, `SELECT owner FROM journal_keys ORDER BY owner LIMIT 1 OFFSET ?`, owners*n/min(parts, owners)).Scan(&at); err != nil {
			return nil, fmt.Errorf("store: journal keys: %w", err)
		}
		all[n-1].before = at
		all = append(all, span{from: at})
	}
	return all, nil
}

// auditSpan is Audit of some owners.
func (s *Store) auditSpan(ctx context.Context, p span, sum *Audit) error {
	a := &auditing{Audit: sum, things: map[thing]*recorded{}, removed: map[string]bool{}, doubts: map[string][]string{}, lately: map[string]bool{}}
	after, _, err := s.Head(ctx)
	if err != nil {
		return err
	}
	if err := s.recordsOf(ctx, p, a.take); err != nil {
		return err
	}
	if a.keys, err = s.ownerKeys(ctx, p); err != nil {
		return err
	}
	if err := s.rowsIn(ctx, p, a.judge); err != nil {
		return err
	}
	a.missing(func(string) bool { return true })
	for len(a.doubts) > 0 {
		again, err := s.auditAgain(ctx, a, &after)
		if err != nil {
			return err
		}
		if !again {
			break
		}
	}
	for _, faults := range a.doubts {
		sum.Faults = append(sum.Faults, faults[:min(len(faults), maxFaults-len(sum.Faults))]...)
	}
	return nil
}

// auditAgain compares what is in doubt once more, where it was written to between
// its records and its rows: by the records after one, which it moves on. Not again:
// nothing was, and what is in doubt are faults.
func (s *Store) auditAgain(ctx context.Context, a *auditing, after *int64) (again bool, err error) {
	clear(a.lately)
	err = s.Journal(ctx, *after, "", func(l Link) error {
		*after = l.Seq
		return a.take(l.Body)
	})
	if err != nil {
		return false, err
	}
	mine := map[string]int{} // how much was in doubt of each
	for owner, all := range a.doubts {
		if a.lately[owner] {
			mine[owner] = len(all)
			delete(a.doubts, owner)
		}
	}
	of := func(owner string) bool { return mine[owner] > 0 }
	for _, known := range a.things {
		known.seen = known.seen && !of(known.owner)
	}
	sum := *a.Audit
	for owner := range mine {
		if err := s.rows(ctx, owner, a.judge); err != nil {
			return false, err
		}
	}
	a.missing(of)
	for owner, before := range mine {
		sum.Rows += int64(max(before-len(a.doubts[owner]), 0))
	}
	*a.Audit = sum // what was counted the first time is not counted again
	return len(mine) > 0, nil
}

// lasting are the things whose rows stay until they are erased.
var lasting = []string{journalMessage, journalVerdict, journalApplication, journalEvent, journalDue, journalResult, journalPayload, journalDelivery, journalTry}

// recordsOf gives the records of a span, those of each owner in their order.
func (s *Store) recordsOf(ctx context.Context, p span, each func(body []byte) error) error {
	if p.whole() {
		return s.Journal(ctx, 0, "", func(l Link) error { return each(l.Body) })
	}
	mine, err := s.ownerKeys(ctx, p) // who changed anything has a key, or had one
	if err != nil {
		return err
	}
	for {
		moved, err := s.inFiles(ctx, 0, "", func(l Link) error {
			owner, err := ownerIn(l.Body)
			if _, ok := mine[owner]; !ok || err != nil {
				return err
			}
			return each(l.Body)
		})
		if err == nil {
			err = s.inSpan(ctx, p, moved, each)
		}
		if err != nil {
			return err
		}
		all, err := s.Segments(ctx)
		if err != nil || len(all) == 0 || all[len(all)-1].Last == moved {
			return err
		}
		// Some went into a file meanwhile: what is told once more says the same.
	}
}

// inSpan gives the records of a span after one that are in the store, owner by
// owner: so each is read once, whatever the number of spans.
func (s *Store) inSpan(ctx context.Context, p span, after int64, each func(body []byte) error) error {
	cond, bounds := p.where("owner")
	for owner, seq := p.from, int64(0); ; {
		var fault error
		n := 0
		err := s.scan(ctx, `SELECT owner, seq, body FROM journal WHERE (owner, seq) > (?, ?) AND `+cond+` ORDER BY owner, seq LIMIT ?`,
			slices.Concat([]any{owner, seq}, bounds, []any{linkPage}), func(values []any) {
				n++
				owner, seq = string(raw(values[0])), values[1].(int64)
				if fault == nil && seq > after {
					fault = each(raw(values[2]))
				}
			})
		if err != nil || fault != nil || n < linkPage {
			return errors.Join(err, fault)
		}
	}
}

// ownerIn is the owner of a record, without reading the rest of it.
func ownerIn(body []byte) (string, error) {
	_, rest, ok := bytes.Cut(body, []byte(`"owner":"`))
	owner, _, _ := bytes.Cut(rest, []byte(`"`))
	if !ok || bytes.Contains(owner, []byte(`\`)) {
		r, err := journal.Read(body)
		if err != nil {
			return "", err
		}
		return r.Owner, nil
	}
	return string(owner), nil
}

// ownerKeys are the keys of a span; nil: destroyed.
func (s *Store) ownerKeys(ctx context.Context, p span) (map[string][]byte, error) {
	cond, args := p.where("owner")
	keys := map[string][]byte{}
	err := s.scan(ctx, `SELECT owner, secret, erased_at FROM journal_keys WHERE `+cond, args, func(values []any) {
		key := raw(values[1])
		if values[2].(int64) != 0 {
			key = nil
		}
		keys[string(raw(values[0]))] = key
	})
	return keys, err
}
