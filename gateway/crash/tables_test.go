package crash

import (
	"os"
	"testing"

	"kopir/gateway/mio"
	"kopir/mappings"
)

// TestLocalTables holds a trial's local tables to what `kopir check` asks of
// anybody's: they fit the description, and no table is read whole in search of
// rows that changed, or a long trial measures its own table.
func TestLocalTables(t *testing.T) {
	dsn := os.Getenv("KOPIR_POSTGRES")
	if dsn == "" {
		t.Skip("no postgres here: KOPIR_POSTGRES names none (.ci/with-postgres starts one)")
	}
	of, err := newTables(t.Context(), Options{Database: Postgres, DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := of.close(); err != nil {
			t.Error(err)
		}
	})
	set, bad := mappings.Builtin()
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	set, unknown := set.Only([]string{service})
	if len(unknown) > 0 {
		t.Fatal("unknown: ", unknown)
	}
	faults, notes, err := mio.Inspect(t.Context(), mio.Options{Driver: "postgres", URL: of.direct(of.local)}, set)
	if err != nil || len(faults) > 0 || len(notes) > 0 {
		t.Errorf("faults %v, notes %q, error %v", faults, notes, err)
	}
}
