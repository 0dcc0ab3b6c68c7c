package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// tellAt is when something must be said about a due time: its warning, then
// its end; nought when nothing is left to say, or the term stands still.
func tellAt(d *gateway.Due) int64 {
	switch {
	case !d.DoneAt.IsZero() || !d.ResumeAt.IsZero():
		return 0
	case d.WarnedAt.IsZero() && !d.WarnAt.IsZero() && d.OverdueAt.IsZero():
		return micros(d.WarnAt)
	case d.OverdueAt.IsZero():
		return micros(d.DueAt)
	}
	return 0
}

// endsAt is when a term ends; while it stands still, nobody knows, and it comes
// after all others.
func endsAt(d *gateway.Due) int64 {
	if !d.ResumeAt.IsZero() {
		return math.MaxInt64
	}
	return micros(d.DueAt)
}

// putDue keeps a term. What was told of it meanwhile stays told, unless its end
// has moved.
func (t *tx) putDue(d *gateway.Due) error {
	body, err := toJSON(d)
	if err != nil {
		return err
	}
	const same = "dues.due_at = excluded.due_at AND dues.warn_at = excluded.warn_at AND dues.done_at = excluded.done_at"
	t.part(journalDue, dueID(d.Application, int64(d.Step), micros(d.StartedAt)), "", []byte(body))
	return t.later("due", nil, `INSERT INTO dues (application, step, started_at, service, office, warn_at, due_at, tell_at, resume_at, warned_at, overdue_at, done_at, took, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (application, step, started_at) DO UPDATE SET service = excluded.service, office = excluded.office,
			warn_at = excluded.warn_at, due_at = excluded.due_at, resume_at = excluded.resume_at, done_at = excluded.done_at, took = excluded.took, body = excluded.body,
			warned_at = CASE WHEN `+same+` AND excluded.warned_at = 0 THEN dues.warned_at ELSE excluded.warned_at END,
			overdue_at = CASE WHEN `+same+` AND excluded.overdue_at = 0 THEN dues.overdue_at ELSE excluded.overdue_at END,
			tell_at = CASE WHEN `+same+` AND (dues.tell_at = 0 OR dues.tell_at > excluded.tell_at) THEN dues.tell_at ELSE excluded.tell_at END`,
		d.Application, d.Step, micros(d.StartedAt), d.Service, d.Office, micros(d.WarnAt), endsAt(d), tellAt(d), micros(d.ResumeAt),
		micros(d.WarnedAt), micros(d.OverdueAt), micros(d.DoneAt), d.Took, body)
}

// dueColumns are what readDue reads: what Fire marks is not in the body.
const dueColumns = "dues.body, dues.warned_at, dues.overdue_at, dues.application, dues.step, dues.started_at, dues.service, dues.office, dues.warn_at, dues.due_at, dues.resume_at, dues.done_at"

// readDue gives, beside the error that its body does not read, a term as far as its
// columns tell.
func readDue(rows *sql.Rows) (d gateway.Due, spoilt, err error) {
	var body string
	var bare gateway.Due
	var warned, overdue, started, warn, end, resume, done int64
	if err := rows.Scan(&body, &warned, &overdue, &bare.Application, &bare.Step, &started, &bare.Service, &bare.Office, &warn, &end, &resume, &done); err != nil {
		return d, nil, fmt.Errorf("store: dues: %w", err)
	}
	if err := fromJSON(body, &d); err != nil {
		spoilt = fmt.Errorf("store: term %d of %s: %w", bare.Step, bare.Application, err)
		d = bare
		d.StartedAt, d.WarnAt, d.ResumeAt, d.DoneAt = moment(started), moment(warn), moment(resume), moment(done)
		if end < math.MaxInt64 {
			d.DueAt = moment(end)
		}
	}
	d.WarnedAt, d.OverdueAt = moment(warned), moment(overdue)
	return d, spoilt, nil
}

