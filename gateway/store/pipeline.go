package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// queued is a statement that waits for the next round trip to the server.
type queued struct {
	what string // in errors
	none error  // if it touches no row; nil where it may
	q    string
	args []any
	row  func(pgx.Rows) error // of a question: takes each row of the answer
	rows [][]any              // of an insertion, see coalesce
	size int                  // of rows, bytes
}

// outcome is what came of it.
func (s *queued) outcome(n int64, err error) error {
	if err == nil && n < int64(max(1, len(s.rows))) {
		err = s.none
	}
	if err != nil {
		return fmt.Errorf("store: %s: %w", s.what, err)
	}
	return nil
}

// answer takes what the server says of it.
func (s *queued) answer(results pgx.BatchResults) error {
	if s.row == nil {
		tag, err := results.Exec()
		return s.outcome(tag.RowsAffected(), err)
	}
	rows, err := results.Query()
	if err != nil {
		return s.outcome(0, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.row(rows); err != nil {
			return s.outcome(0, err)
		}
	}
	return s.outcome(1, rows.Err())
}

// later writes what nothing else in the job waits for. Over a network it goes
// with its neighbours in one round trip (pipeline mode, PostgreSQL manual
// 34.5), and its error comes at the end of the job at the latest; embedded it
// runs at once. what names it in errors; none is the error when it touches no
// row, or nil.
func (t *tx) later(what string, none error, q string, args ...any) error {
	t.w.wrote = true
	return t.w.put(t.ctx, queued{what: what, none: none, q: q, args: args})
}

func (w *writer) put(ctx context.Context, s queued) error {
	if w.d.shared {
		w.queue = append(w.queue, s)
		return nil
	}
	stmt, err := w.stmt(ctx, s.q)
	if err != nil {
		return s.outcome(0, err)
	}
	r, err := stmt.ExecContext(ctx, s.args...)
	if err != nil {
		return s.outcome(0, err)
	}
	n, err := r.RowsAffected()
	return s.outcome(n, err)
}

// control queues a word of the transaction itself.
func (w *writer) control(ctx context.Context, q string) error {
	return w.put(ctx, queued{what: strings.ToLower(q), q: q})
}

// ask queues a question, for PostgreSQL: row gets each row of the answer at the
// next flush.
func (w *writer) ask(what string, row func(pgx.Rows) error, q string, args ...any) {
	w.queue = append(w.queue, queued{what: what, q: q, args: args, row: row})
}

// flush sends what is queued, and gives the first error in the order of the
// statements; the server runs none after it.
func (w *writer) flush(ctx context.Context) error {
	if len(w.queue) == 0 {
		return nil
	}
	queue := w.coalesce(w.queue)
	w.queue, w.mine = nil, 0
	var batch pgx.Batch
	for _, s := range queue {
		batch.Queue(w.text(s.q), s.args...)
	}
	return w.conn.Raw(func(c any) error {
		results := c.(*stdlib.Conn).Conn().SendBatch(ctx, &batch)
		for _, s := range queue {
			if err := s.answer(results); err != nil {
				return errors.Join(err, ignorePG(results.Close()))
			}
		}
		return results.Close()
	})
}

// ignorePG drops what the server says of statements after one that failed.
func ignorePG(err error) error {
	if refusedBy(err) {
		return nil
	}
	return err
}

// text is d.text, remembered.
func (w *writer) text(q string) string {
	s, ok := w.texts[q]
	if !ok {
		s = w.d.text(q)
		w.texts[q] = s
	}
	return s
}
