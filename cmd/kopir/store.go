package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"kopir/gateway/store"
)

// runStore shows how far the schema of the bridge's own database is, brings it
// forward or back, copies it and brings a copy back into use. Exit status: 0 done, 1 it could not be done, 2 wrong use.
func runStore(ctx context.Context, args []string, s stdio) int {
	if len(args) == 1 && isHelp(args[0]) {
		io.WriteString(s.out, "usage: kopir store status|migrate|backup|restore [flags]\n`kopir store migrate -h` and the like explain them.\n")
		return exitPassed
	}
	switch {
	case len(args) > 0 && args[0] == "backup":
		return runStoreBackup(ctx, args[1:], s)
	case len(args) > 0 && args[0] == "restore":
		return runStoreRestore(ctx, args[1:], s)
	case len(args) == 0 || args[0] != "status" && args[0] != "migrate":
		s.complain("store needs one of status, migrate, backup, restore")
		return exitUsage
	}
	action := args[0]
	f := flag.NewFlagSet("store "+action, flag.ContinueOnError)
	file := f.String("config", "", "`FILE` with the configuration")
	version := int64(-1)
	does := "Tells how far the schema of the bridge's own database is, and how far this program knows it."
	if action == "migrate" {
		f.Int64Var(&version, "to", -1, "`VERSION` of the schema; backward drops what the later ones added, with what was written there: stop every bridge first. Default: the newest")
		does = "Brings the schema of the bridge's own database forward or back. `kopir serve` brings it forward by itself."
	}
	f.Usage = func() { usageOf(f, "-config FILE", does) }
	if code, ok := parseFlags(f, args[1:], s); !ok {
		return code
	}
	if *file == "" || f.NArg() > 0 {
		s.complain("store %s needs -config FILE and takes no arguments", action)
		return exitUsage
	}
	l, faults := loadConfig(*file)
	if l == nil {
		s.complain("%s", faults[0].format(*file))
		return exitUsage
	}
	m, more := l.open(time.Now())
	for _, f := range append(faults, more...) {
		if f.Key == "store" || f.Key == "store.driver" || f.Key == "store.path" || f.Key == "store.dsn_file" {
			fmt.Fprintln(s.err, f.format(*file))
			return exitFailed
		}
	}
	open := l.storeOpener(m)
	if l.Store.Driver == "sqlite" {
		path := l.path(l.Store.Path)
		if _, err := os.Stat(path); err != nil {
			s.complain("%s: %s: `kopir serve` makes it", l.storeName(), plainFileError(err))
			return exitFailed
		}
		if action == "migrate" {
			lock, err := lockStore(path)
			if err != nil {
				s.complain("%s: %s", l.storeName(), err)
				return exitFailed
			}
			defer lock.Close()
		}
	}
	was, err := store.Migrate(ctx, open, -1)
	if err == nil && action == "migrate" {
		if version < 0 {
			version = max(was.Known, was.Have)
		}
		_, err = store.Migrate(ctx, open, version)
	}
	if err != nil {
		s.complain("%s: %s", l.storeName(), err)
		return exitFailed
	}
	if action == "migrate" {
		fmt.Fprintf(s.out, "schema was %d, is %d\n", was.Have, version)
		return exitPassed
	}
	fmt.Fprintf(s.out, "schema is %d, this program knows %d\n", was.Have, was.Known)
	return exitPassed
}
