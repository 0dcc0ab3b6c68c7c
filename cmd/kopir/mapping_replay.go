package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"kopir/gateway/store"
	"kopir/mappings"
)

// replayFlags are those of `kopir mapping test -replay`.
type replayFlags struct {
	from, against string
	json, values  bool
}

func (r *replayFlags) add(flags *flag.FlagSet) {
	flags.StringVar(&r.from, "replay", "", "recorded messages instead of FILE: a `FOLDER` of them, or the database file of a bridge (*.db), which is only read")
	flags.StringVar(&r.against, "against", "", "with -replay, the `FOLDER` of the descriptions in use (default: those of -dir for SERVICE@DAY, else the built-in ones)")
	flags.BoolVar(&r.json, "json", false, "with -replay, print JSON")
	flags.BoolVar(&r.values, "show-values", false, "with -replay, print values: personal data")
}

// oldMessage is one recorded message that is tried again.
type oldMessage struct {
	name    string
	channel string
	at      time.Time
	raw     []byte
}

// replayed is what became of one message.
type replayed struct {
	Message string            `json:"message"`
	Channel string            `json:"channel"`
	Before  replayedBy        `json:"before"`
	After   replayedBy        `json:"after"`
	Changes []mappings.Change `json:"changes"`
	Unread  []string          `json:"unread"` // known before, and not any more
	Refused bool              `json:"refused"`
	Lost    bool              `json:"lost"`
	diff    *mappings.Difference
}

// replayedBy is the answer of one description.
type replayedBy struct {
	Edition  string   `json:"edition"`
	Accepted bool     `json:"accepted"`
	Faults   []string `json:"faults"` // path and rule
}

