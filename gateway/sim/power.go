package sim

import (
	_ "embed"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

//go:embed testdata/enis.yaml
var shapeYAML []byte

// ShapeYAML is the shape of the notaries' registry that is played here without
// another: for a bridge that shall ask it.
func ShapeYAML() []byte { return slices.Clone(shapeYAML) }

// powers are the powers of attorney that the notaries' registry knows.
type powers struct {
	mu   sync.Mutex
	list []Power
}

// find gives the one of a number, or another one.
func (p *powers) find(number string, other bool) (Power, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.list {
		if (one.Number == number) != other {
			return one, true
		}
	}
	return Power{}, false
}

// put adds one, in place of another of the same number.
func (p *powers) put(one Power) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(slices.DeleteFunc(p.list, func(old Power) bool { return old.Number == one.Number }), one)
	if len(p.list) > maxPowers {
		p.list = slices.Delete(p.list, 0, 1)
	}
}

// maxPowers bounds what is remembered of them; the oldest go first.
const maxPowers = 5_000

// AddPower lets the notaries' registry know a power of attorney.
func (s *Sim) AddPower(p Power) error {
	for _, key := range []string{p.Principal, p.Representative} {
		if _, ok := s.Person(key); !ok && len(key) != 12 {
			return fmt.Errorf("there is no person %q; an IIN has twelve digits", key)
		}
	}
	for _, date := range []string{p.Date, p.ValidUntil} {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return fmt.Errorf("%q is no date; write for example 2026-01-12", date)
		}
	}
	if p.Number == "" || !slices.Contains([]string{"", "revoked", "expired"}, p.State) {
		return fmt.Errorf("a power of attorney needs a number, and a state that is empty, revoked or expired")
	}
	s.powers.put(p)
	return nil
}

func (s *Sim) getPowers(w http.ResponseWriter, _ *http.Request) {
	s.powers.mu.Lock()
	list := slices.Clone(s.powers.list)
	s.powers.mu.Unlock()
	writeJSON(w, http.StatusOK, list)
}

func (s *Sim) postPower(w http.ResponseWriter, r *http.Request) {
	var p Power
	if !readJSON(w, r, &p) {
		return
	}
	if err := s.AddPower(p); err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	writeJSON(w, http.StatusCreated, p)
}
