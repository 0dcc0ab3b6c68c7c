package store

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// dialect is all that differs between the two databases: how placeholders are
// written and five words.
type dialect struct {
	driver string
	goose  goose.Dialect
	begin  string // opens a transaction that will write
	// skip ends a selection of rows that another node may be working on.
	skip   string
	now    string // microseconds since 1970 by the database's clock
	lock   string // ends a selection of a row that must not change before the commit
	among  string // a condition that a text is in one list of texts, see tx.among
	size   string // query of how many bytes the database takes
	dollar bool   // placeholders are $1, $2
	shared bool   // several bridges may work on one database
}

var (
	sqlite = dialect{driver: "sqlite", goose: goose.DialectSQLite3, begin: "BEGIN IMMEDIATE", among: "IN (SELECT value FROM json_each(?))",
		size: "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"}
	postgres = dialect{driver: "pgx", goose: goose.DialectPostgres, begin: "BEGIN", skip: "FOR UPDATE OF o SKIP LOCKED",
		now: "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT", lock: "FOR UPDATE", among: "= ANY(?)", size: "SELECT pg_database_size(current_database())", dollar: true, shared: true}
)

// among is the argument of {among}.
func (t *tx) among(texts []string) any {
	if t.w.d.shared {
		return texts
	}
	list, _ := json.Marshal(texts) // texts always marshal
	return string(list)
}

// text rewrites the one SQL text for the database: {skip}, {lock}, {now}, {among} and the
// placeholders. No literal of ours holds a question mark.
func (d dialect) text(q string) string {
	q = strings.NewReplacer("{skip}", d.skip, "{now}", d.now, "{lock}", d.lock, "{among}", d.among).Replace(q)
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
