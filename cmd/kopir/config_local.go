package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"kopir/gateway/mio"
	"kopir/mappings"
)

// localConfig is the local executive body's own database.
type localConfig struct {
	Driver string `yaml:"driver"`
	Path   string `yaml:"path"` // sqlite
	// DSN is the address of a server without its password, which stands in
	// PasswordFile; or DSNFile holds the whole.
	DSN          string `yaml:"dsn"`
	DSNFile      string `yaml:"dsn_file"`
	PasswordFile string `yaml:"password_file"`
	Schema       string `yaml:"schema"`
	// TimeZone is that of dates with a time in columns without a zone.
	TimeZone string     `yaml:"time_zone"`
	Timeout  duration   `yaml:"timeout"` // of one statement
	Pool     poolConfig `yaml:"pool"`
	Notify   string     `yaml:"notify"` // channel of NOTIFY, postgres
}

type poolConfig struct {
	Open     int      `yaml:"open"`
	Idle     int      `yaml:"idle"`
	Lifetime duration `yaml:"lifetime"`
}

// defaultLocal is what an empty key means.
func defaultLocal() localConfig {
	return localConfig{
		Driver: "sqlite", TimeZone: "Asia/Almaty", Timeout: duration(10 * time.Second),
		Pool: poolConfig{Open: 8, Lifetime: duration(30 * time.Minute)},
	}
}

