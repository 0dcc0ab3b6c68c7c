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
	removed := map[string]bool{} // owners whose content was archived or erased, by the journal
	begun := map[string]bool{}   // owners of whom the journal tells from their beginning
	err = s.Journal(ctx, 0, "", func(l Link) error {
		r, err := journal.Read(l.Body)
		if err != nil {
			return err
		}
		a.Records++
		removed[r.Owner] = removed[r.Owner] || r.Kind == journal.Erasure || r.Kind == journal.Archive
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
	err = s.rows(ctx, "", func(r journal.Thing) {
		k := thing{r.What, r.ID}
		known := things[k]
		if known == nil {
			a.Older++
			return
		}
		known.seen = true
		if removed[known.owner] {
			a.Erased++
			return
		}
		key := keys[known.owner]
		if key == nil {
			a.fault("%s %s: the key of %s is gone", k.what, k.id, known.owner)
			return
		}
		if !slices.Contains(known.digests, r.Digest(key)) {
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
		case removed[known.owner]:
			a.Erased++
		default:
			a.fault("%s %s was recorded and is gone", k.what, k.id)
		}
	}
	slices.Sort(a.Faults)
	return a, nil
}

// lasting are the things whose rows stay until they are erased.
var lasting = []string{journalMessage, journalVerdict, journalApplication, journalEvent, journalDue, journalResult, journalPayload, journalDelivery, journalTry}

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
