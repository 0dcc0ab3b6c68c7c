package mappings

import (
	"fmt"
	"slices"
)

// Offices is the directory of departments and service centres with their
// hours (shared/offices.yaml and shared/offices-*.yaml).
type Offices struct {
	list  []Office
	hours []Hours
}

// Office is a department of a local body or a service centre. Where the
// Russian and the Kazakh list, or two lists, disagree, Note says so.
type Office struct {
	ID      string   `yaml:"id,required"`
	Kind    string   `yaml:"kind,required"`
	Name    Text     `yaml:"name,required"`
	Address Text     `yaml:"address"`
	Email   string   `yaml:"email"`
	Phones  []string `yaml:"phones"`
	Hours   string   `yaml:"hours,required"`
	Parent  string   `yaml:"parent"`
	Note    string   `yaml:"note"`
	Source  string   `yaml:"source"`
}

type officeFile struct {
	Hours   []Hours  `yaml:"hours,required"`
	Offices []Office `yaml:"offices,required"`
}

func readOffices(files []source) (*Offices, []Fault) {
	found := sharedFiles(files, "offices*")
	if len(found) == 0 {
		return nil, []Fault{{File: "shared/offices.yaml", Line: 1, Column: 1, Code: "missing-file"}}
	}
	o := &Offices{}
	var faults []Fault
	for _, f := range found {
		faults = append(faults, o.read(f)...)
	}
	return o, faults
}

// read adds one file of offices.
func (o *Offices) read(f source) []Fault {
	var of officeFile
	places, faults := decode(f.shown, f.data, &of)
	fault := func(path, code string, args ...any) {
		at := places[path]
		faults = append(faults, Fault{File: f.shown, Line: at.line, Column: at.column, Code: code, Path: path, args: args})
	}
	known := slices.Clone(o.list)
	knownHours := slices.Clone(o.hours)
	o.list, o.hours = append(o.list, of.Offices...), append(o.hours, of.Hours...)
	if len(faults) > 0 {
		return faults
	}
	for i, h := range of.Hours {
		path := fmt.Sprintf("hours[%d]", i)
		if !h.valid() {
			fault(path, "bad-hours", "value", h.ID)
		}
		if slices.ContainsFunc(append(knownHours, of.Hours[:i]...), func(x Hours) bool { return x.ID == h.ID }) {
			fault(path+".id", "repeated", "what", "id", "value", h.ID)
		}
	}
	for i, v := range of.Offices {
		path := fmt.Sprintf("offices[%d]", i)
		if slices.ContainsFunc(append(known, of.Offices[:i]...), func(x Office) bool { return x.ID == v.ID }) {
			fault(path+".id", "repeated", "what", "id", "value", v.ID)
		}
		if _, ok := o.hoursByID(v.Hours); !ok {
			fault(path+".hours", "unknown-name", "what", "hours", "value", v.Hours)
		}
		if v.Parent != "" && !slices.ContainsFunc(o.list, func(x Office) bool { return x.ID == v.Parent }) {
			fault(path+".parent", "unknown-name", "what", "office", "value", v.Parent)
		}
	}
	return faults
}

// All lists the offices in the order of the file.
func (o *Offices) All() []Office { return slices.Clone(o.list) }

// Office finds an office by id.
func (o *Offices) Office(id string) (Office, bool) {
	for _, v := range o.list {
		if v.ID == id {
			return v, true
		}
	}
	return Office{}, false
}

// Hours finds working hours by id.
func (o *Offices) Hours(id string) (Hours, bool) { return o.hoursByID(id) }

func (o *Offices) hoursByID(id string) (Hours, bool) {
	if o != nil {
		for _, h := range o.hours {
			if h.ID == id {
				return h, true
			}
		}
	}
	return Hours{}, false
}