// replay tries a description on recorded messages and shows what it makes of
// them otherwise than the one in force. Nothing is written, and no signature
// is judged. Status: 0 nothing is lost or refused, 1 something is, 2 wrong use.
func (m *mappingRun) replay() int {
	after, ok := m.service()
	if !ok {
		return exitUsage
	}
	before, ok := m.standing(after)
	if !ok {
		return exitUsage
	}
	var all []replayed
	count := struct {
		Messages  int `json:"messages"`
		Same      int `json:"same"`
		Different int `json:"different"`
		Lost      int `json:"lost"`
		Refused   int `json:"refused"`
		Others    int `json:"others"` // of other services, or no applications
	}{}
	err := m.recordings(after, func(r oldMessage) {
		d, err := unwrap(r.raw)
		if err != nil || !d.isOf(before) && !d.isOf(after) {
			count.Others++
			return
		}
		diff := mappings.CompareReadings(before.Kind(r.channel, d.root).Read(d.root, r.channel, r.at), after.Kind(r.channel, d.root).Read(d.root, r.channel, r.at))
		count.Messages++
		if diff.Same() {
			count.Same++
			return
		}
		count.Different++
		one := replayed{Message: r.name, Channel: r.channel, Before: answer(before, diff.Before), After: answer(after, diff.After),
			Changes: orEmpty(diff.Changes), Unread: orEmpty(diff.Unread), Refused: diff.Refused(), Lost: diff.Lost(), diff: diff}
		if one.Lost {
			count.Lost++
		}
		if one.Refused {
			count.Refused++
		}
		if !m.again.values {
			one.mask()
		}
		all = append(all, one)
	})
	if err != nil {
		m.complain("mapping test: -replay %s: %v", m.again.from, err)
		return exitUsage
	}
	if count.Messages == 0 {
		m.complain("mapping test: -replay %s: %s", m.again.from, m.say("replay-nothing", "service", after.ID, "others", count.Others))
		return exitUsage
	}
	if m.again.json {
		enc := json.NewEncoder(m.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(map[string]any{"messages": orEmpty(all), "summary": count}); err != nil {
			return exitUsage
		}
	} else {
		for _, r := range all {
			r.print(m.out)
		}
		fmt.Fprintln(m.out, m.say("replay-summary", "messages", count.Messages, "same", count.Same, "different", count.Different, "lost", count.Lost, "refused", count.Refused, "others", count.Others))
	}
	if count.Lost+count.Refused > 0 {
		return exitFailed
	}
	return exitPassed
}

// standing is the description that the new one is compared with.
func (m *mappingRun) standing(after *mappings.Service) (*mappings.Service, bool) {
	set := m.set
	switch {
	case m.again.against != "":
		var faults []mappings.Fault
		if set, faults = mappings.LoadDir(m.again.against); len(faults) > 0 {
			m.faults = faults
			m.report()
			return nil, false
		}
	case after.Name() == after.ID:
		set, _ = mappings.Builtin()
	}
	// The edition in force, and where the new one is in force already the one before it.
	s, ok := set.InForce(after.ID, m.at)
	if all := set.Editions(after.ID); set == m.set && (!ok || s == after) {
		i := slices.Index(all, after)
		if ok = i > 0; ok {
			s = all[i-1]
		}
	}
	if !ok {
		m.complain("mapping test: %s", m.say("replay-alone", "service", after.Name()))
	}
	return s, ok
}

// recordings hands on every recorded message, in the order of names or times.
func (m *mappingRun) recordings(s *mappings.Service, each func(oldMessage)) error {
	info, err := os.Stat(m.again.from)
	switch {
	case err != nil:
		return fmt.Errorf("%s", plainFileError(err))
	case !info.IsDir():
		r, err := store.ReadSQLite(context.Background(), m.again.from)
		if err != nil {
			return err
		}
		defer r.Close()
		return r.Messages(context.Background(), s.ID, func(k store.Kept) error {
			if k.Channel == "" {
				k.Channel = m.channel
			}
			each(oldMessage{name: k.ID, channel: k.Channel, at: k.At, raw: k.Raw})
			return nil
		})
	}
	files, err := filepath.Glob(filepath.Join(m.again.from, "*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.IsDir() {
			continue
		}
		raw, err := readXML(f, m.in)
		if err != nil {
			return err
		}
		each(oldMessage{name: filepath.Base(f), channel: m.channel, at: m.at, raw: raw})
	}
	return nil
}

// isOf says whether a message is for a service: by the serviceId of its
// envelope, a bare document by its root.
func (u unwrapped) isOf(s *mappings.Service) bool {
	if u.serviceID != "" {
		return s.Gateway.ServiceID == u.serviceID || slices.Contains(s.Gateway.Aliases, u.serviceID)
	}
	return slices.ContainsFunc(s.Kinds(), func(k *mappings.Service) bool { return u.root.Local() == k.Request.Data.Root.Name })
}

func answer(s *mappings.Service, r *mappings.Reading) replayedBy {
	by := replayedBy{Edition: s.Edition, Accepted: len(r.Faults) == 0, Faults: []string{}}
	for _, f := range r.Faults {
		by.Faults = append(by.Faults, f.Path+" "+f.Rule)
	}
	return by
}

// mask leaves of each value its length.
func (r *replayed) mask() {
	hide := func(c *mappings.Cell) *mappings.Cell {
		if c == nil {
			return nil
		}
		return &mappings.Cell{Column: c.Column, Value: fmt.Sprintf("***(%d)", utf8.RuneCountInString(c.Value))}
	}
	for i := range r.Changes {
		r.Changes[i].Before, r.Changes[i].After = hide(r.Changes[i].Before), hide(r.Changes[i].After)
	}
}

func (r *replayed) print(w io.Writer) {
	verdict := func(b replayedBy) string {
		if b.Accepted {
			return "accepted"
		}
		return "refused (" + strings.Join(b.Faults, ", ") + ")"
	}
	cell := func(c *mappings.Cell) string {
		if c == nil {
			return "-"
		}
		return strings.TrimSpace(c.Column + " " + c.Value)
	}
	fmt.Fprintf(w, "%s\n  %s: %s\n  %s: %s\n", r.Message, r.Before.Edition, verdict(r.Before), r.After.Edition, verdict(r.After))
	for _, c := range r.Changes {
		fmt.Fprintf(w, "  %-6s %s: %s -> %s\n", c.Kind, c.Field, cell(c.Before), cell(c.After))
	}
	for _, p := range r.Unread {
		fmt.Fprintf(w, "  %-6s %s\n", "unread", p)
	}
}
