// Package mio writes applications into the local executive body's own
// database and watches the status that its systems set there.
//
// Rules it keeps: names of tables and columns come from the mapping alone, are
// plain identifiers and are quoted; values travel as parameters; the
// application's number is the key, so that a repeated write makes no second
// row; a status that ends an application is never written over by one that
// does not. The bridge changes nothing there but its own rows.
package mio

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"kopir/gateway"
	"kopir/mappings"
)

// dialect is what differs between databases.
type dialect struct {
	driver string
	quote  func(name string) string
	// once ends an INSERT that must not fail on a key that is there.
	once func(key string) string
	// moment makes times of different notations comparable as text.
	moment func(column string) string
	// columns lists the columns of a table; none: there is no such table.
	columns func(ctx context.Context, db *sql.DB, table string) ([]string, error)
	// types by a mapping's field type, for tables that the bridge makes.
	types map[string]string
}

var sqlite = dialect{
	driver: "sqlite",
	quote:  func(name string) string { return `"` + name + `"` },
	once:   func(key string) string { return " ON CONFLICT (" + key + ") DO NOTHING" },
	moment: func(column string) string { return "strftime('%Y-%m-%d %H:%M:%f', " + column + ")" },
	columns: func(ctx context.Context, db *sql.DB, table string) ([]string, error) {
		rows, err := db.QueryContext(ctx, "SELECT name FROM pragma_table_info(?)", table)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var names []string
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		return names, rows.Err()
	},
	types: map[string]string{"int": "INTEGER", "bool": "INTEGER"},
}

// DB is a gateway.LocalDB.
type DB struct {
	d        dialect
	db       *sql.DB
	services atomic.Pointer[mappings.Set]
}

var _ gateway.LocalDB = (*DB)(nil)

// OpenSQLite opens a database file of the bridge's own, for a body that has no
// database yet: tables that are missing are made as the descriptions have
// them. What is there already must fit.
func OpenSQLite(ctx context.Context, path string, set *mappings.Set) (*DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
	db, err := sql.Open(sqlite.driver, dsn)
	if err != nil {
		return nil, fmt.Errorf("mio: open %s: %w", path, err)
	}
	m := &DB{d: sqlite, db: db}
	if err := m.Use(ctx, set); err != nil {
		db.Close()
		return nil, err
	}
	return m, nil
}

// set is the descriptions as they are now.
func (m *DB) set() *mappings.Set { return m.services.Load() }

// Use takes over descriptions: tables that are missing are made, and what is
// there must fit, or nothing changes but for the new tables.
func (m *DB) Use(ctx context.Context, set *mappings.Set) error {
	next := &DB{d: m.d, db: m.db}
	next.services.Store(set)
	if err := next.create(ctx); err != nil {
		return err
	}
	if err := next.Check(ctx); err != nil {
		return err
	}
	m.services.Store(set)
	return nil
}

// Close closes the database.
func (m *DB) Close() error { return m.db.Close() }

// Ping says whether the database answers.
func (m *DB) Ping(ctx context.Context) error {
	if err := m.db.PingContext(ctx); err != nil {
		return fmt.Errorf("mio: %w", err)
	}
	return nil
}

// name quotes an identifier of a mapping: plain letters, digits and
// underscores, with a schema before it at most.
func (m *DB) name(id string) (string, error) {
	parts := strings.Split(id, ".")
	if len(parts) > 2 {
		return "", fmt.Errorf("mio: %q is not a plain name", id)
	}
	for i, p := range parts {
		if !plain(p) {
			return "", fmt.Errorf("mio: %q is not a plain name", id)
		}
		parts[i] = m.d.quote(p)
	}
	return strings.Join(parts, "."), nil
}

func plain(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// insert builds an INSERT of columns and values in their order.
type insert struct {
	m       *DB
	err     error
	columns []string
	marks   []string
	args    []any
}

func (i *insert) add(column string, value any) {
	if column == "" || i.err != nil {
		return
	}
	var q string
	if q, i.err = i.m.name(column); i.err == nil {
		i.columns, i.marks, i.args = append(i.columns, q), append(i.marks, "?"), append(i.args, value)
	}
}

func (i *insert) text(table, after string) (string, error) {
	t, err := i.m.name(table)
	if err = errors.Join(i.err, err); err != nil {
		return "", err
	}
	return "INSERT INTO " + t + " (" + strings.Join(i.columns, ", ") + ") VALUES (" + strings.Join(i.marks, ", ") + ")" + after, nil
}

// stamp is how times are written: text that sorts, in UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// Write puts a row into the table of its service, or a new status on it.
func (m *DB) Write(ctx context.Context, row gateway.LocalRow) error {
	s, ok := m.set().Edition(row.Service, row.Edition)
	if !ok {
		return &gateway.SendError{Permanent: true, Err: fmt.Errorf("mio: the description of %s, edition %q, is not loaded", row.Service, row.Edition)}
	}
	status, ok := s.Status(string(row.State))
	if !ok {
		return &gateway.SendError{Permanent: true, Err: fmt.Errorf("mio: %s has no local code for %s", s.ID, row.State)}
	}
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("mio: %w", err)
	}
	defer tx.Rollback()
	if len(row.Fields) > 0 {
		err = m.insert(ctx, tx, s, status.Local, row)
	} else {
		err = m.update(ctx, tx, s, status.Local, row)
	}
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("mio: %w", err)
	}
	return nil
}

