package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"kopir/gateway"
)

func (t *tx) putApplication(a *gateway.Application) error {
	kept := *a
	if a.Result != nil { // its content has a table of its own
		r := *a.Result
		r.Content, r.Signature = nil, nil
		kept.Result = &r
	}
	body, err := toJSON(&kept)
	if err != nil {
		return err
	}
	t.part(journalApplication, a.Number, string(a.State), []byte(body))
	due, usual, slow := terms(a)
	if a.Version == 1 {
		return t.later("application "+a.Number+" exists", gateway.ErrVersion, `INSERT INTO applications (number, service, edition, channel, office, state, iin, bin, received_at, overdue, due_at, usual_at, slow_at, version, partner_number, sender, body)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO NOTHING`,
			a.Number, a.Service, a.Edition, string(a.Channel), a.Office, string(a.State), string(a.Applicant.IIN), string(a.Applicant.BIN),
			micros(a.ReceivedAt), flag(a.Overdue), due, usual, slow, a.Version, a.PartnerNumber, a.Sender, body)
	}
	return t.later("application "+a.Number, gateway.ErrVersion, `UPDATE applications SET office = ?, state = ?, iin = ?, bin = ?, overdue = ?, due_at = ?, usual_at = ?, slow_at = ?, version = ?, partner_number = ?, body = ? WHERE number = ? AND version = ?`,
		a.Office, string(a.State), string(a.Applicant.IIN), string(a.Applicant.BIN), flag(a.Overdue), due, usual, slow, a.Version, a.PartnerNumber, body, a.Number, a.Version-1)
}

// terms are the times of an application that are searched by.
func terms(a *gateway.Application) (due, usual, slow int64) {
	due = micros(a.DueAt)
	if f := a.Forecast; f != nil && due != 0 && !f.SlowAt.IsZero() {
		usual, slow = micros(f.UsualAt), micros(f.SlowAt)
	}
	return due, usual, slow
}

func (t *tx) insertResult(number string, d *gateway.Document) error {
	meta := *d
	meta.Content, meta.Signature = nil, nil
	body, err := toJSON(&meta)
	if err != nil {
		return err
	}
	t.part(journalResult, number, d.MediaType, []byte(body), blob(d.Content), blob(d.Signature))
	return t.later("result", nil, `INSERT INTO results (application, body, content, signature, token) VALUES (?, ?, ?, ?, ?)`,
		number, body, blob(d.Content), blob(d.Signature), orNull(d.Token))
}

// Application finds one by its number; the result comes without its content.
func (s *Store) Application(ctx context.Context, number string) (*gateway.Application, error) {
	var body string
	if err := s.row(ctx, `SELECT body FROM applications WHERE number = ?`, number).Scan(&body); err != nil {
		return nil, found(err, "application")
	}
	a := new(gateway.Application)
	return a, fromJSON(body, a)
}

// Result is the result document with its content.
func (s *Store) Result(ctx context.Context, number string) (*gateway.Document, error) {
	var body string
	var content, signature []byte
	if err := s.row(ctx, `SELECT body, content, signature FROM results WHERE application = ?`, number).Scan(&body, &content, &signature); err != nil {
		return nil, found(err, "result")
	}
	d := new(gateway.Document)
	if err := fromJSON(body, d); err != nil {
		return nil, err
	}
	d.Content = content
	if len(signature) > 0 {
		d.Signature = signature
	}
	return d, nil
}

// maxPage bounds one page of any list.
const maxPage = 500

