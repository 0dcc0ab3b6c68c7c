package mappings

import (
	"fmt"
	"io/fs"
	"path"
)

// CheckStories reports the services that have no accepted or no refused story.
// A story is a folder SERVICE/CASE with in.xml; an accepted one has row.json
// beside it, a refused one verdict.json and no row.
func (s *Set) CheckStories(stories fs.FS) []Fault {
	var faults []Fault
	for _, v := range s.services {
		if first, _ := s.Edition(v.ID, ""); first != v {
			continue // stories are those of a service
		}
		have := map[string]bool{}
		cases, _ := fs.Glob(stories, v.ID+"/*/in.xml")
		for _, c := range cases {
			has := func(name string) bool {
				_, err := fs.Stat(stories, path.Join(path.Dir(c), name))
				return err == nil
			}
			switch {
			case has("row.json"):
				have["accepted"] = true
			case has("verdict.json"):
				have["refused"] = true
			}
		}
		k := &checker{set: s, s: v}
		for _, kind := range []string{"accepted", "refused"} {
			if !have[kind] {
				k.fault("service", "no-story", "value", kind, "folder", v.ID)
			}
		}
		faults = append(faults, k.faults...)
	}
	sortFaults(faults)
	return faults
}

// Columns tells the columns of a table of the local database; found is false
// when there is no such table.
type Columns func(table string) (columns []string, found bool, err error)

// CheckSchema compares every description with the local database. The error is
// that of the database.
func (s *Set) CheckSchema(columns Columns) ([]Fault, error) {
	var faults []Fault
	for _, v := range s.services {
		k := &checker{set: s, s: v}
		if err := k.table("local.table", v.Local.Table, columns, v.localColumns()); err != nil {
			return nil, err
		}
		if f := v.Local.Files; f != nil {
			want := [][2]string{
				{"local.files.key", f.Key}, {"local.files.kind", f.Kind}, {"local.files.name", f.Name},
				{"local.files.type", f.Type}, {"local.files.sha256", f.SHA256}, {"local.files.content", f.Content},
			}
			if err := k.table("local.files.table", f.Table, columns, want); err != nil {
				return nil, err
			}
		}
		for i, g := range v.Request.Groups {
			at := fmt.Sprintf("request.groups[%d]", i)
			want := [][2]string{{at + ".key", g.Key}, {at + ".number", g.Number}}
			for j, f := range g.Fields {
				want = append(want, [2]string{fmt.Sprintf("%s.fields[%d].column", at, j), f.Column})
			}
			if err := k.table(at+".table", g.Table, columns, want); err != nil {
				return nil, err
			}
		}
		faults = append(faults, k.faults...)
	}
	sortFaults(faults)
	return faults, nil
}

// localColumns lists the columns of the service's table with their places.
func (s *Service) localColumns() [][2]string {
	l := s.Local
	all := [][2]string{
		{"local.key", l.Key}, {"local.status.column", l.Status.Column},
		{"local.status.changed", l.Status.Changed}, {"local.status.reason", l.Status.Reason},
	}
	for i, v := range l.System {
		all = append(all, [2]string{fmt.Sprintf("local.system[%d].column", i), v.Column})
	}
	for i, f := range s.Request.Fields {
		all = append(all, [2]string{fmt.Sprintf("request.fields[%d].column", i), f.Column})
	}
	return all
}

func (k *checker) table(where, table string, columns Columns, want [][2]string) error {
	have, found, err := columns(table)
	switch {
	case err != nil:
		return fmt.Errorf("mappings: columns of %s: %w", table, err)
	case !found:
		k.fault(where, "no-table", "value", table)
		return nil
	}
	for _, w := range want {
		if w[1] != "" && !containsFold(have, w[1]) {
			k.fault(w[0], "no-column", "table", table, "value", w[1])
		}
	}
	return nil
}
