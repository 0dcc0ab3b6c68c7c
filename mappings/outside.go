package mappings

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// CheckStories reports the services that have no accepted or no refused story,
// and their kinds of documents without any.
// A story is a folder SERVICE/CASE with in.xml; an accepted one has row.json
// beside it, a refused one verdict.json and no row. A further kind of document
// has one whose CASE begins with its name.
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
		for i, m := range v.Messages {
			if !slices.ContainsFunc(cases, func(c string) bool { return strings.HasPrefix(path.Base(path.Dir(c)), m.Kind) }) {
				k.fault(fmt.Sprintf("messages[%d].kind", i), "no-story", "value", m.Kind, "folder", v.ID)
			}
		}
		faults = append(faults, k.faults...)
	}
	sortFaults(faults)
	return faults
}