// addresses are examples of the drivers' addresses.
var addresses = map[string]string{
	"postgres": "postgres://kopir@db.akimat.example:5432/mio", "mysql": "mysql://kopir@db.akimat.example:3306/mio",
	"sqlserver": "sqlserver://kopir@db.akimat.example:1433?database=mio", "oracle": "oracle://kopir@db.akimat.example:1521/MIO",
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

func (l *loaded) checkLocal() []fault {
	c := l.Local
	var fs []fault
	bad := func(key, problem, remedy string) { fs = append(fs, l.at("local."+key, problem, remedy)) }
	if !slices.Contains(mio.Dialects(), c.Driver) {
		bad("driver", fmt.Sprintf("unknown database %q", c.Driver), "known: "+strings.Join(mio.Dialects(), ", "))
		return fs
	}
	file := c.Driver == "sqlite"
	switch {
	case file && c.Path == "":
		bad("path", "is missing", "name the database file")
	case !file && c.Path != "":
		bad("path", "is for driver: sqlite", "remove it, or choose that driver")
	case file && c.DSN+c.DSNFile+c.PasswordFile != "":
		bad("driver", "is sqlite, which has no dsn, dsn_file or password_file", "choose the driver of your database: "+strings.Join(mio.Dialects(), ", "))
	case file:
	case c.DSN == "" && c.DSNFile == "":
		bad("dsn", "is missing", "write for example "+addresses[c.Driver]+", with the password in password_file; or name a dsn_file")
	case c.DSN != "" && c.DSNFile != "":
		bad("dsn_file", "is given beside dsn", "keep one of them")
	case c.DSN != "" && mio.HasPassword(c.Driver, c.DSN):
		bad("dsn", "holds a password", "put it alone into a file, and name that as password_file")
	case c.DSN != "":
		if err := mio.CheckURL(c.Driver, c.DSN); err != nil {
			bad("dsn", err.Error(), "write for example "+addresses[c.Driver])
		}
	}
	for _, n := range [][2]string{{"schema", c.Schema}, {"notify", c.Notify}} {
		if n[1] != "" && !plainName.MatchString(n[1]) {
			bad(n[0], fmt.Sprintf("%q is not a plain name", n[1]), "letters, digits and underscores, 63 at most")
		}
	}
	if c.Notify != "" && c.Driver != "postgres" {
		bad("notify", "is for driver: postgres", "remove it: the table is asked every two seconds anyway")
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "" {
		bad("time_zone", fmt.Sprintf("unknown time zone %q", c.TimeZone), "use a name of the IANA database, such as Asia/Almaty")
	}
	for _, k := range []struct {
		key string
		d   duration
	}{{"timeout", c.Timeout}, {"pool.lifetime", c.Pool.Lifetime}} {
		if k.d <= 0 {
			bad(k.key, "must be longer than nothing", "leave the key out for its default")
		}
	}
	if c.Pool.Open < 2 || c.Pool.Idle < 0 || c.Pool.Idle > c.Pool.Open {
		bad("pool", "open must be 2 or more, and idle no more than that", "the default is 8 of both")
	}
	return fs
}

// openLocal reads the secrets of the local database.
func (l *loaded) openLocal(m *materials) []fault {
	var fs []fault
	m.localDSN = l.Local.DSN
	if l.Local.DSNFile != "" {
		m.localDSN = l.secret("local.dsn_file", l.Local.DSNFile, m, &fs)
		if m.localDSN != "" && slices.Contains(mio.Dialects(), l.Local.Driver) {
			if err := mio.CheckURL(l.Local.Driver, m.localDSN); err != nil {
				fs = append(fs, l.at("local.dsn_file", l.Local.DSNFile+": "+err.Error(), "write an address such as "+addresses[l.Local.Driver]+" on its first line, with the password after the user"))
			}
		}
	}
	if l.Local.PasswordFile != "" {
		m.localPassword = l.secret("local.password_file", l.Local.PasswordFile, m, &fs)
	}
	return fs
}

// localOptions are the way to the local database.
func (l *loaded) localOptions(m *materials) (mio.Options, error) {
	c := l.Local
	zone, err := time.LoadLocation(c.TimeZone)
	return mio.Options{
		Driver: c.Driver, Path: l.path(c.Path), URL: m.localDSN, Password: m.localPassword, Schema: c.Schema, Zone: zone,
		MaxOpen: c.Pool.Open, MaxIdle: c.Pool.Idle, Lifetime: time.Duration(c.Pool.Lifetime), Timeout: time.Duration(c.Timeout), Notify: c.Notify,
	}, err
}

// localName is the key of the local database and what it names.
func (l *loaded) localName() (key, name string) {
	switch {
	case l.Local.Driver == "sqlite":
		return "local.path", l.Local.Path
	case l.Local.DSNFile != "":
		return "local.dsn_file", l.Local.DSNFile
	}
	return "local.dsn", l.Local.Driver
}

// openMio opens the local database. A file is made; a server may be away.
func (n *node) openMio(ctx context.Context) error {
	key, name := n.conf().localName()
	o, err := n.conf().localOptions(n.m)
	if err == nil && o.Driver == "sqlite" {
		if err = privateFile(o.Path); err == nil {
			n.local, err = mio.OpenFile(ctx, o, n.m.set)
		}
	} else if err == nil {
		n.local, err = mio.Open(o, n.m.set)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", key, name, err)
	}
	return nil
}

// probeLocal asks whether the local database can be used, and compares it, as
// far as it is there, with the descriptions, at their lines.
func (l *loaded) probeLocal(ctx context.Context, m *materials) []fault {
	key, name := l.localName()
	if l.Local.Driver == "sqlite" {
		if l.Local.Path == "" {
			return nil
		}
		if err := probeSQLite(ctx, l.path(l.Local.Path)); err != nil {
			return []fault{l.at(key, fmt.Sprintf("%s: %s", name, plainFileError(err)), "name a file in a folder that this user may write")}
		}
	}
	o, err := l.localOptions(m)
	if m.set == nil || err != nil || o.Driver != "sqlite" && (o.URL == "" || mio.CheckURL(o.Driver, o.URL) != nil) {
		return nil // told already
	}
	found, notes, err := mio.Inspect(ctx, o, m.set)
	if err != nil {
		return []fault{l.at(key, fmt.Sprintf("%s: %v", name, err), "check address, user and password, and that the server answers this machine")}
	}
	for _, n := range notes {
		m.notes = append(m.notes, "local: "+n)
	}
	var fs []fault
	for _, f := range found {
		fs = append(fs, l.at(key, name+": "+strings.TrimSuffix(f.In(mappings.English), "."), ""))
	}
	return fs
}
