package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"kopir/gateway/store"
)

// runStoreBackup copies the store while the bridge works on it. Exit status:
// 0 done, 1 it could not be done, 2 wrong use.
func runStoreBackup(ctx context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("store backup", flag.ContinueOnError)
	config := f.String("config", "", "`FILE` with the configuration of the bridge")
	out := f.String("o", "", "`FILE` to write; must not exist")
	f.Usage = func() {
		usageOf(f, "-config FILE -o FILE", "Copies the bridge's own SQLite database as of one moment, while the bridge goes on, looks for damage in the copy and verifies its\njournal. It holds personal data: keep it as you keep the database. PostgreSQL is copied by its own programs (pg_dump, pg_basebackup).")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if *config == "" || *out == "" || f.NArg() > 0 {
		s.complain("store backup needs -config FILE and -o FILE and takes no arguments")
		return exitUsage
	}
	l, m, err := configured(*config)
	if err != nil {
		s.complain("store backup: %s", err)
		return exitFor(err)
	}
	defer m.close()
	if l.Store.Driver != "sqlite" {
		s.complain("store backup: %s: PostgreSQL is copied by pg_dump or pg_basebackup; afterwards `kopir store restore -config FILE` prepares the database that they brought back", l.storeName())
		return exitFailed
	}
	found, err := l.backup(ctx, m, *out)
	if err != nil {
		s.complain("store backup: %s", err)
		return exitFailed
	}
	fmt.Fprintf(s.out, "%s holds the store up to record %d of its journal\n", *out, found.Last)
	found.print(s.out)
	return exitPassed
}

// configured reads a configuration and what it names, or says its first fault.
func configured(file string) (*loaded, *materials, error) {
	l, faults := loadConfig(file)
	if l == nil {
		return nil, nil, noConfig{errors.New(faults[0].format(file))}
	}
	m, more := l.open(time.Now())
	if faults = append(faults, more...); len(faults) > 0 {
		m.close()
		return nil, nil, errors.New(faults[0].format(file))
	}
	return l, m, nil
}

// noConfig is a configuration that says nothing: it is not there, or no YAML.
type noConfig struct{ error }

// exitFor is the status with which a command ends for want of its configuration.
func exitFor(err error) int {
	if errors.As(err, new(noConfig)) {
		return exitUsage
	}
	return exitFailed
}

// backup writes a copy beside its final name, and gives it that name only when
// it was verified and is on disk.
func (l *loaded) backup(ctx context.Context, m *materials, to string) (found *journalFinding, err error) {
	from := l.path(l.Store.Path)
	if _, err := os.Stat(from); err != nil {
		return nil, fmt.Errorf("%s: %s", l.storeName(), plainFileError(err))
	}
	if _, err := os.Lstat(to); err == nil {
		return nil, fmt.Errorf("%s is there already; name another file", to)
	}
	return l.verifiedCopy(ctx, m, from, to, func(*store.Store) error { return nil })
}

// verifiedCopy copies an SQLite store into a file that is not there, through
// one that has .part behind its name.
func (l *loaded) verifiedCopy(ctx context.Context, m *materials, from, to string, prepare func(*store.Store) error) (found *journalFinding, err error) {
	part := to + ".part"
	err = store.BackupSQLite(ctx, from, part)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there: another copy is being made, or one was cut off; remove it then", part)
	}
	defer os.Remove(part)
	if err != nil {
		return nil, errors.New(plainFileError(err))
	}
	if found, err = l.verifyCopy(ctx, m, part, prepare); err != nil {
		return nil, err
	}
	if _, err := os.Stat(part + "-wal"); err == nil {
		return nil, fmt.Errorf("%s is still open somewhere", part)
	}
	if err := os.Link(part, to); err != nil { // unlike a renaming it replaces nothing
		return nil, errors.New(to + ": " + plainFileError(err))
	}
	return found, flushFolder(filepath.Dir(to))
}

// verifyCopy judges a copy as `kopir journal verify` judges a store, and lets
// prepare change it when it is sound.
func (l *loaded) verifyCopy(ctx context.Context, m *materials, path string, prepare func(*store.Store) error) (found *journalFinding, err error) {
	st, err := store.OpenSQLite(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	st.ReadMoved(l.openMoved)
	if err := st.Whole(ctx); err != nil {
		return nil, err
	}
	if found, err = l.sound(ctx, st, m); err != nil {
		return nil, err
	}
	return found, prepare(st)
}

// sound verifies the journal of a store and every row against it. Files in the
// archive are younger than a backup, and may have been erased since: those that
// are not there are named and no more.
func (l *loaded) sound(ctx context.Context, st *store.Store, m *materials) (*journalFinding, error) {
	found := &journalFinding{First: 1}
	if err := found.verifyOpen(ctx, l, st, m, ""); err != nil {
		return nil, fmt.Errorf("the journal does not verify: %w", err)
	}
	if found.Audit != nil && len(found.Audit.Faults) > 0 {
		return nil, fmt.Errorf("the journal does not agree with the tables: %s", found.Audit.Faults[0])
	}
	found.Outcome = "intact"
	return found, nil
}

// flushFolder puts the names in a folder on disk.
func flushFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
