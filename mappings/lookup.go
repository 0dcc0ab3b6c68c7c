package mappings

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// File is the name of the file the description was read from.
func (s *Service) File() string { return s.file }

// Channel finds a channel by id.
func (s *Service) Channel(id string) (*Channel, bool) {
	for i := range s.Channels {
		if s.Channels[i].ID == id {
			return &s.Channels[i], true
		}
	}
	return nil, false
}

// SignerFields are the fields whose value must be the signer's number in a
// channel: one of them.
func (s *Service) SignerFields(channel string) []string {
	fields := []string{s.SignerField(channel)}
	if c, ok := s.Channel(channel); ok && c.SignsToo != "" {
		fields = append(fields, c.SignsToo)
	}
	return fields
}

// SignerField is the field whose value is the signer's number in a channel by rule.
func (s *Service) SignerField(channel string) string {
	if c, ok := s.Channel(channel); ok && c.Signer != "" {
		return c.Signer
	}
	return s.Request.Signer
}

// Field finds a field by name: of the document, or of another form of the application.
func (s *Service) Field(name string) (*Field, bool) {
	if f, ok := s.Request.field(name); ok || s.message != nil {
		return f, ok
	}
	for i := range s.Messages {
		if f, ok := s.Messages[i].Request.field(name); ok && s.Messages[i].Does == Apply {
			return f, true
		}
	}
	return nil, false
}

func (r *Request) field(name string) (*Field, bool) {
	for i := range r.Fields {
		if r.Fields[i].Name == name {
			return &r.Fields[i], true
		}
	}
	return nil, false
}

// Status finds the row of a state.
func (s *Service) Status(state string) (Status, bool) {
	for _, r := range s.Statuses {
		if r.State == state {
			return r, true
		}
	}
	return Status{}, false
}

// StatusByLocal finds the row of a code in the local database.
func (s *Service) StatusByLocal(code string) (Status, bool) {
	for _, r := range s.Statuses {
		if r.Local == code {
			return r, true
		}
	}
	return Status{}, false
}

// StatusByName finds the row of a status name in either language, in any of
// its spellings and in any case.
func (s *Service) StatusByName(name string) (Status, bool) {
	same := func(v string) bool { return strings.EqualFold(v, name) }
	for _, r := range s.Statuses {
		if same(r.Name.Ru) || same(r.Name.Kk) || slices.ContainsFunc(r.Variants, same) {
			return r, true
		}
	}
	return Status{}, false
}

// Result finds a result by id.
func (s *Service) Result(id string) (Result, bool) {
	for _, r := range s.Results {
		if r.ID == id {
			return r, true
		}
	}
	return Result{}, false
}

// Shape finds the outgoing document of a partner.
func (s *Service) Shape(partner string) (*Shape, bool) {
	for i := range s.Notices {
		if s.Notices[i].Partner == partner {
			return &s.Notices[i], true
		}
	}
	return nil, false
}

// Refusal gives the regulated message of refusal in a channel, with the ground
// of the condition that failed there, or the refusal's own, or the one given.
func (s *Service) Refusal(id, channel string, ground Text) (Text, bool) {
	for _, r := range s.Refusals {
		if r.ID != id {
			continue
		}
		if ground.IsZero() {
			ground = r.Ground
			if c, ok := s.Channel(channel); ok {
				for _, k := range c.Conditions {
					if k.Refusal == id {
						ground = k.Ground
					}
				}
			}
		}
		text := r.Text.FillText("ground", ground)
		return Text{Ru: upperFirst(text.Ru), Kk: upperFirst(text.Kk), En: upperFirst(text.En)}, true
	}
	return Text{}, false
}

// NeedsGround says whether a refusal has no ground of its own in a channel, so
// that who refuses must give it in words.
func (s *Service) NeedsGround(id, channel string) bool {
	const mark = "\x00"
	none, _ := s.Refusal(id, channel, Text{})
	probe, _ := s.Refusal(id, channel, Text{Ru: mark, Kk: mark})
	return strings.Contains(probe.Ru, mark) && strings.ReplaceAll(probe.Ru, mark, "") == none.Ru
}

// Terms is the channel whose steps' terms run for applications of this one:
// itself, or the one that its key work names.
func (c *Channel) Terms() *Channel {
	if c.work != nil {
		return c.work
	}
	return c
}

// Running gives the steps that are made one after the other while an
// application is in a state: those after the step that led to it, up to the
// next with an outcome of its own. Their terms add up to the term of the
// state; the last one names it. Where no step leads to the state (the office
// channel has no acceptance), the steps of the state before go on. The steps
// of a refusal are another way out and not counted. Empty after the last one.
func (c *Channel) Running(state string) []Step {
	c = c.Terms()
	switch state {
	case Extended, Suspended:
		state = InProgress
	case Held:
		// The legal clock does not wait for a check of ours.
		state = Received
	}
	order, reached := States(), -1
	for _, s := range c.Steps {
		if s.LeadsTo != "" && slices.Index(order, s.LeadsTo) <= slices.Index(order, state) {
			reached = s.No
		}
	}
	var run []Step
	for _, s := range c.Steps {
		switch {
		case s.No <= reached || s.Does == stepRefusal:
		case s.LeadsTo != "":
			if reached < 0 {
				return []Step{s} // what comes before an application is ours is no term of it
			}
			return append(run, s)
		default:
			run = append(run, s)
		}
	}
	return nil
}

// Open gives the step that ends a state: the last of those running in it.
func (c *Channel) Open(state string) (Step, bool) {
	run := c.Running(state)
	if len(run) == 0 {
		return Step{}, false
	}
	return run[len(run)-1], true
}

// Forwarding is the step by which an application of the akim channel goes back
// from the provider to the akim, or, there, the akim's signature under the
// covering letter. False where the akim forwards nothing.
func (c *Channel) Forwarding(back bool) (Step, bool) {
	i := slices.IndexFunc(c.Steps, func(s Step) bool { return s.Does == "forwarding" })
	if c.ID != "akim" || i < 0 {
		return Step{}, false
	}
	if !back {
		i = slices.IndexFunc(c.Steps, func(s Step) bool { return s.Does == "document_signing" })
	}
	return c.Steps[max(i, 0)], true
}

// Step finds a step of a channel by number.
func (c *Channel) Step(no int) (Step, bool) {
	for _, s := range c.Steps {
		if s.No == no {
			return s, true
		}
	}
	return Step{}, false
}

// upperFirst begins a sentence: in Kazakh the ground comes first, and grounds
// are written as parts of a sentence.
func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}
