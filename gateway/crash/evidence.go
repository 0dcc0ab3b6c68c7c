package crash

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Evidence is everything that is known when a trial is over, from four sides
// that share nothing.
type Evidence struct {
	Seed     uint64
	Acting   int        // what the staff was to do follows from both
	Sent     []Sent     // what partners sent and got: the load
	Arrivals []Arrival  // what the gateway took from the bridge, in its order
	Rows     []RowWrite // what happened to local rows, in its order
	Messages []KeptMessage
	Apps     []KeptApp
	Moves    []KeptMove     // in the order of each application
	Outbox   []KeptDelivery // in the order of each application and route
	Journal  string         // empty: it holds; else what is wrong with it
	Panics   []string
}

// RowWrite is a row put in, or a status set, in the local database.
type RowWrite struct {
	Number string
	Insert bool
	Status string
}

// KeptMessage is a message as the bridge keeps it.
type KeptMessage struct {
	Sender, Key, Code, Application string
	Reply                          [32]byte
}

// KeptApp is an application as the bridge keeps it.
type KeptApp struct{ Number, State, Channel string }

// KeptMove is a change of state in an application's history.
type KeptMove struct{ Number, From, To string }

// KeptDelivery is a row of the outbox.
type KeptDelivery struct {
	ID, Application, Route, State string
	Seq                           int64
	MessageID                     string
}

// evidence is gathered when nothing runs any more.
func (t *trial) evidence(ctx context.Context) (*Evidence, error) {
	e := &Evidence{Seed: t.o.Seed, Acting: t.o.Acting, Arrivals: t.seen.arrivals, Panics: t.fleet.panics}
	for _, s := range t.load.ledger {
		e.Sent = append(e.Sent, *s)
	}
	var faults []error
	db := t.tables.bridge
	each := func(db *sql.DB, q string, read func(*sql.Rows) error) {
		rows, err := db.QueryContext(ctx, q)
		if err != nil {
			faults = append(faults, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if err := read(rows); err != nil {
				faults = append(faults, err)
				return
			}
		}
		faults = append(faults, rows.Err())
	}
	each(db, `SELECT sender, message_key, code, application, reply FROM messages ORDER BY at`, func(r *sql.Rows) error {
		var m KeptMessage
		var reply []byte
		err := r.Scan(&m.Sender, &m.Key, &m.Code, &m.Application, &reply)
		m.Reply = sha256.Sum256(reply)
		e.Messages = append(e.Messages, m)
		return err
	})
	each(db, `SELECT number, state, channel FROM applications ORDER BY number`, func(r *sql.Rows) error {
		var a KeptApp
		err := r.Scan(&a.Number, &a.State, &a.Channel)
		e.Apps = append(e.Apps, a)
		return err
	})
	each(db, `SELECT application, body FROM events ORDER BY application, seq`, func(r *sql.Rows) error {
		var number, body string
		if err := r.Scan(&number, &body); err != nil {
			return err
		}
		var x struct{ Kind, From, To string }
		if err := json.Unmarshal([]byte(body), &x); err != nil {
			return err
		}
		if x.Kind == "state" {
			e.Moves = append(e.Moves, KeptMove{number, x.From, x.To})
		}
		return nil
	})
	each(db, `SELECT id, application, route, state, seq, message_id FROM outbox ORDER BY application, route, seq`, func(r *sql.Rows) error {
		var d KeptDelivery
		err := r.Scan(&d.ID, &d.Application, &d.Route, &d.State, &d.Seq, &d.MessageID)
		e.Outbox = append(e.Outbox, d)
		return err
	})
	order := "rowid"
	if t.o.Database == Postgres {
		order = "id"
	}
	each(t.tables.mio, `SELECT application_no, what, status FROM crash_log ORDER BY `+order, func(r *sql.Rows) error {
		var w RowWrite
		var what string
		err := r.Scan(&w.Number, &what, &w.Status)
		w.Insert = what == "row"
		e.Rows = append(e.Rows, w)
		return err
	})
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("read what is left: %w", err)
	}
	var err error
	e.Journal, err = t.verify(ctx)
	return e, err
}

// verify has the bridge's own program verify the chain of records and the rows
// that it speaks of.
func (t *trial) verify(ctx context.Context) (string, error) {
	out, code, err := t.fleet.verb(ctx, "journal", "verify", "-json", "-config", t.fleet.nodes[0].config)
	if err != nil {
		return "", err
	}
	if bad := writeFile(t.o.Dir+"/journal.json", out); bad != nil {
		return "", bad
	}
	var found struct {
		Outcome, Fault string
		Audit          struct{ Faults []any }
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return "", fmt.Errorf("journal verify (status %d): %s", code, out)
	}
	if found.Outcome != "intact" || code != 0 {
		return fmt.Sprintf("%s: %s %v", found.Outcome, found.Fault, found.Audit.Faults), nil
	}
	return "", nil
}
