package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"kopir/gateway"
	"kopir/gateway/store"
)

// probe asks what the bridge will need when it runs: databases, its own
// address, the addresses of others.
func (l *loaded) probe(ctx context.Context, m *materials) []fault {
	var fs []fault
	fs = append(fs, l.probeStore(ctx, m)...)
	if ln, err := net.Listen("tcp", l.Listen); err != nil {
		fs = append(fs, l.listenFault(err))
	} else {
		ln.Close()
	}
	fs = append(fs, l.probeLocal(ctx, m)...)
	fs = append(fs, l.probeEditions(ctx, m)...)
	return append(fs, l.probeOutward(ctx, m)...)
}

// probeEditions asks whether the descriptions have the editions that running
// applications need.
func (l *loaded) probeEditions(ctx context.Context, m *materials) []fault {
	if m.set == nil || l.Store.Path == "" || l.Store.Driver != "sqlite" {
		return nil
	}
	if _, err := os.Stat(l.path(l.Store.Path)); err != nil {
		return nil // serve makes it
	}
	r, err := store.ReadSQLite(ctx, l.path(l.Store.Path))
	if err != nil {
		return nil // probeSQLite has told
	}
	defer r.Close()
	running, err := r.Running(ctx)
	if err != nil {
		return nil // of an older version, which serve brings up to date
	}
	var fs []fault
	for _, e := range each(gateway.Missing(m.set, running)) {
		fs = append(fs, l.at("mappings", e.Error(), ""))
	}
	return fs
}

// probeSQLite says whether the file can be opened and written. A file that is
// not there yet is not made: then its folder must be writable.
func probeSQLite(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		dir := filepath.Dir(path)
		for {
			if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
				break
			}
			dir = filepath.Dir(dir) // serve makes missing folders
		}
		f, err := os.CreateTemp(dir, ".kopir-check-*")
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(2000)")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("it cannot be written (%w)", err)
	}
	defer conn.ExecContext(ctx, "ROLLBACK")
	var tables int
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return fmt.Errorf("it is not an SQLite database (%w)", err)
	}
	return nil
}

func (l *loaded) listenFault(err error) fault {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return l.at("listen", l.Listen+" is in use by another program", "stop that one (perhaps a running kopir), or choose another port")
	case errors.Is(err, syscall.EACCES):
		return l.at("listen", l.Listen+" needs more rights than this user has", "choose a port from 1024 up")
	default:
		return l.at("listen", fmt.Sprintf("cannot listen on %s: %s", l.Listen, lastError(err)), "use an address of this machine")
	}
}

// lastError is the innermost cause: "connection refused", "no such host".
func lastError(err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return errors.New("there is no host " + dns.Name)
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		if s, ok := err.(*os.SyscallError); ok {
			return s.Err
		}
		err = inner
	}
}
