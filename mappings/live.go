package mappings

import (
	"errors"
	"slices"
	"sync/atomic"
)

// liveCodes is a code list of the local database, as it was read last. Readers
// and the one who replaces it may meet.
type liveCodes struct {
	name string
	now  atomic.Pointer[codeSet]
}

type codeSet struct {
	list  CodeList
	codes map[string]struct{}
}

func newLiveCodes(l *Local) map[string]*liveCodes {
	all := map[string]*liveCodes{}
	for _, c := range l.Codes {
		all[c.Name] = &liveCodes{name: c.Name}
	}
	return all
}

func (l *liveCodes) has(code string) bool {
	now := l.now.Load()
	if now == nil {
		return false
	}
	_, ok := now.codes[code]
	return ok
}

func (l *liveCodes) list() *CodeList {
	if now := l.now.Load(); now != nil {
		return &now.list
	}
	return &CodeList{Name: l.name}
}

// SetCodes puts a code list of the local database in force. Codes must not be
// empty: a list without codes would refuse everybody.
func (s *Service) SetCodes(name string, codes []Code) error {
	l, ok := s.live[name]
	switch {
	case !ok:
		return errors.New("mappings: " + s.ID + " has no code list " + name + " in local.codes")
	case len(codes) == 0:
		return errors.New("mappings: the code list " + name + " of " + s.ID + " is empty")
	}
	set := &codeSet{list: CodeList{Name: name, Codes: slices.Clone(codes)}, codes: make(map[string]struct{}, len(codes))}
	for _, c := range codes {
		set.codes[c.Value] = struct{}{}
	}
	l.now.Store(set)
	return nil
}

// MissingCodes are the lists of the local database that were never read: until
// they are, no document of the service can be judged.
func (s *Service) MissingCodes() []string {
	var missing []string
	for _, c := range s.Local.Codes {
		if s.live[c.Name].now.Load() == nil {
			missing = append(missing, c.Name)
		}
	}
	return missing
}
