package store

import (
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// dialect is all that differs between the two databases: how placeholders are
// written and four words.
type dialect struct {
	driver string
	goose  goose.Dialect
	begin  string // opens a transaction that will write
	// skip ends a selection of rows that another node may be working on.
	skip   string
	now    string // microseconds since 1970 by the database's clock
	lock   string // ends a selection of a row that must not change before the commit
	dollar bool   // placeholders are $1, $2
	shared bool   // several bridges may work on one database
}

var (
	sqlite   = dialect{driver: "sqlite", goose: goose.DialectSQLite3, begin: "BEGIN IMMEDIATE"}
	postgres = dialect{driver: "pgx", goose: goose.DialectPostgres, begin: "BEGIN", skip: "FOR UPDATE OF o SKIP LOCKED",
		now: "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT", lock: "FOR UPDATE", dollar: true, shared: true}
)

// text rewrites the one SQL text for the database: {skip}, {lock}, {now} and the
// placeholders. No literal of ours holds a question mark.
func (d dialect) text(q string) string {
	q = strings.NewReplacer("{skip}", d.skip, "{now}", d.now, "{lock}", d.lock).Replace(q)
	if !d.dollar {
		return q
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(q, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		q = after
	}
}