// Actor is a system or a kind of people that makes steps (shared/actors.yaml
// and shared/actors-*.yaml).
type Actor struct {
	ID    string `yaml:"id,required"`
	Name  Text   `yaml:"name,required"`
	Short Text   `yaml:"short"`
	Kind  string `yaml:"kind,required"` // system, people
	Hours string `yaml:"hours"`         // of people
	// Offices is the kind of office that these people work in: its own hours
	// come first.
	Offices string `yaml:"offices"`
	// Site is the address on the Internet under which people reach a system.
	Site string `yaml:"site"`
}

// People says whether the actor is at work in office hours only.
func (a Actor) People() bool { return a.Kind == "people" }

type actorFile struct {
	Actors []Actor `yaml:"actors,required"`
}

func readActors(files []source) ([]Actor, []Fault) {
	found := sharedFiles(files, "actors*")
	if len(found) == 0 {
		return nil, []Fault{{File: "shared/actors.yaml", Line: 1, Column: 1, Code: "missing-file"}}
	}
	var all []Actor
	var faults []Fault
	for _, f := range found {
		var af actorFile
		_, fs := decode(f.shown, f.data, &af)
		all, faults = append(all, af.Actors...), append(faults, fs...)
	}
	return all, faults
}

// Sites are the systems that people reach by an address on the Internet.
func (s *Set) Sites() (all []Actor) {
	for _, a := range s.actors {
		if a.Site != "" {
			all = append(all, a)
		}
	}
	return all
}

// Actor finds an actor by id.
func (s *Set) Actor(id string) (Actor, bool) {
	for _, a := range s.actors {
		if a.ID == id {
			return a, true
		}
	}
	return Actor{}, false
}

// Hours gives the working hours that count for a step of an actor: those of
// the application's office when the actor works there, else the actor's own.
func (s *Set) Hours(actor, office string) (Hours, bool) {
	a, ok := s.Actor(actor)
	if !ok {
		return Hours{}, false
	}
	if o, ok := s.Offices.Office(office); ok && a.Offices == o.Kind {
		return s.Offices.hoursByID(o.Hours)
	}
	return s.Offices.hoursByID(a.Hours)
}

// CodeList is a closed list of codes with their names.
type CodeList struct {
	Name  string `yaml:",key"`
	Codes []Code `yaml:"codes,required"`
}

// Code is one value of a list.
type Code struct {
	Value string `yaml:",key"`
	Ru    string `yaml:"ru,required"`
	Kk    string `yaml:"kk,required"`
	En    string `yaml:"en"`
}

// Text gives the name of the code.
func (c Code) Text() Text { return Text{Ru: c.Ru, Kk: c.Kk, En: c.En} }

// Find finds a code by value.
func (l *CodeList) Find(value string) (Code, bool) {
	for _, c := range l.Codes {
		if c.Value == value {
			return c, true
		}
	}
	return Code{}, false
}

// CodesOfOffices is the name under which a field asks for the directory.
const CodesOfOffices = "offices"

type codeFile struct {
	Lists []CodeList `yaml:"lists,required"`
}

func (s *Set) readCodes(files []source) []Fault {
	var faults []Fault
	for _, f := range sharedFiles(files, "codes*") {
		var cf codeFile
		_, fs := decode(f.shown, f.data, &cf)
		faults = append(faults, fs...)
		for _, l := range cf.Lists {
			s.codes[l.Name] = &CodeList{Name: l.Name, Codes: l.Codes}
		}
	}
	if s.Offices != nil {
		for _, o := range s.Offices.list {
			name := CodesOfOffices + ":" + o.Kind
			if s.codes[name] == nil {
				s.codes[name] = &CodeList{Name: name}
			}
			s.codes[name].Codes = append(s.codes[name].Codes, Code{Value: o.ID, Ru: o.Name.Ru, Kk: o.Name.Kk, En: o.Name.En})
		}
	}
	return faults
}

// Codes finds a code list by name.
func (s *Set) Codes(name string) (*CodeList, bool) {
	l, ok := s.codes[name]
	return l, ok
}
