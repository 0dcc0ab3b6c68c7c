package mappings

import (
	"path"
	"slices"
	"strings"
	"time"
)

// InForce bounds the days of filing for which an edition applies, both
// included, in the country's time. Without from: since ever. Without to: until
// the service's next edition begins, or for good.
type InForce struct {
	From Date `yaml:"from"`
	To   Date `yaml:"to"`
}

// Name is what tells this description from all others: its file's name
// without the ending. It is the service's id, and for further editions of a
// service the id with @ and the day from which it is in force.
func (s *Service) Name() string { return strings.TrimSuffix(path.Base(s.file), ".yaml") }

// From is the first day of filing of this edition; zero: since ever.
func (s *Service) From() Date {
	if s.InForce == nil {
		return Date{}
	}
	return s.InForce.From
}

// Until is the last day of filing of this edition; zero: none is in sight. An
// edition that names no end of its own ends where the next one begins.
func (s *Service) Until() Date { return s.until }

// on says whether applications filed on a day fall under this edition.
func (s *Service) on(d Date) bool {
	return compare(s.From(), d) <= 0 && (s.until.IsZero() || compare(d, s.until) <= 0)
}

// Editions lists all descriptions of a service in the order in which they come into force.
func (s *Set) Editions(id string) []*Service {
	all := slices.DeleteFunc(slices.Clone(s.services), func(v *Service) bool { return v.ID != id })
	slices.SortStableFunc(all, func(a, b *Service) int { return compare(a.From(), b.From()) })
	return all
}

// Edition finds the description under which an application was filed. Without
// an edition it gives the service's first.
func (s *Set) Edition(id, edition string) (*Service, bool) {
	for _, v := range s.Editions(id) {
		if v.Edition == edition || edition == "" {
			return v, true
		}
	}
	return nil, false
}

// InForce finds the edition of a service for what is filed at a time.
func (s *Set) InForce(id string, at time.Time) (*Service, bool) {
	return s.inForce(at, func(v *Service) bool { return v.ID == id })
}

// Offered finds the edition in force at a time of the service that a serviceId
// of an envelope names.
func (s *Set) Offered(serviceID string, at time.Time) (*Service, bool) {
	return s.inForce(at, func(v *Service) bool { return v.answers(serviceID) })
}

func (s *Set) inForce(at time.Time, which func(*Service) bool) (*Service, bool) {
	day := dateOf(at.In(s.Calendar.Zone()))
	i := slices.IndexFunc(s.services, func(v *Service) bool { return which(v) && v.on(day) })
	if i < 0 {
		return nil, false
	}
	return s.services[i], true
}

// Offers lists the services as they are in force at a time.
func (s *Set) Offers(at time.Time) []*Service {
	day := dateOf(at.In(s.Calendar.Zone()))
	return slices.DeleteFunc(slices.Clone(s.services), func(v *Service) bool { return !v.on(day) })
}

// Watched lists the descriptions whose tables are to be watched for status
// changes: of those that keep their statuses in the same columns the first.
func (s *Set) Watched() []*Service {
	var all []*Service
	for _, v := range s.services {
		if !slices.ContainsFunc(all, v.SharesStatus) {
			all = append(all, v)
		}
	}
	return all
}

// SharesStatus says whether another description keeps its statuses in the same
// columns of the same table.
func (s *Service) SharesStatus(o *Service) bool {
	return strings.EqualFold(s.Local.Table, o.Local.Table) && s.Local.Key == o.Local.Key && s.Local.Status == o.Local.Status
}

// linkEditions ends each edition where the next begins, and finds days that
// belong to two editions or to none.
func (s *Set) linkEditions() []Fault {
	var faults []Fault
	for _, v := range s.services {
		if v.InForce != nil {
			v.until = v.InForce.To
		}
	}
	for i, v := range s.services {
		all := s.Editions(v.ID)
		if all[0].ID == "" || slices.IndexFunc(s.services, func(w *Service) bool { return w.ID == v.ID }) < i {
			continue // it did not read, or was looked at with its first
		}
		for j, e := range all[1:] {
			before := all[j]
			k := &checker{set: s, s: e}
			if slices.ContainsFunc(all[:j+1], func(o *Service) bool { return o.Edition == e.Edition }) {
				k.fault("edition", "edition-taken", "value", e.Edition, "other", before.file)
			}
			last := previousDay(e.From())
			switch {
			case compare(before.From(), e.From()) == 0, !before.until.IsZero() && compare(before.until, last) > 0:
				k.fault("in_force.from", "editions-overlap", "value", e.From(), "other", before.file)
			case before.until.IsZero():
				before.until = last
			case compare(before.until, last) < 0:
				k.fault("in_force.from", "editions-gap", "value", e.From(), "other", before.file, "last", before.until)
			}
			faults = append(faults, k.faults...)
		}
	}
	return faults
}

// editionFile checks the name of a description's file: SERVICE.yaml, or
// SERVICE@DAY.yaml with the day from which it is in force.
func (k *checker) editionFile(name string) {
	want, day, several := strings.Cut(strings.TrimSuffix(path.Base(name), ".yaml"), "@")
	if k.s.ID != want {
		k.fault("service", "file-name", "value", k.s.ID, "want", want)
	}
	if several && k.s.From().String() != day {
		k.fault("in_force.from", "edition-file", "value", day)
	}
	if f := k.s.InForce; f != nil && !f.To.IsZero() && compare(f.To, f.From) < 0 {
		k.fault("in_force.to", "dates-order")
	}
}

func previousDay(d Date) Date {
	return dateOf(time.Date(d.Year, d.Month, d.Day-1, 0, 0, 0, 0, time.UTC))
}

// answers says whether a serviceId of an envelope means this service.
func (s *Service) answers(serviceID string) bool {
	return s.Gateway.ServiceID == serviceID || slices.Contains(s.Gateway.Aliases, serviceID)
}

// Source is the text of the description as it was read.
func (s *Service) Source() []byte { return s.source }

// ParseService reads one description by itself, for what it says of the form of
// documents. What it shares with others is not there, and it is not judged.
func ParseService(source []byte) (*Service, []Fault) {
	s := &Service{source: source}
	_, faults := decode("", source, s)
	return s, faults
}
