package mappings

import (
	"fmt"
	"slices"
	"strings"
)

// RegistryUse says which registry is asked, in which channel, at which step,
// and what its answer means for the application.
type RegistryUse struct {
	ID       string    `yaml:"id,required"` // see RegistryIDs
	Channels []string  `yaml:"channels,required"`
	Step     int       `yaml:"step,required"`
	Field    string    `yaml:"field,required"`   // whose value is asked for; empty in an application: not asked
	NoData   string    `yaml:"no_data,required"` // refusal when the registry knows nothing
	Invalid  string    `yaml:"invalid"`          // refusal when what it knows does not hold (revoked, expired, of others)
	Consent  string    `yaml:"consent"`          // field by which the person agrees; without it nothing is asked
	Compare  []Compare `yaml:"compare"`
	Show     []string  `yaml:"show"` // further facts that the specialist may see
}

// Compare sets a fact of the registry beside a field of the application. A
// difference is told to the specialist; with Else it is a ground for the
// refusal Invalid, and Else is its reason (texts-registry.yaml).
type Compare struct {
	Fact  string `yaml:"fact,required"`
	Field string `yaml:"field,required"`
	Else  string `yaml:"else"`
}

// In says whether the registry is asked in a channel.
func (u *RegistryUse) In(channel string) bool { return slices.Contains(u.Channels, channel) }

// Shows says whether a fact belongs to what the form needs: the rest of an
// answer stays in the evidence.
func (u *RegistryUse) Shows(fact string) bool {
	return slices.Contains(u.Show, fact) || slices.ContainsFunc(u.Compare, func(c Compare) bool { return c.Fact == fact })
}

// Registry finds what a service asks of a registry in a channel.
func (s *Service) Registry(id, channel string) (*RegistryUse, bool) {
	for i := range s.Registries {
		if u := &s.Registries[i]; u.ID == id && u.In(channel) {
			return u, true
		}
	}
	return nil, false
}

// The registries that can be asked.
const (
	Persons  = "gbd-fl" // state database of natural persons, by IIN
	Entities = "gbd-ul" // state database of legal entities, by BIN
	Notaries = "enis"   // unified notarial information system, by the number of a power of attorney
)

// registryKind is one registry: the type of what it is asked about, and the
// facts that it may answer with, each with the type of a field to compare with
// (empty: none).
type registryKind struct {
	id, asks string
	facts    []registryFact
}

type registryFact struct{ name, kind string }

var registryKinds = []registryKind{
	{Persons, "iin", []registryFact{
		{"iin", "iin"}, {"surname", "string"}, {"given_name", "string"}, {"patronymic", "string"}, {"birth_date", "date"},
		{"gender", ""}, {"citizenship", ""}, {"life_status", ""}, {"address", "string"}, {"address_since", ""}, {"document", ""},
	}},
	{Entities, "bin", []registryFact{
		{"bin", "bin"}, {"name_ru", "string"}, {"name_kk", "string"}, {"status", ""}, {"registered", "date"}, {"leader_iin", "iin"}, {"address", "string"},
	}},
	{Notaries, "string", []registryFact{
		{"number", "string"}, {"date", "date"}, {"valid_from", "date"}, {"valid_until", "date"}, {"principal_iin", "iin"}, {"representative_iin", "iin"},
		{"notary", "string"}, {"scope", "string"},
	}},
}

// RegistryIDs lists the registries that a description may name.
func RegistryIDs() (ids []string) {
	for _, k := range registryKinds {
		ids = append(ids, k.id)
	}
	return ids
}

// RegistryFacts lists the facts of a registry; nil of one that is not known.
func RegistryFacts(id string) (names []string) {
	for _, k := range registryKinds {
		if k.id != id {
			continue
		}
		for _, f := range k.facts {
			names = append(names, f.name)
		}
	}
	return names
}

func (k *checker) registries() {
	for i := range k.s.Registries {
		k.registry(fmt.Sprintf("registries[%d]", i), &k.s.Registries[i])
	}
}

func (k *checker) registry(at string, r *RegistryUse) {
	k.channelNames(at+".channels", r.Channels)
	for _, id := range r.Channels {
		if c, ok := k.s.Channel(id); ok {
			if _, ok := c.Step(r.Step); !ok {
				k.fault(at+".step", "unknown-step", "value", r.Step, "channel", id)
			}
		}
	}
	k.refusal(at+".no_data", r.NoData)
	if r.Invalid != "" {
		k.refusal(at+".invalid", r.Invalid)
	}
	i := slices.IndexFunc(registryKinds, func(x registryKind) bool { return x.id == r.ID })
	if i < 0 {
		k.oneOf(at+".id", r.ID, RegistryIDs()...)
		return
	}
	kind := registryKinds[i]
	k.registryField(at+".field", r.Field, kind.asks)
	if r.Consent != "" {
		f, ok := k.s.Field(r.Consent)
		if !ok || f.Type != "bool" || f.Optional || !slices.Contains(f.Rules, "is-true") || slices.ContainsFunc(r.Channels, func(c string) bool { return !f.In(c) }) {
			k.fault(at+".consent", "bad-consent", "value", r.Consent)
		}
	}
	for j, c := range r.Compare {
		w := fmt.Sprintf("%s.compare[%d]", at, j)
		if n := slices.IndexFunc(kind.facts, func(f registryFact) bool { return f.name == c.Fact && f.kind != "" }); n < 0 {
			k.fault(w+".fact", "unknown-name", "what", "fact of "+r.ID+" to compare", "value", c.Fact)
		} else {
			k.registryField(w+".field", c.Field, kind.facts[n].kind)
		}
		switch {
		case c.Else == "":
		case !k.s.texts.Has("registry."+c.Else) || !strings.HasPrefix(c.Else, "other-"):
			k.fault(w+".else", "unknown-name", "what", "reason", "value", c.Else)
		case r.Invalid == "":
			k.fault(w+".else", "no-invalid", "value", c.Else)
		}
	}
	if r.ID == Notaries && r.Invalid == "" {
		k.fault(at, "no-invalid", "value", r.ID)
	}
	for j, name := range r.Show {
		k.oneOf(fmt.Sprintf("%s.show[%d]", at, j), name, RegistryFacts(r.ID)...)
	}
}

func (k *checker) registryField(where, name, kind string) {
	switch f, ok := k.s.Field(name); {
	case !ok:
		k.fault(where, "unknown-name", "what", "field", "value", name)
	case f.Type != kind:
		k.fault(where, "registry-field", "value", name, "type", f.Type, "want", kind)
	}
}
