package mappings

import (
	"fmt"
	"strings"
)

// Denial is a right that is missing.
type Denial struct {
	Right   string
	Columns []string // nil: of the whole table
	Grant   string   // the sentence that gives it
}

// missing tells of a table or column that is not found, or not shown.
func (k *checker) missing(where, code string, db Schema, table, column string) error {
	hidden, err := db.Hidden(table, column)
	switch {
	case err != nil:
		return fmt.Errorf("mappings: rights on %s: %w", table, err)
	case hidden != nil:
		k.denial(where, table, *hidden)
	case column == "":
		k.fault(where, code, "value", table)
	default:
		k.fault(where, code, "table", table, "value", column)
	}
	return nil
}

func (k *checker) denial(where, table string, d Denial) {
	right := d.Right
	if len(d.Columns) > 0 {
		right += " (" + strings.Join(d.Columns, ", ") + ")"
	}
	k.fault(where, "no-right", "table", table, "value", right, "grant", d.Grant)
}
