package store

import (
	"regexp"
	"strings"
)

// Rows of one table that wait for the same round trip to PostgreSQL go in one
// statement, as arrays of their columns: what a statement costs the server by
// itself is more than many a row does.

// plainInsert puts one row of parameters down and does nothing else.
var plainInsert = regexp.MustCompile(`^(INSERT INTO [a-z_]+ \([a-z0-9_, ]+\)\s+)VALUES \(\?(?:, \?)*\)((?: ON CONFLICT \([a-z_, ]+\) DO NOTHING)?)$`)

// maxCoalesced bounds the bytes that one statement carries for several rows.
const maxCoalesced = 1 << 20

// coalesce makes one statement of the plain insertions with the same text, where
// the first of them stands. Nothing queued before them would have seen their rows.
func (w *writer) coalesce(queue []queued) []queued {
	var out []queued
	heads := map[string]int{} // where the statement stands that takes more rows
	for _, s := range queue {
		n, ok := sizeOf(s.args)
		if s.row != nil || !ok || !w.plain(s.q) {
			out = append(out, s)
			continue
		}
		if i, ok := heads[s.q]; ok && out[i].size+n <= maxCoalesced {
			out[i].rows, out[i].size = append(out[i].rows, s.args), out[i].size+n
			continue
		}
		heads[s.q] = len(out)
		s.rows, s.size = [][]any{s.args}, n
		out = append(out, s)
	}
	for i := range out {
		out[i].fold()
	}
	return out
}

// plain says whether a statement is a plain insertion, remembered.
func (w *writer) plain(q string) bool {
	is, ok := w.plains[q]
	if !ok {
		is = plainInsert.MatchString(q)
		w.plains[q] = is
	}
	return is
}

// sizeOf is how many bytes the values of a row take; false: not all are of the
// types of which arrays are made.
func sizeOf(args []any) (n int, ok bool) {
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case []byte:
			n += len(a)
		case int64:
			n += 8
		default:
			return 0, false
		}
	}
	return n, true
}

// fold writes several rows as arrays of their columns.
func (s *queued) fold() {
	if len(s.rows) < 2 {
		return
	}
	columns, types := make([]any, len(s.args)), make([]string, len(s.args))
	for c := range columns {
		switch s.args[c].(type) {
		case string:
			columns[c], types[c] = column[string](s.rows, c), "?::text[]"
		case int64:
			columns[c], types[c] = column[int64](s.rows, c), "?::bigint[]"
		case []byte:
			columns[c], types[c] = column[[]byte](s.rows, c), "?::bytea[]"
		}
	}
	parts := plainInsert.FindStringSubmatch(s.q)
	s.q, s.args = parts[1]+"SELECT * FROM unnest("+strings.Join(types, ", ")+")"+parts[2], columns
}

// column is one of the rows of a statement; in all of them it has one type.
func column[T any](rows [][]any, c int) []T {
	all := make([]T, len(rows))
	for i, r := range rows {
		all[i] = r[c].(T)
	}
	return all
}
