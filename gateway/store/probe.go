package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	oldestServer = 150000 // server_version_num of PostgreSQL 15.0
	probeBudget  = 10 * time.Second
)

// ProbePostgres says why a bridge could not keep its store at this address,
// changing nothing there. Notes are what an operator should know about it.
func ProbePostgres(ctx context.Context, dsn string) (notes []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeBudget)
	defer cancel()
	s, err := postgresStore(dsn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeDB()) }()
	var version int
	var release, encoding, fsync, schema string
	var may, standby bool
	err = s.read.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::INT, current_setting('server_version'), current_setting('server_encoding'), current_setting('fsync'),
		COALESCE(current_schema(), ''), COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE), pg_is_in_recovery()`).
		Scan(&version, &release, &encoding, &fsync, &schema, &may, &standby)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the database does not answer: %w", err)
	case version < oldestServer:
		return nil, fmt.Errorf("the server is PostgreSQL %s, which is too old", release)
	case encoding != "UTF8":
		return nil, fmt.Errorf("the database is in %s and cannot hold every name", encoding)
	case standby:
		return nil, errors.New("the server is a standby, which takes no writes")
	case !may:
		return nil, fmt.Errorf("the user may not make tables in the schema %q", schema)
	}
	if fsync != "on" {
		notes = append(notes, "the server runs with fsync off: what is acknowledged can be lost with the machine")
	}
	return notes, nil
}
