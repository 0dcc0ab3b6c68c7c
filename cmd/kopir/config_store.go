package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/failpoint"
	"kopir/gateway/store"
)

// ownStoreConfig is where the bridge keeps what is its own: an SQLite file, or
// a PostgreSQL database that several bridges may share.
type ownStoreConfig struct {
	Driver string `yaml:"driver"`
	Path   string `yaml:"path"` // sqlite
	// DSNFile holds on its first line the URL or keyword string of the
	// database, with the password: postgres.
	DSNFile string `yaml:"dsn_file"`
}

func (l *loaded) checkStore() []fault {
	c := l.Store
	switch {
	case c.Driver != "sqlite" && c.Driver != "postgres":
		return []fault{l.at("store.driver", fmt.Sprintf("unknown database %q", c.Driver), "known: sqlite, postgres")}
	case c.Driver == "sqlite" && c.Path == "":
		return []fault{l.at("store.path", "is missing", "name the database file")}
	case c.Driver == "sqlite" && c.DSNFile != "":
		return []fault{l.at("store.dsn_file", "is for driver: postgres", "remove it, or choose that driver")}
	case c.Driver == "postgres" && c.DSNFile == "":
		return []fault{l.at("store.dsn_file", "is missing", "name a file that holds postgres://user:password@host:port/database on its first line")}
	case c.Driver == "postgres" && c.Path != "":
		return []fault{l.at("store.path", "is for driver: sqlite", "remove it, or choose that driver")}
	case c.Driver == "postgres" && l.TrustBundle.File != "" && l.TrustBundle.Kept == "":
		return []fault{l.at("trust_bundle.kept", "is missing", "name the file in which this bridge keeps the bundle that it accepted last")}
	}
	return nil
}

// storeName is the key of the store and what it names, for faults about it.
func (l *loaded) storeName() string {
	if l.Store.Driver == "postgres" {
		return "store.dsn_file " + l.Store.DSNFile
	}
	return "store.path " + l.Store.Path
}

// storeOpener names the store without touching it.
func (l *loaded) storeOpener(m *materials) store.Opener {
	if l.Store.Driver == "postgres" {
		return store.Postgres(m.storeDSN)
	}
	return store.SQLite(l.path(l.Store.Path))
}

// openStore opens the store and brings its schema up to date. An SQLite file
// is locked for this process, and the leases in it are those of one that died.
func (n *node) openStore(ctx context.Context) (err error) {
	alone := n.conf().Store.Driver == "sqlite"
	if alone {
		path := n.conf().path(n.conf().Store.Path)
		if err := privateFile(path); err != nil {
			return err
		}
		if n.lock, err = lockStore(path); err != nil {
			return err
		}
	}
	if n.store, err = store.OpenAt(ctx, n.conf().storeOpener(n.m)); err != nil {
		return err
	}
	n.store.ReadMoved(func(file string) (io.ReadCloser, error) { return n.conf().openMoved(file) })
	if !alone {
		return nil
	}
	// A partner may take up what the dead process sent as late as that process
	// would have waited for its answer.
	cut, err := n.store.ReleaseAll(ctx, failpoint.Now().Add(time.Duration(n.conf().Gateway.Timeout)+gateway.QuietAfter))
	if cut > 0 {
		n.log.Warn("deliveries that were cut off are sent again", zap.Int64("deliveries", cut))
	}
	return err
}

// probeStore says whether the store can be opened, written and understood.
func (l *loaded) probeStore(ctx context.Context, m *materials) []fault {
	switch {
	case l.Store.Driver == "sqlite" && l.Store.Path != "":
		if err := probeSQLite(ctx, l.path(l.Store.Path)); err != nil {
			return []fault{l.at("store.path", fmt.Sprintf("%s: %s", l.Store.Path, plainFileError(err)), "name a file in a folder that this user may write")}
		}
	case l.Store.Driver == "postgres" && m.storeDSN != "":
		notes, err := store.ProbePostgres(ctx, m.storeDSN)
		if err != nil {
			return []fault{l.at("store.dsn_file", l.Store.DSNFile+": "+err.Error(), "name a PostgreSQL 15 or newer that can be reached, with a database in UTF8 in whose schema the user may make tables")}
		}
		for _, n := range notes {
			m.notes = append(m.notes, "store: "+n)
		}
	}
	return nil
}
