package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"

	"kopir/gateway/store"
)

// numbersLeftOut is how many numbers of each service a restored store leaves
// out: those that were given since the backup belong to people already.
const numbersLeftOut = 10_000

// runStoreRestore brings a copy of the store back into use. Exit status: 0
// done, 1 it could not be done, 2 wrong use.
func runStoreRestore(ctx context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("store restore", flag.ContinueOnError)
	config := f.String("config", "", "`FILE` with the configuration of the bridge")
	skip := f.Int64("numbers", numbersLeftOut, "`HOW MANY` application numbers of each service to leave out: more than were given since the backup was made")
	f.Usage = func() {
		usageOf(f, "-config FILE [BACKUP]", "Verifies a backup and brings it into use, where store.path names no file. On PostgreSQL, without BACKUP, it verifies and prepares the\n"+
			"database that pg_restore filled. What waited in the outbox when the backup was made may have gone out since: it keeps its message ids,\nand partners that can be asked are asked before anything is sent again. Run it once, before the bridge starts.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if *config == "" || f.NArg() > 1 {
		s.complain("store restore needs -config FILE and, for SQLite, the backup")
		return exitUsage
	}
	l, m, err := configured(*config)
	if err != nil {
		s.complain("store restore: %s", err)
		return exitFor(err)
	}
	defer m.close()
	var waiting int64
	prepare := func(st *store.Store) (err error) {
		waiting, err = st.Resume(ctx, *skip, processName())
		return err
	}
	var found *journalFinding
	switch {
	case *skip < 0:
		err = errors.New("-numbers: cannot be negative")
	case l.Store.Driver == "sqlite" && f.NArg() == 0:
		err = errors.New("name the backup")
	case l.Store.Driver == "sqlite":
		found, err = l.restoreFile(ctx, m, f.Arg(0), prepare)
	case f.NArg() == 1:
		err = errors.New("PostgreSQL is brought back by pg_restore; then call this without a file")
	default:
		found, err = l.restoreDatabase(ctx, m, prepare)
	}
	if err != nil {
		s.complain("store restore: %s", err)
		return exitFailed
	}
	fmt.Fprintf(s.out, "restored up to record %d of the journal; %d deliveries may have gone out since and are asked about first; %d numbers of each service are left out\n", found.Last, waiting, *skip)
	for _, fault := range slices.Concat(found.Missing, found.Changed) {
		fmt.Fprintf(s.out, "%s; if it was erased since the backup, erase it again by `kopir journal erase`\n", fault)
	}
	return exitPassed
}

// restoreFile puts a prepared copy of a backup where the store belongs.
func (l *loaded) restoreFile(ctx context.Context, m *materials, backup string, prepare func(*store.Store) error) (*journalFinding, error) {
	to := l.path(l.Store.Path)
	if _, err := os.Stat(backup); err != nil {
		return nil, fmt.Errorf("%s: %s", backup, plainFileError(err))
	}
	lock, err := lockStore(to)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", l.storeName(), plainFileError(err))
	}
	defer lock.Close()
	for _, rest := range []string{"", "-wal", "-shm"} { // a log of another file would be played into this one
		if _, err := os.Lstat(to + rest); err == nil {
			return nil, fmt.Errorf("%s is there; move it away with its -wal and -shm, and keep it: it may know what the backup does not", to+rest)
		}
	}
	return l.verifiedCopy(ctx, m, backup, to, prepare)
}

// restoreDatabase prepares a database of PostgreSQL that was brought back.
func (l *loaded) restoreDatabase(ctx context.Context, m *materials, prepare func(*store.Store) error) (found *journalFinding, err error) {
	st, err := store.OpenAt(ctx, l.storeOpener(m))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.storeName(), err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	st.ReadMoved(l.openMoved)
	switch n, err := st.Others(ctx); {
	case err != nil:
		return nil, err
	case n > 0:
		return nil, fmt.Errorf("%s: %d bridges work on it, or did half a minute ago; stop them", l.storeName(), n)
	}
	if found, err = l.sound(ctx, st, m); err != nil {
		return nil, err
	}
	return found, prepare(st)
}
