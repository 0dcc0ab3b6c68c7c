package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"kopir/mappings"
)

// show prints one service as a person reads it: what is asked for, what is
// told, and who does what by when.
func (m *mappingRun) show() int {
	s, ok := m.service()
	if !ok {
		return exitUsage
	}
	if m.paper != "" {
		return m.preview(s, m.paper, m.result)
	}
	in := func(t mappings.Text) string { return t.In(m.lang) }
	w := tabwriter.NewWriter(m.out, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t")) }
	head := func(keys ...string) {
		for i, k := range keys {
			if k != "" {
				keys[i] = m.say(k)
			}
		}
		row(append([]string{" "}, keys...)...)
	}
	section := func(title string) { row(); row(title) }

	row(in(s.Title))
	row()
	row(m.say("edition"), s.Edition, inForce(s))
	if s.Act != nil {
		row(m.say("act"), fmt.Sprintf("%s (%s, %s)", in(s.Act.Title), s.Act.Number, s.Act.Date))
	}
	row(m.say("gateway"), s.Gateway.ServiceID)
	row(m.say("provider"), in(s.Provider.Name))
	row(m.say("table"), s.Local.Table)
	row(m.say("file"), s.File())

	section(m.say("fields"))
	head("head-name", "head-path", "head-type", "head-column", "head-label")
	for _, f := range s.Request.Fields {
		label := in(f.Label)
		if f.Optional {
			label += " (" + m.say("optional") + ")"
		}
		if len(f.Channels) > 0 {
			label += " [" + strings.Join(f.Channels, ", ") + "]"
		}
		row(" ", f.Name, f.Path, f.Type, f.Column, label)
	}
	for _, g := range s.Request.Groups {
		section(fmt.Sprintf("%s %s [%d…%d]: %s", in(g.Label), g.Path, g.MinCount, g.MaxCount, g.Table))
		for _, f := range g.Fields {
			row(" ", g.Name+"."+f.Name, f.Path, f.Type, f.Column, in(f.Label))
		}
	}
	if len(s.Request.Attachments) > 0 {
		section(m.say("attachments"))
		for _, a := range s.Request.Attachments {
			row(" ", a.Name, a.Path, a.MaxSize.String(), strings.Join(a.Types, " "), in(a.Label))
		}
	}
	section(m.say("statuses"))
	head("head-state", "table", "", "", "head-label")
	for _, r := range s.Statuses {
		row(" ", r.State, r.Local, "portal "+orDash(r.Portal), "csc "+orDash(r.CSC), in(r.Name))
	}
	if len(s.Inward) > 0 {
		section(m.say("inward"))
		for _, r := range s.Inward {
			row(" ", r.From, r.Code, r.Does, orDash(r.Refusal), in(r.Name))
		}
	}
	for _, k := range s.Messages {
		section(fmt.Sprintf("%s %s (%s): %s", m.say("kind"), k.Kind, k.Does, in(k.Label)))
		for _, f := range k.Request.Fields {
			row(" ", f.Name, f.Path, f.Type, orDash(f.Column), in(f.Label))
		}
	}
	section(m.say("results"))
	for _, r := range s.Results {
		row(" ", r.ID, r.State, in(r.Name))
	}
	section(m.say("refusals"))
	for _, r := range s.Refusals {
		row(" ", r.ID, in(r.Text))
	}
	for _, c := range s.Channels {
		section(fmt.Sprintf("%s %s: %s; %s: %s", m.say("channel"), c.ID, in(c.Name), m.say("signed-by"), m.actor(c.SignedBy)))
		head("head-step", "head-actor", "head-within", "head-action")
		for _, st := range c.Steps {
			state := ""
			if st.LeadsTo != "" {
				if r, ok := s.Status(st.LeadsTo); ok {
					state = " → " + in(r.Name)
				}
			}
			row(" ", fmt.Sprint(st.No), m.actor(st.Actor), m.term(st.Within), in(st.Action)+state)
		}
	}
	if err := w.Flush(); err != nil {
		return exitUsage
	}
	return exitPassed
}

func (m *mappingRun) actor(id string) string {
	a, _ := m.set.Actor(id)
	if short := a.Short.In(m.lang); short != "" {
		return short
	}
	return a.Name.In(m.lang)
}

func (m *mappingRun) term(t mappings.Term) string {
	if t.IsZero() {
		return m.say("none")
	}
	return m.say("unit-"+strings.TrimLeft(t.String(), "0123456789"), "n", t.N)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
