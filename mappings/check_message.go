package mappings

import (
	"fmt"
	"slices"
	"strings"
)

// messages checks the further kinds of documents, each as the request is
// checked, and that no two can be taken for each other.
func (k *checker) messages() {
	if w := k.s.Request.When; w != nil {
		k.path("request.when.path", w.Path, k.s.Request.Data)
	}
	names := map[string]bool{applicationKind: true}
	for i := range k.s.Messages {
		m := &k.s.Messages[i]
		at := fmt.Sprintf("messages[%d]", i)
		k.name(at+".kind", m.Kind)
		k.repeated(names, at+".kind", "kind", m.Kind)
		k.channelNames(at+".channels", m.Channels)
		if !k.oneOf(at+".does", m.Does, Moves()...) {
			continue
		}
		k.kind(at, m)
		k.alike(i)
	}
	k.inward()
}

// kind checks one further kind: its document by the rules of requests, and the
// keys that what it does needs.
func (k *checker) kind(at string, m *Message) {
	sub := &checker{set: k.set, s: k.s.asKind(m), in: at + "."}
	sub.data("request.data", m.Request.Data)
	if w := m.Request.When; w != nil {
		sub.path("request.when.path", w.Path, m.Request.Data)
	}
	sub.fields()
	sub.attachments()
	k.faults = append(k.faults, sub.faults...)
	if len(m.Request.Groups) > 0 || m.Does != Apply && len(m.Request.Attachments) > 0 {
		k.fault(at+".request", "kind-parts", "value", m.Does)
	}
	if m.Does == Apply {
		k.otherForm(at, m)
		return
	}
	for _, need := range []struct {
		key, field string
		must       bool
	}{
		{"number", m.Number, true},
		{"applicant", m.Applicant, slices.Contains([]string{Withdraw, Correct, Repeat}, m.Does)},
		{"code", m.Code, m.Does == ByStatus},
	} {
		f, ok := sub.s.Field(need.field)
		switch {
		case need.field == "" && need.must:
			k.fault(at, "missing-key", "key", need.key)
		case need.field != "" && (!ok || f.Optional):
			k.fault(at+"."+need.key, "unknown-name", "what", "required field", "value", need.field)
		}
	}
	k.withdrawal(at, m.Does, m.Refusal)
	if m.Does == Correct {
		k.corrections(at, m)
	}
	if m.Does == ByStatus && !slices.ContainsFunc(k.s.Inward, func(r Inward) bool { return m.In(r.From) }) {
		k.fault(at, "no-inward", "value", m.Kind)
	}
}

// withdrawal checks that what ends an application says under which refusal.
func (k *checker) withdrawal(at, does, refusal string) {
	known := slices.ContainsFunc(k.s.Refusals, func(r Refusal) bool { return r.ID == refusal })
	switch {
	case does != Withdraw && refusal == "":
	case does != Withdraw || !known:
		k.fault(at+".refusal", "unknown-name", "what", "refusal of a withdrawal", "value", refusal)
	}
}

// otherForm checks that another form of the application fits its table: a field
// of the same name is the same column.
func (k *checker) otherForm(at string, m *Message) {
	for j, f := range m.Request.Fields {
		for _, o := range k.s.ApplicationFields() {
			same := o.Name == f.Name
			if alike := o.Column == f.Column && o.Type == f.Type && o.Entity == f.Entity; same && !alike || !same && o.Entity == f.Entity && strings.EqualFold(o.Column, f.Column) {
				k.fault(fmt.Sprintf("%s.request.fields[%d].column", at, j), "kind-column", "value", f.Column, "field", o.Name)
				break
			}
		}
	}
}

// corrections checks that what a correction brings can be replaced: a value of
// the application's own row on which nothing else hangs.
func (k *checker) corrections(at string, m *Message) {
	for j, f := range m.Request.Fields {
		if m.Names(f.Name) {
			continue
		}
		o, ok := k.s.Field(f.Name)
		if !ok || o.Type != f.Type || o.Entity != "" || o.Codes == CodesOfOffices || o.Name == k.s.Request.Signer || o.Name == k.s.Numbering.Linked {
			k.fault(fmt.Sprintf("%s.request.fields[%d].name", at, j), "not-correctable", "value", f.Name)
		}
	}
}

// Names says whether a field tells which application is meant and by whom, and
// is no value of it.
func (m *Message) Names(field string) bool {
	return field == m.Number || field == m.Applicant || field == m.Code || field == m.Request.Signer
}

// alike finds an earlier kind that a document of this one could be taken for.
func (k *checker) alike(i int) {
	m := &k.s.Messages[i]
	others := []*Message{{Kind: applicationKind, Request: k.s.Request}}
	for j := range i {
		others = append(others, &k.s.Messages[j])
	}
	for _, o := range others {
		a, b := m.Request, o.Request
		meet := slices.ContainsFunc(k.s.Channels, func(c Channel) bool { return m.In(c.ID) && o.In(c.ID) })
		apart := a.When != nil && b.When != nil && a.When.Path == b.When.Path && a.When.Value != b.When.Value
		if meet && !apart && a.Data.Root.Name == b.Data.Root.Name && a.Data.Root.NS == b.Data.Root.NS {
			k.fault(fmt.Sprintf("messages[%d].request.data.root", i), "kind-ambiguous", "value", m.Kind, "other", o.Kind)
		}
	}
}

// inward checks the vocabularies of partners: one meaning a code, and a
// message that brings it.
func (k *checker) inward() {
	for i, r := range k.s.Inward {
		at := fmt.Sprintf("inward[%d]", i)
		k.channelNames(at+".from", []string{r.From})
		if k.oneOf(at+".does", r.Does, CodeMoves()...) {
			k.withdrawal(at, r.Does, r.Refusal)
		}
		for _, o := range k.s.Inward[:i] {
			if o.From == r.From && o.Code == r.Code {
				k.fault(at+".code", "inward-ambiguous", "value", r.Code, "from", r.From, "other", o.Does)
			}
		}
		if !slices.ContainsFunc(k.s.Messages, func(m Message) bool { return m.Does == ByStatus && m.In(r.From) }) {
			k.fault(at+".from", "inward-unread", "value", r.From)
		}
	}
}