// readDues reads terms that may be written again, so nothing of them may be missing.
func readDues(rows *sql.Rows, err error) ([]gateway.Due, error) {
	all, spoilt, err := listDues(rows, err)
	if err == nil {
		err = spoilt
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// listDues reads terms of many applications: one that is spoilt does not hide the
// others, nor that it ends.
func listDues(rows *sql.Rows, err error) (all []gateway.Due, spoilt, _ error) {
	if err != nil {
		return nil, nil, fmt.Errorf("store: dues: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		d, bad, err := readDue(rows)
		if err != nil {
			return nil, nil, err
		}
		all, spoilt = append(all, d), errors.Join(spoilt, bad)
	}
	return all, spoilt, rows.Err()
}

// Dues lists the due times of one application in the order of their start.
func (s *Store) Dues(ctx context.Context, number string) ([]gateway.Due, error) {
	return readDues(s.query(ctx, `SELECT `+dueColumns+` FROM dues WHERE application = ? ORDER BY started_at, step`, number))
}

// DuesAfter walks over the open terms by application; those of one application
// are never parted.
func (s *Store) DuesAfter(ctx context.Context, application string, limit int) ([]gateway.Due, error) {
	all, _, err := listDues(s.query(ctx, `SELECT `+dueColumns+` FROM dues WHERE done_at = 0 AND application > ? AND application <= COALESCE(
		(SELECT application FROM dues WHERE done_at = 0 AND application > ? ORDER BY application LIMIT 1 OFFSET ?),
		(SELECT MAX(application) FROM dues)) ORDER BY application, step, started_at`, application, application, limit-1))
	return all, err
}

// Suspended gives terms that stand still and should run on by now.
func (s *Store) Suspended(ctx context.Context, at time.Time, limit int) ([]gateway.Due, error) {
	all, _, err := listDues(s.query(ctx, `SELECT `+dueColumns+` FROM dues WHERE resume_at > 0 AND resume_at <= ? ORDER BY resume_at, application LIMIT ?`, micros(at), limit))
	return all, err
}

// PutOff lets Suspended give a term no sooner than next. What stands still anew
// meanwhile has another end.
func (s *Store) PutOff(ctx context.Context, d gateway.Due, at, next time.Time) error {
	return s.writer.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE dues SET resume_at = ? WHERE application = ? AND step = ? AND started_at = ? AND resume_at > 0 AND resume_at <= ?`,
			micros(next), d.Application, d.Step, micros(d.StartedAt), micros(at))
		return err
	})
}

// nextTell is when something must be said of a due time next; NULL: never.
const nextTell = `SELECT MIN(tell_at) FROM dues WHERE tell_at > 0`

// NextDue is when something must be said of a due time next, or a suspension ends.
func (s *Store) NextDue(ctx context.Context) (time.Time, error) {
	var tell, resume int64
	if err := s.row(ctx, `SELECT COALESCE((`+nextTell+`), 0), COALESCE((SELECT MIN(resume_at) FROM dues WHERE resume_at > 0), 0)`).Scan(&tell, &resume); err != nil {
		return time.Time{}, fmt.Errorf("store: next due: %w", err)
	}
	if tell == 0 || resume != 0 && resume < tell {
		tell = resume
	}
	return moment(tell), nil
}

// Fire marks what is ripe and writes what tell says of it, in one transaction.
// Marking is one statement that passes over what another node has in hand, so
// that each is found once; locking the application keeps its history in order. An
// error beside those it marked names terms that are told of by their columns alone.
func (s *Store) Fire(ctx context.Context, at time.Time, limit int, tell func(gateway.Due) gateway.Event) (told []gateway.Due, err error) {
	// One that waits for the writer in vain, because nothing is ripe, would hold up others.
	// The least is asked for: whether any is ripe, PostgreSQL may look up in the whole table when many are.
	var first sql.NullInt64
	if err := s.row(ctx, nextTell).Scan(&first); err != nil || !first.Valid || first.Int64 > micros(at) {
		return nil, err
	}
	var spoilt error
	err = s.writer.write(ctx, func(t *tx) error {
		now := micros(at)
		// By nothing but the index's own column: when a break of the offices ends, thousands are ripe at one
		// moment, and a further column would have all of them read and sorted for every batch.
		told, spoilt, err = listDues(t.query(`WITH ripe AS MATERIALIZED (
				SELECT d.application, d.step, d.started_at FROM dues d JOIN applications o ON o.number = d.application
				WHERE d.tell_at > 0 AND d.tell_at <= ? ORDER BY d.tell_at LIMIT ? {skip})
			UPDATE dues SET warned_at = CASE WHEN warned_at > 0 THEN warned_at ELSE ? END, overdue_at = CASE WHEN due_at <= ? THEN CAST(? AS BIGINT) ELSE 0 END,
				tell_at = CASE WHEN due_at <= ? THEN 0 ELSE due_at END
			FROM ripe WHERE dues.application = ripe.application AND dues.step = ripe.step AND dues.started_at = ripe.started_at
			RETURNING `+dueColumns, now, limit, now, now, now, now))
		if err != nil {
			return err
		}
		slices.SortFunc(told, func(a, b gateway.Due) int {
			return cmp.Or(a.DueAt.Compare(b.DueAt), strings.Compare(a.Application, b.Application), a.Step-b.Step)
		})
		if t.w.d.shared {
			var numbers []string
			for i := range told {
				numbers = append(numbers, told[i].Application)
			}
			if err := t.foresee(about{lines: numbers}); err != nil {
				return err
			}
		}
		for i := range told {
			e := tell(told[i])
			if err := t.recordAs(journal.Change, e.Application, ""); err != nil {
				return err
			}
			if err := t.insertEvent(&e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: fire: %w", err)
	}
	return told, spoilt
}
