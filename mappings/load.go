package mappings

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
)

// Set is everything that was read: services and what they share.
type Set struct {
	Texts    *Texts
	Calendar *Calendar
	Offices  *Offices

	Questionnaire *Questionnaire

	services []*Service
	actors   []Actor
	codes    map[string]*CodeList
	papers   map[string]*Paper
}

// layer is one folder of descriptions; a later layer replaces files of an
// earlier one by name.
type layer struct {
	fsys fs.FS
	name string // put before file names in faults; empty for the built-in ones
}

// Builtin reads the descriptions inside the binary.
func Builtin() (*Set, []Fault) { return load(layer{fsys: builtin}) }

// LoadDir reads the built-in descriptions and over them those of a folder,
// whose files have the same names: service files at its top, shared/*.yaml
// below. A file of the folder replaces the built-in file of the same name.
// Any fault means that the set must not be used.
func LoadDir(dir string) (*Set, []Fault) {
	if dir == "" {
		return Builtin()
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, []Fault{{File: dir, Code: "no-folder", Path: dir}}
	}
	own := layer{fsys: os.DirFS(dir), name: dir}
	set, faults := load(layer{fsys: builtin}, own)
	// A folder misspelt must not pass for one in order.
	if files, unread := collect([]layer{own}); len(files) == 0 && len(unread) == 0 {
		faults = append(faults, Fault{File: dir, Line: 1, Column: 1, Code: "no-yaml", Path: dir})
	}
	return set, faults
}

// Load reads the built-in descriptions and over them those of fsys.
func Load(fsys fs.FS) (*Set, []Fault) {
	return load(layer{fsys: builtin}, layer{fsys: fsys})
}

// source is one file as the layers leave it.
type source struct {
	name  string // slash path inside the layer
	shown string // in faults
	data  []byte
}

func load(layers ...layer) (*Set, []Fault) {
	files, faults := collect(layers)
	set := &Set{codes: map[string]*CodeList{}}
	var fs []Fault
	set.Texts, fs = readTexts(files)
	faults = append(faults, fs...)
	set.Offices, fs = readOffices(files)
	faults = append(faults, fs...)
	set.Calendar, fs = readCalendar(files)
	faults = append(faults, fs...)
	set.Questionnaire, fs = readQuestionnaire(files)
	faults = append(faults, fs...)
	set.actors, fs = readActors(files)
	faults = append(faults, fs...)
	fs = set.readCodes(files)
	faults = append(faults, fs...)
	set.papers, fs = readPapers(files)
	faults = append(faults, fs...)
	faults = append(faults, set.readServices(files)...)
	faults = append(faults, set.checkTogether()...)
	sortFaults(faults)
	if len(faults) == 0 {
		for _, s := range set.services {
			s.linkKinds()
		}
	}
	return set, faults
}

// readServices reads all descriptions, several at a time: they are most of
// what a start takes, and none needs another.
func (s *Set) readServices(files []source) []Fault {
	files = slices.DeleteFunc(slices.Clone(files), func(f source) bool { return strings.Contains(f.name, "/") })
	s.services = make([]*Service, len(files))
	found := make([][]Fault, len(files))
	var wait sync.WaitGroup
	for i, f := range files {
		wait.Go(func() { s.services[i], found[i] = s.readService(f) })
	}
	wait.Wait()
	return slices.Concat(found...)
}

// readService reads and judges one description by itself.
func (s *Set) readService(f source) (*Service, []Fault) {
	v := &Service{file: f.shown, source: f.data, codes: s.codes, papers: s.papers, texts: s.Texts}
	var faults []Fault
	// A description that does not read cannot be judged further.
	if v.places, faults = decode(f.shown, f.data, v); len(faults) == 0 {
		v.live = newLiveCodes(&v.Local)
		for i := range v.Channels {
			if c := &v.Channels[i]; c.Work != "" {
				c.work, _ = v.Channel(c.Work)
			}
		}
		faults = s.checkService(v, f.name)
	}
	return v, faults
}