func (m *DB) insert(ctx context.Context, tx *sql.Tx, s *mappings.Service, code string, row gateway.LocalRow) error {
	l := s.Local
	i := &insert{m: m}
	i.add(l.Key, row.Number)
	for _, f := range row.Fields {
		field, ok := s.Field(f.Name)
		v, err := value(s, field, ok, f)
		if err != nil {
			return &gateway.SendError{Permanent: true, Err: err}
		}
		i.add(f.Column, v)
	}
	for _, v := range l.System {
		i.add(v.Column, row.System[v.Value])
	}
	i.add(l.Status.Column, code)
	i.add(l.Status.Changed, stamp(row.At))
	key, err := m.name(l.Key)
	if err != nil {
		return err
	}
	q, err := i.text(l.Table, m.d.once(key))
	if err != nil {
		return err
	}
	done, err := tx.ExecContext(ctx, q, i.args...)
	if err != nil {
		return fmt.Errorf("mio: write %s: %w", l.Table, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err // it is there already, with its files
	}
	if err := m.groups(ctx, tx, s, row); err != nil {
		return err
	}
	if l.Files == nil {
		return nil
	}
	for _, f := range row.Files {
		i := &insert{m: m}
		i.add(l.Files.Key, row.Number)
		i.add(l.Files.Kind, f.Kind)
		i.add(l.Files.Name, f.Name)
		i.add(l.Files.Type, f.MediaType)
		i.add(l.Files.SHA256, f.SHA256)
		i.add(l.Files.Content, f.Content)
		q, err := i.text(l.Files.Table, "")
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, q, i.args...); err != nil {
			return fmt.Errorf("mio: write %s: %w", l.Files.Table, err)
		}
	}
	return nil
}

// groups writes what repeats in the document into the tables of the groups.
func (m *DB) groups(ctx context.Context, tx *sql.Tx, s *mappings.Service, row gateway.LocalRow) error {
	for _, r := range row.Groups {
		g, ok := s.Group(r.Group)
		if !ok {
			return &gateway.SendError{Permanent: true, Err: fmt.Errorf("mio: %s has no group %s any more", s.ID, r.Group)}
		}
		i := &insert{m: m}
		i.add(g.Key, row.Number)
		i.add(g.Number, r.Number)
		for _, f := range r.Fields {
			field, ok := g.Field(f.Name)
			v, err := value(s, field, ok, f)
			if err != nil {
				return &gateway.SendError{Permanent: true, Err: err}
			}
			i.add(f.Column, v)
		}
		q, err := i.text(g.Table, "")
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, q, i.args...); err != nil {
			return fmt.Errorf("mio: write %s: %w", g.Table, err)
		}
	}
	return nil
}

// value is what a driver takes for a field, by the mapping's type of it.
func value(s *mappings.Service, field *mappings.Field, known bool, f gateway.Field) (any, error) {
	if !known {
		return nil, fmt.Errorf("mio: %s has no field %s any more", s.ID, f.Name)
	}
	var v any = f.Value
	var err error
	switch field.Type {
	case "int":
		v, err = strconv.ParseInt(f.Value, 10, 64)
	case "bool":
		v, err = strconv.ParseBool(f.Value)
	}
	if err != nil {
		return nil, fmt.Errorf("mio: field %s is no %s", f.Name, field.Type)
	}
	return v, nil
}

func (m *DB) update(ctx context.Context, tx *sql.Tx, s *mappings.Service, code string, row gateway.LocalRow) error {
	l := s.Local
	table, e1 := m.name(l.Table)
	key, e2 := m.name(l.Key)
	column, e3 := m.name(l.Status.Column)
	if err := errors.Join(e1, e2, e3); err != nil {
		return err
	}
	var now sql.NullString
	err := tx.QueryRowContext(ctx, "SELECT "+column+" FROM "+table+" WHERE "+key+" = ?", row.Number).Scan(&now)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("mio: %s has no row %s: was it deleted?", l.Table, row.Number)
	case err != nil:
		return fmt.Errorf("mio: read %s: %w", l.Table, err)
	case now.String == code:
		return nil
	}
	if there, ok := s.StatusByLocal(now.String); ok && gateway.State(there.State).Final() && !row.State.Final() {
		return nil // the local system was faster and has ended it
	}
	set, args := column+" = ?", []any{code}
	for _, c := range []struct {
		column string
		value  string
	}{{l.Status.Changed, stamp(row.At)}, {l.Status.Reason, row.Reason.RU}} {
		if c.column == "" || c.column == l.Status.Reason && row.State != gateway.Refused {
			continue
		}
		q, err := m.name(c.column)
		if err != nil {
			return err
		}
		set, args = set+", "+q+" = ?", append(args, c.value)
	}
	if _, err := tx.ExecContext(ctx, "UPDATE "+table+" SET "+set+" WHERE "+key+" = ?", append(args, row.Number)...); err != nil {
		return fmt.Errorf("mio: write %s: %w", l.Table, err)
	}
	return nil
}
