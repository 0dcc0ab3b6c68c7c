package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kopir/gateway/journal"
)

// recordedRows says of each kind of thing where it lies. Its id is made of the
// columns of id, with strokes between.
var recordedRows = []struct {
	what, table, owner string
	id, parts          []string
}{
	{journalMessage, "messages", "application", []string{"id"}, []string{"sender", "message_key", "sha256", "door", "operation", "service", "at", "application", "code", "raw", "reply"}},
	{journalVerdict, "evidence", "application", []string{"application"}, []string{"message", "application", "kind", "at", "outcome", "reason", "verdict", "document", "finding", "proofs"}},
	{journalApplication, "applications", "number", []string{"number"}, []string{"body"}},
	{journalEvent, "events", "application", []string{"application", "seq"}, []string{"body"}},
	{journalDue, "dues", "application", []string{"application", "step", "started_at"}, []string{"body"}},
	{journalResult, "results", "application", []string{"application"}, []string{"body", "content", "signature"}},
	{journalPaper, "papers", "application", []string{"application", "languages"}, []string{"body", "content"}},
	{journalPayload, "outbox", "application", []string{"id"}, []string{"payload"}},
	{journalDelivery, "outbox", "application", []string{"id"}, []string{"body", "sent", "answer"}},
	{journalTry, "tries", "application", []string{"delivery", "n"}, []string{"body", "sent", "answer"}},
}

// rows gives the rows of one owner of which the journal speaks, in the order of
// their ids.
func (s *Store) rows(ctx context.Context, owner string, each func(journal.Thing)) error {
	for i, t := range recordedRows {
		q, args := " WHERE "+t.owner+" = ?", []any{owner}
		if id, refused := strings.CutPrefix(owner, "message/"); refused && t.what == journalMessage {
			q, args = q+" OR id = ?", append(args, id)
		}
		if err := s.rowsWhere(ctx, i, q+" ORDER BY "+strings.Join(t.id, ", "), args, each); err != nil {
			return err
		}
	}
	return nil
}

// rowsIn gives the rows of the owners of a span.
func (s *Store) rowsIn(ctx context.Context, p span, each func(journal.Thing)) error {
	for i, t := range recordedRows {
		q, args := "", []any(nil)
		if !p.whole() {
			q, args = p.where(t.owner)
			if t.what == journalMessage { // one that became no application is its own
				alone, more := p.where("'message/' || id")
				q, args = t.owner+" <> '' AND "+q+" OR "+t.owner+" = '' AND "+alone, append(args, more...)
			}
			q = " WHERE " + q
		}
		if err := s.rowsWhere(ctx, i, q, args, each); err != nil {
			return err
		}
	}
	return nil
}

// rowsWhere gives rows of one kind of recordedRows.
func (s *Store) rowsWhere(ctx context.Context, kind int, where string, args []any, each func(journal.Thing)) error {
	t := recordedRows[kind]
	q := "SELECT " + strings.Join(slices.Concat(t.id, t.parts), ", ") + " FROM " + t.table + where
	return s.scan(ctx, q, args, func(values []any) {
		id := make([]string, len(t.id))
		for i := range id {
			id[i] = string(raw(values[i]))
		}
		r := journal.Thing{What: t.what, ID: strings.Join(id, "/"), Pieces: make([]journal.Piece, len(t.parts))}
		for i, name := range t.parts {
			r.Pieces[i] = journal.Piece{Name: name, Content: raw(values[len(id)+i])}
		}
		each(r)
	})
}

func (s *Store) scan(ctx context.Context, q string, args []any, give func([]any)) error {
	rows, err := s.query(ctx, q, args...)
	if err != nil {
		return fmt.Errorf("store: rows: %w", err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("store: rows: %w", err)
	}
	row, to := make([]any, len(names)), make([]any, len(names))
	for i := range row {
		to[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return fmt.Errorf("store: rows: %w", err)
		}
		give(row)
	}
	return rows.Err()
}

// raw is a value as it is digested.
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
