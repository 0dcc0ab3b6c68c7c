package mio

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	mssql "github.com/microsoft/go-mssqldb"
	ora "github.com/sijms/go-ora/v2"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"kopir/mappings"
)

// Options say where a local database is and how it is used.
type Options struct {
	Driver string // one of Dialects
	Path   string // of SQLite's file
	// URL is the address of the others: postgres://user@host:5432/database,
	// mysql://user@host:3306/database, sqlserver://user@host:1433?database=name,
	// oracle://user@host:1521/service. What follows the question mark goes to the
	// driver (socket, for mysql, is the path of a local socket).
	URL      string
	Password string
	Schema   string         // of tables whose names have none; empty: the user's own
	Zone     *time.Location // of times in columns without one; nil: Almaty
	MaxOpen  int            // connections; nought: 8
	MaxIdle  int            // of them kept while nothing is done; nought: as many
	Lifetime time.Duration  // of a connection; nought: half an hour
	Timeout  time.Duration  // of one statement; nought: ten seconds
	Notify   string         // channel of NOTIFY, PostgreSQL only; empty: none

	readOnly bool // a file is looked at only
}

// maxIdleTime is how long a connection is kept that nothing is done on.
const maxIdleTime = 5 * time.Minute

// defaultZone is that of the country, with its history.
const defaultZone = "Asia/Almaty"

// Open makes the way to a local database. A server need not answer yet: what is
// meant for it waits until it does.
func Open(o Options, set *mappings.Set) (*DB, error) {
	m := &DB{schema: o.Schema, zone: o.Zone, budget: o.Timeout, notify: o.Notify, turn: make(chan struct{}, 1), tables: map[string]*table{}}
	m.services.Store(set)
	for _, d := range dialects {
		if d.Name == o.Driver {
			m.d = d
		}
	}
	if m.d == nil {
		return nil, fmt.Errorf("mio: unknown database %q; known: %s", o.Driver, strings.Join(Dialects(), ", "))
	}
	if o.Schema != "" && !plainName.MatchString(o.Schema) {
		return nil, fmt.Errorf("mio: %q is not a plain name of a schema", o.Schema)
	}
	if m.zone == nil {
		zone, err := time.LoadLocation(defaultZone)
		if err != nil {
			return nil, fmt.Errorf("mio: %w", err)
		}
		m.zone = zone
	}
	m.budget = or(m.budget, 10*time.Second)
	var err error
	if m.db, err = o.open(m.budget); err != nil {
		return nil, err
	}
	m.db.SetMaxOpenConns(or(o.MaxOpen, 8))
	m.db.SetMaxIdleConns(or(o.MaxIdle, or(o.MaxOpen, 8)))
	m.db.SetConnMaxIdleTime(maxIdleTime)
	m.db.SetConnMaxLifetime(or(o.Lifetime, 30*time.Minute))
	return m, nil
}

func or[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// CheckURL says what is wrong with an address, without repeating it: it may
// hold a password.
func CheckURL(driver, address string) error {
	if driver == postgres.Name {
		if _, err := pgx.ParseConfig(address); err != nil {
			return errors.New("does not read as the address of a PostgreSQL database")
		}
		return nil
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != driver:
		return fmt.Errorf("must begin with %s://", driver)
	case u.Host == "" && u.Query().Get("socket") == "":
		return errors.New("names no host")
	case strings.Trim(u.Path, "/") == "" && u.Query().Get("database") == "":
		return errors.New("names no database")
	}
	return nil
}

// HasPassword says whether an address holds one.
func HasPassword(driver, address string) bool {
	if driver == postgres.Name {
		return strings.Contains(address, "password=") || urlPassword(address)
	}
	return urlPassword(address)
}

func urlPassword(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return false
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

// open makes the pool. Errors do not hold the address.
func (o Options) open(budget time.Duration) (*sql.DB, error) {
	if o.Driver == sqlite.Name {
		if o.readOnly {
			return openFile(o.Path, "mode=ro")
		}
		return openFile(o.Path, "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	}
	if err := CheckURL(o.Driver, o.URL); err != nil {
		return nil, fmt.Errorf("mio: the address of the database %w", err)
	}
	if o.Driver == postgres.Name {
		c, err := pgx.ParseConfig(o.URL)
		if err != nil {
			return nil, errors.New("mio: the address of the database does not read")
		}
		if o.Password != "" {
			c.Password = o.Password
		}
		c.ConnectTimeout = budget
		for k, v := range map[string]string{"application_name": "kopir", "timezone": "UTC", "datestyle": "ISO", "statement_timeout": fmt.Sprint(budget.Milliseconds())} {
			c.RuntimeParams[k] = v
		}
		if o.Schema != "" { // what the tables' own triggers call lies there too
			c.RuntimeParams["search_path"] = o.Schema + ", public"
		}
		return stdlib.OpenDB(*c), nil
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("mio: the address of the database does not read")
	}
	if o.Password != "" {
		u.User = url.UserPassword(u.User.Username(), o.Password)
	}
	switch o.Driver {
	case mysql.Name:
		return openMySQL(u, budget)
	case sqlserver.Name:
		q := u.Query()
		q.Set("app name", "kopir")
		q.Set("dial timeout", fmt.Sprint(max(1, int(budget.Seconds()))))
		u.RawQuery = q.Encode()
		c, err := mssql.NewConnector(u.String())
		if err != nil {
			return nil, errors.New("mio: the address of the database does not read")
		}
		return sql.OpenDB(c), nil
	default:
		return sql.OpenDB(ora.NewConnector(u.String())), nil
	}
}

// openMySQL: strict, so that nothing is cut to fit in silence, and in UTC.
func openMySQL(u *url.URL, budget time.Duration) (*sql.DB, error) {
	c := mysqldriver.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr, c.DBName = "tcp", u.Host, strings.Trim(u.Path, "/")
	if u.Port() == "" {
		c.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	q := u.Query()
	if socket := q.Get("socket"); socket != "" {
		c.Net, c.Addr = "unix", socket
	}
	c.TLSConfig = q.Get("tls")
	c.Timeout, c.ReadTimeout, c.WriteTimeout = budget, 2*budget, 2*budget
	c.Params = map[string]string{"time_zone": "'+00:00'", "sql_mode": "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"}
	c.Collation = "utf8mb4_unicode_ci"
	c.Logger = &mysqldriver.NopLogger{}
	connector, err := mysqldriver.NewConnector(c)
	if err != nil {
		return nil, errors.New("mio: the address of the database does not read")
	}
	return sql.OpenDB(connector), nil
}

func openFile(path, more string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(10000)&"+more)
	if err != nil {
		return nil, fmt.Errorf("mio: open %s: %w", path, err)
	}
	return db, nil
}

// OpenSQLite opens a database file, for a body that has no database yet: tables
// that are missing are made as the descriptions have them, but for descriptions
// that fit themselves to tables of others. What is there already must fit.
func OpenSQLite(ctx context.Context, path string, set *mappings.Set) (*DB, error) {
	return OpenFile(ctx, Options{Driver: sqlite.Name, Path: path}, set)
}

// OpenFile is OpenSQLite with options.
func OpenFile(ctx context.Context, o Options, set *mappings.Set) (*DB, error) {
	m, err := Open(o, set)
	if err != nil {
		return nil, err
	}
	if err := m.Use(ctx, set); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}
