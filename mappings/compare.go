package mappings

import (
	"slices"
	"strconv"
)

// Change is how one value differs between two readings of one document.
type Change struct {
	Field  string `json:"field"`  // in groups GROUP.NUMBER.FIELD, of files attachment KIND.NUMBER
	Kind   string `json:"change"` // lost, added, value, column
	Before *Cell  `json:"before,omitempty"`
	After  *Cell  `json:"after,omitempty"`
}

// Cell is a value and the column that it goes to.
type Cell struct {
	Column string `json:"column"`
	Value  string `json:"value"`
}

// Difference is what one document becomes by another description.
type Difference struct {
	Before, After *Reading
	Changes       []Change
	Unread        []string // paths that the description before knew and the other does not
}

// Refused says that a document which was accepted is refused.
func (d *Difference) Refused() bool { return len(d.Before.Faults) == 0 && len(d.After.Faults) > 0 }

// Lost says that something which was read is not read any more.
func (d *Difference) Lost() bool {
	return len(d.Unread) > 0 || slices.ContainsFunc(d.Changes, func(c Change) bool { return c.Kind == "lost" })
}

// Same says that nothing differs: neither values, nor columns, nor faults.
func (d *Difference) Same() bool {
	same := func(a, b FieldFault) bool { return a.Field == b.Field && a.Path == b.Path && a.Rule == b.Rule }
	return len(d.Changes) == 0 && len(d.Unread) == 0 && slices.EqualFunc(d.Before.Faults, d.After.Faults, same)
}

// CompareReadings reads nothing anew: it compares what two descriptions made of one document.
func CompareReadings(before, after *Reading) *Difference {
	d := &Difference{Before: before, After: after}
	old, current := before.cells(), after.cells()
	at := map[string]Cell{}
	for _, c := range current {
		at[c.field] = c.Cell
	}
	seen := map[string]bool{}
	for _, was := range old {
		seen[was.field] = true
		is, ok := at[was.field]
		switch {
		case !ok:
			d.Changes = append(d.Changes, Change{Field: was.field, Kind: "lost", Before: &was.Cell})
		case is.Value != was.Value:
			d.Changes = append(d.Changes, Change{Field: was.field, Kind: "value", Before: &was.Cell, After: &is})
		case is.Column != was.Column:
			d.Changes = append(d.Changes, Change{Field: was.field, Kind: "column", Before: &was.Cell, After: &is})
		}
	}
	for _, c := range current {
		if !seen[c.field] {
			d.Changes = append(d.Changes, Change{Field: c.field, Kind: "added", After: &c.Cell})
		}
	}
	for _, path := range after.Unknown {
		if !slices.Contains(before.Unknown, path) {
			d.Unread = append(d.Unread, path)
		}
	}
	return d
}

type namedCell struct {
	field string
	Cell
}

// cells lists every value of a reading under a name of its own.
func (r *Reading) cells() []namedCell {
	var all []namedCell
	for _, v := range r.Row.Values {
		all = append(all, namedCell{v.Field, Cell{v.Column, v.Text()}})
	}
	for _, g := range r.Row.Groups {
		for _, v := range g.Values {
			all = append(all, namedCell{g.Group + "." + strconv.Itoa(g.Number) + "." + v.Field, Cell{v.Column, v.Text()}})
		}
	}
	count := map[string]int{}
	for _, a := range r.Attachments {
		count[a.Kind]++
		all = append(all, namedCell{"attachment " + a.Kind + "." + strconv.Itoa(count[a.Kind]), Cell{"", a.SHA256}})
	}
	return all
}