// collect gathers *.yaml and shared/*.yaml of all layers, the last one winning.
func collect(layers []layer) ([]source, []Fault) {
	var faults []Fault
	found := map[string]source{}
	for _, l := range layers {
		for _, pattern := range []string{"*.yaml", "shared/*.yaml"} {
			names, err := fs.Glob(l.fsys, pattern)
			if err != nil {
				faults = append(faults, unreadable(l.name, err))
			}
			for _, name := range names {
				shown := name
				if l.name != "" {
					shown = path.Join(l.name, name)
				}
				data, err := fs.ReadFile(l.fsys, name)
				if err != nil {
					faults = append(faults, unreadable(shown, err))
					continue
				}
				found[name] = source{name, shown, data}
			}
		}
		// A description named .yml would be silently left out.
		if strays, _ := fs.Glob(l.fsys, "*.yml"); len(strays) > 0 {
			for _, name := range strays {
				faults = append(faults, Fault{File: path.Join(l.name, name), Line: 1, Column: 1, Code: "file-ending"})
			}
		}
	}
	var files []source
	for _, name := range slices.Sorted(maps.Keys(found)) {
		files = append(files, found[name])
	}
	return files, faults
}

func unreadable(file string, err error) Fault {
	detail := err.Error()
	var p *fs.PathError
	if errors.As(err, &p) {
		detail = p.Err.Error()
	}
	return Fault{File: file, Line: 1, Column: 1, Code: "unreadable", args: []any{"detail", detail}}
}

// sharedFiles picks shared/NAME.yaml, or shared/NAME-*.yaml with a star.
func sharedFiles(files []source, pattern string) []source {
	var out []source
	for _, f := range files {
		if ok, _ := path.Match("shared/"+pattern+".yaml", f.name); ok {
			out = append(out, f)
		}
	}
	return out
}

func loadTexts(layers []layer) (*Texts, []Fault) {
	files, faults := collect(layers)
	t, more := readTexts(files)
	return t, append(faults, more...)
}

func readTexts(files []source) (*Texts, []Fault) {
	t := &Texts{byKey: map[string]Text{}}
	var faults []Fault
	for _, f := range sharedFiles(files, "texts-*") {
		var tf textFile
		places, fs := decode(f.shown, f.data, &tf)
		faults = append(faults, fs...)
		for _, e := range tf.Entries {
			key := tf.Texts + "." + e.Key
			text := Text{Ru: e.Ru, Kk: e.Kk, En: e.En}
			at := places["entries."+e.Key]
			if _, twice := t.byKey[key]; twice {
				faults = append(faults, Fault{File: f.shown, Line: at.line, Column: at.column, Code: "repeated-text", args: []any{"key", key}})
				continue
			}
			if code, names := differ(text); code != "" {
				faults = append(faults, Fault{File: f.shown, Line: at.line, Column: at.column, Code: code, Path: key, args: []any{"names", names}})
			}
			t.byKey[key] = text
			t.keys = append(t.keys, key)
		}
	}
	return t, faults
}

// Services lists all descriptions by file name: of a service with several
// editions, all of them.
func (s *Set) Services() []*Service { return slices.Clone(s.services) }

// Only gives the set with these services and no others, for a bridge that does
// not offer all of them. unknown lists the ids that are none of the set's.
func (s *Set) Only(ids []string) (only *Set, unknown []string) {
	some := *s
	some.services = slices.DeleteFunc(slices.Clone(s.services), func(v *Service) bool { return !slices.Contains(ids, v.ID) })
	for _, id := range ids {
		if _, ok := s.Service(id); !ok {
			unknown = append(unknown, id)
		}
	}
	return &some, unknown
}

// Service finds a description by its name; the bare id of a service means its
// first edition. What belongs to an application asks Edition, and what comes in
// InForce or Offered.
func (s *Set) Service(name string) (*Service, bool) {
	for _, v := range s.services {
		if v.Name() == name {
			return v, true
		}
	}
	return s.Edition(name, "")
}

// ByGateway finds the service that a serviceId of an envelope names, in its
// first edition.
func (s *Set) ByGateway(serviceID string) (*Service, bool) {
	for _, v := range s.services {
		if v.answers(serviceID) {
			return s.Edition(v.ID, "")
		}
	}
	return nil, false
}
