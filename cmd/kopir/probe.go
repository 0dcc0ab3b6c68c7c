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
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// dialTimeout bounds the question whether an address can be reached.
const dialTimeout = 3 * time.Second

// probe asks what the bridge will need when it runs: databases, its own
// address, the addresses of others.
func (l *loaded) probe(ctx context.Context) []fault {
	var fs []fault
	for _, s := range []struct {
		key string
		c   storeConfig
	}{{"store.path", l.Store}, {"local.path", l.Local}} {
		if s.c.Path == "" || s.c.Driver != "sqlite" {
			continue
		}
		if err := probeSQLite(ctx, l.path(s.c.Path)); err != nil {
			fs = append(fs, l.at(s.key, fmt.Sprintf("%s: %s", s.c.Path, plainFileError(err)), "name a file in a folder that this user may write"))
		}
	}
	if ln, err := net.Listen("tcp", l.Listen); err != nil {
		fs = append(fs, l.listenFault(err))
	} else {
		ln.Close()
	}
	type address struct{ key, url string }
	all := []address{{"gateway.sync", l.Gateway.Sync}, {"gateway.async", l.Gateway.Async}}
	for i, u := range l.Revocation.OCSP {
		all = append(all, address{fmt.Sprintf("revocation.ocsp[%d]", i), u})
	}
	for i, u := range l.Revocation.CRL {
		all = append(all, address{fmt.Sprintf("revocation.crl[%d]", i), u})
	}
	for i, u := range l.Revocation.Delta {
		all = append(all, address{fmt.Sprintf("revocation.delta[%d]", i), u})
	}
	results := make([]*fault, len(all))
	done := make(chan struct{})
	for i, a := range all {
		go func() {
			defer func() { done <- struct{}{} }()
			if a.url == "" {
				return
			}
			if err := reach(ctx, a.url); err != nil {
				f := l.at(a.key, "cannot be reached: "+err.Error(), "check the address, the name service and the firewall")
				results[i] = &f
			}
		}()
	}
	for range all {
		<-done
	}
	for _, f := range results {
		if f != nil {
			fs = append(fs, *f)
		}
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

// reach opens a connection to the host of an address and closes it.
func reach(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil // told by checkValues
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return lastError(err)
	}
	return c.Close()
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
