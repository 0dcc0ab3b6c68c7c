package store

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitedriver "modernc.org/sqlite"
)

// Diagnose says what is wrong with the database, and what to do, without what
// an error may hold of addresses and values. Whatever it is, nothing was kept
// of what failed: it is done again later.
func Diagnose(err error) (say, remedy string) {
	var pg *pgconn.PgError
	var lite *sqlitedriver.Error
	var late errLate
	switch {
	case errors.As(err, &late):
		return "the database took no writes for too long", "see its disk, and what else it does"
	case errors.As(err, &pg):
		for _, d := range []struct{ code, say, remedy string }{
			{"53100", "the disk of the database server is full", "free space there"},
			{"53200", "the database server is out of memory", "give it more, or fewer connections"},
			{"53300", "the database server has no connection left", "raise max_connections, or run fewer bridges"},
			{"53", "the database server lacks resources", "see its log"},
			{"25006", "the database takes no writes: it is a standby, or set to read only", "name the primary"},
			{"55P03", "another session holds a lock in the database", "see pg_locks and pg_stat_activity for a transaction that stays open, and end it"},
			{"57014", "the database took too long for one statement", "see its load and its disk"},
			{"25P03", "this bridge rested in the middle of a transaction, and the server ended it", "see whether the machine or the process was stopped"},
			{"57P", "the database server is going down or coming up", "wait, or see its log"},
			{"28", "the database server does not let us in", "compare user and password in store.dsn_file"},
			{"42501", "the database user lacks a right", "give it the rights on its schema again"},
		} {
			if strings.HasPrefix(pg.Code, d.code) {
				return d.say, d.remedy
			}
		}
		return "the database refuses (SQLSTATE " + pg.Code + ")", "see its log"
	case errors.As(err, &lite):
		switch lite.Code() & 0xff { // sqlite.org/rescode.html
		case 13:
			return "the disk of the store is full", "free space; nothing that was taken is lost"
		case 10:
			return "the store's file cannot be read or written", "see the disk and the system's log"
		case 8:
			return "the store's file takes no writes", "see the rights of the file and how its disk is mounted"
		case 11, 26:
			return "the store's file is damaged", "stop the bridge and restore a backup; see `kopir journal verify`"
		case 5, 6:
			return "another program holds the store", "end it"
		}
	}
	return "the database does not answer", "see that it runs and can be reached"
}