// Applications lists newest first.
func (s *Store) Applications(ctx context.Context, f gateway.Filter, after string, limit int) (gateway.Page, error) {
	limit = min(max(limit, 1), maxPage)
	var w where
	// Of what is open, or one person's, there is little: it is looked through without
	// the index of an office or a channel, which embedded SQLite would take because it is sorted.
	few := f.IIN != "" || f.Number != ""
	if f.LateExpected || f.Overdue != nil && *f.Overdue || len(f.States) > 0 && !slices.ContainsFunc(f.States, gateway.State.Final) {
		w.and("state NOT IN ('completed', 'refused')") // as the index says it; the term of what is over runs no more
		few = true
	}
	if f.Service != "" {
		w.and("service = ?", f.Service)
	}
	for _, c := range []struct{ column, value string }{{"channel", string(f.Channel)}, {"office", f.Office}} {
		switch {
		case c.value == "":
		case few:
			w.and(c.column+" || '' = ?", c.value)
		default:
			w.and(c.column+" = ?", c.value)
		}
	}
	if f.Number != "" {
		numbers, err := oneColumn[string](ctx, s, `SELECT number FROM applications WHERE number = ? UNION SELECT number FROM applications WHERE partner_number = ?`, f.Number, f.Number) // as in named
		if err != nil {
			return gateway.Page{}, fmt.Errorf("store: applications: %w", err)
		}
		if len(numbers) == 0 {
			return gateway.Page{}, nil
		}
		in(&w, "number", numbers)
	}
	if f.Sender != "" {
		w.and("sender = ?", f.Sender)
	}
	if f.IIN != "" {
		w.and("iin = ?", string(f.IIN))
	}
	now := micros(f.Now)
	switch {
	case f.Overdue == nil:
	case *f.Overdue:
		w.and("due_at > 0 AND due_at <= ?", now)
	default:
		w.and("(due_at = 0 OR due_at > ?)", now)
	}
	if f.LateExpected { // as gateway.Forecast has it
		w.and("due_at > 0 AND (due_at <= ? OR due_at < CASE WHEN ? <= usual_at THEN usual_at WHEN ? <= slow_at THEN slow_at ELSE 0 END)", now, now, now)
	}
	if !f.From.IsZero() {
		w.and("received_at >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		w.and("received_at < ?", micros(f.To))
	}
	in(&w, "state", f.States)
	if after != "" {
		at, number, err := parseCursor(after)
		if err != nil {
			return gateway.Page{}, err
		}
		w.and("(received_at, number) < (?, ?)", at, number)
	}
	rows, err := s.query(ctx, `SELECT received_at, number, body FROM applications`+w.String()+` ORDER BY received_at DESC, number DESC LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return gateway.Page{}, fmt.Errorf("store: applications: %w", err)
	}
	return applicationPage(rows, limit)
}

// applicationPage reads rows of time, number and body.
func applicationPage(rows *sql.Rows, limit int) (gateway.Page, error) {
	defer rows.Close()
	var page gateway.Page
	var last string
	for rows.Next() {
		var at int64
		var number, body string
		if err := rows.Scan(&at, &number, &body); err != nil {
			return gateway.Page{}, fmt.Errorf("store: applications: %w", err)
		}
		if len(page.Applications) == limit {
			page.Next = last
			break
		}
		var a gateway.Application
		if err := fromJSON(body, &a); err != nil {
			return gateway.Page{}, err
		}
		page.Applications = append(page.Applications, a)
		last = cursor(at, number)
	}
	return page, rows.Err()
}

// orNull keeps what is not there out of a unique index.
func orNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func (t *tx) insertEvent(e *gateway.Event) error {
	kept := *e
	place, err := t.place(history, e.Application)
	if err != nil {
		return err
	}
	kept.Seq = place
	body, err := toJSON(&kept)
	if err != nil {
		return err
	}
	t.part(journalEvent, eventID(kept.Application, kept.Seq), strings.TrimSpace(string(kept.Kind)+" "+string(kept.To)), []byte(body))
	return t.later("event", nil, `INSERT INTO events (application, seq, body) VALUES (?, ?, ?)`, kept.Application, kept.Seq, body)
}

// Events is the history of one application, oldest first.
func (s *Store) Events(ctx context.Context, number string) ([]gateway.Event, error) {
	return bodies[gateway.Event](ctx, s, "events", `SELECT body FROM events WHERE application = ? ORDER BY seq`, number)
}

// bodies reads rows that are one JSON column.
func bodies[T any](ctx context.Context, s *Store, what, q string, args ...any) ([]T, error) {
	rows, err := s.query(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", what, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("store: %s: %w", what, err)
		}
		var v T
		if err := fromJSON(body, &v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
