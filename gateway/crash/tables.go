package crash

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"kopir/mappings"
)

// tables are the databases of a trial, seen past the bridge and past what cuts
// it off.
type tables struct {
	o            Options
	server       *pgconn.Config // postgres
	store, local string         // names of databases
	admin        *sql.DB
	bridge, mio  *sql.DB
	keep         bool // the databases of a server stay for whoever looks into them
}

const localTable = "unemployed_certificate"

func newTables(ctx context.Context, o Options) (t *tables, err error) {
	t = &tables{o: o}
	if o.Database == SQLite {
		open := func(name string) *sql.DB {
			db, err2 := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.Join(dataDir(o), name)}).EscapedPath()+"?_pragma=busy_timeout(20000)")
			err = errors.Join(err, err2)
			return db
		}
		t.bridge, t.mio = open("kopir.db"), open("mio.db")
		return t, err
	}
	if t.server, err = pgconn.ParseConfig(o.DSN); err != nil {
		return nil, errors.New("the address of the PostgreSQL server does not read")
	}
	if t.admin, err = sql.Open("pgx", o.DSN); err != nil {
		return nil, err
	}
	stem := fmt.Sprintf("kopir_crash_%d", time.Now().UnixNano())
	t.store, t.local = stem+"_store", stem+"_local"
	for _, name := range []string{t.store, t.local} {
		if _, err := t.admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
			return nil, fmt.Errorf("the PostgreSQL server: %w", err)
		}
	}
	if t.bridge, err = sql.Open("pgx", t.direct(t.store)); err != nil {
		return nil, err
	}
	if t.mio, err = sql.Open("pgx", t.direct(t.local)); err != nil {
		return nil, err
	}
	return t, t.makeLocal(ctx)
}

// direct is the address of a database on the server, by its socket where it has one.
func (t *tables) direct(database string) string {
	if strings.HasPrefix(t.server.Host, "/") {
		q := url.Values{"host": {t.server.Host}, "port": {strconv.Itoa(int(t.server.Port))}, "user": {t.server.User}}
		if t.server.Password != "" {
			q.Set("password", t.server.Password)
		}
		return "postgres:///" + database + "?" + q.Encode()
	}
	return t.through(net.JoinHostPort(t.server.Host, strconv.Itoa(int(t.server.Port))), database)
}

// through is the same by TCP.
func (t *tables) through(address, database string) string {
	u := url.URL{Scheme: "postgres", Host: address, Path: "/" + database, RawQuery: "sslmode=disable", User: url.User(t.server.User)}
	if t.server.Password != "" {
		u.User = url.UserPassword(t.server.User, t.server.Password)
	}
	return u.String()
}

// makeLocal makes the local body's tables on a server, where the bridge makes none,
// with the index that README.md asks for: without it the table is read whole
// every two seconds, which costs the more the longer a trial runs.
func (t *tables) makeLocal(ctx context.Context) error {
	set, faults := mappings.Builtin()
	if len(faults) > 0 {
		return faults[0]
	}
	s, ok := set.Service(service)
	if !ok {
		return fmt.Errorf("there is no service %s", service)
	}
	columns := []string{s.Local.Key + " text PRIMARY KEY"}
	add := func(name string) {
		if name != "" {
			columns = append(columns, name+" text")
		}
	}
	for _, f := range s.Request.Fields {
		add(f.Column)
	}
	for _, v := range s.Local.System {
		add(v.Column)
	}
	add(s.Local.Status.Column)
	add(s.Local.Status.Changed)
	add(s.Local.Status.Reason)
	f := s.Local.Files
	for _, q := range []string{
		"CREATE TABLE " + s.Local.Table + " (" + strings.Join(columns, ", ") + ")",
		fmt.Sprintf("CREATE INDEX ON %s (%s, %s)", s.Local.Table, s.Local.Status.Changed, s.Local.Key),
		fmt.Sprintf("CREATE TABLE %s (%s text, %s text, %s text, %s text, %s text, %s bytea)", f.Table, f.Key, f.Kind, f.Name, f.Type, f.SHA256, f.Content),
	} {
		if _, err := t.mio.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("local tables: %w", err)
		}
	}
	return nil
}

// watchRows lets the local database count every row that is put in, and every
// status that is set, by triggers. What is rolled back leaves no count.
func (t *tables) watchRows(ctx context.Context) error {
	const log = "CREATE TABLE crash_log (application_no text, what text, status text)"
	all := []string{log,
		`CREATE TRIGGER crash_in AFTER INSERT ON ` + localTable + ` BEGIN INSERT INTO crash_log VALUES (new.application_no, 'row', new.status_code); END`,
		`CREATE TRIGGER crash_up AFTER UPDATE ON ` + localTable + ` BEGIN INSERT INTO crash_log VALUES (new.application_no, 'status', new.status_code); END`,
	}
	if t.o.Database == Postgres {
		all = []string{log,
			`ALTER TABLE crash_log ADD COLUMN id bigserial`,
			`CREATE FUNCTION crash_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				INSERT INTO crash_log (application_no, what, status) VALUES (new.application_no, CASE TG_OP WHEN 'INSERT' THEN 'row' ELSE 'status' END, new.status_code); RETURN new; END $$`,
			`CREATE TRIGGER crash_note AFTER INSERT OR UPDATE ON ` + localTable + ` FOR EACH ROW EXECUTE FUNCTION crash_note()`,
		}
	}
	for _, q := range all {
		if _, err := t.mio.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("count of local rows: %w", err)
		}
	}
	return nil
}

// clerk sets the status of a row, as a clerk's program does; false: no such row
// with that status.
func (t *tables) clerk(ctx context.Context, number, from, to string) (bool, error) {
	q := `UPDATE ` + localTable + ` SET status_code = $1, status_changed_at = $2, status_reason = 'crashtest' WHERE application_no = $3 AND status_code = $4`
	r, err := t.mio.ExecContext(ctx, q, to, time.Now().UTC().Format("2006-01-02 15:04:05.000"), number, from)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// rows counts those in the local database.
func (t *tables) rows(ctx context.Context) (n int) {
	t.mio.QueryRowContext(ctx, `SELECT count(*) FROM `+localTable).Scan(&n)
	return n
}

// queued is how much is on its way or held, but for what waits behind a dead
// letter: that stays.
func (t *tables) queued(ctx context.Context) (n int, err error) {
	err = t.bridge.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM outbox o WHERE o.state = 'queued' AND NOT EXISTS (
			SELECT 1 FROM outbox p WHERE p.application = o.application AND p.route = o.route AND p.seq < o.seq AND p.state = 'dead')) + (SELECT count(*) FROM holds)`).Scan(&n)
	return n, err
}

// close forgets the databases of a server; files stay where they are.
func (t *tables) close() error {
	err := errors.Join(t.bridge.Close(), t.mio.Close())
	if t.admin == nil {
		return err
	}
	if !t.keep {
		for _, name := range []string{t.store, t.local} {
			_, bad := t.admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
			err = errors.Join(err, bad)
		}
	}
	return errors.Join(err, t.admin.Close())
}
