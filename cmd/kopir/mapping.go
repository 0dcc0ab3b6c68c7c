package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"kopir/mappings"
	"kopir/signature/xmltree"
)

// mappingVerb is one of `kopir mapping VERB`.
type mappingVerb struct {
	name, arguments, summary string
	run                      func(m *mappingRun) int
}

var mappingVerbs = []mappingVerb{
	{"list", "", "the services: name, gateway id, channels, edition, days in force, title", (*mappingRun).list},
	{"check", "", "every fault of the descriptions, with its place and what to do", (*mappingRun).check},
	{"show", "SERVICE", "one service as tables: fields, kinds of documents, statuses both ways, steps and terms", (*mappingRun).show},
	{"new", "", "a first description from an XML schema or from messages, with what to decide marked", (*mappingRun).describe},
	{"test", "SERVICE FILE|-", "what a document becomes: its kind, row, attachments and faults, as JSON; with -replay, what recorded messages become otherwise than in force", (*mappingRun).test},
}

// mappingRun is what the verbs share.
type mappingRun struct {
	stdio
	dir, stories, lang, channel string
	paper, result               string // of show: a file for a preview, and of which result
	at                          time.Time
	args                        []string
	set                         *mappings.Set
	faults                      []mappings.Fault
	new                         newFlags
	again                       replayFlags
}

// runMapping shows and checks service descriptions. Status: 0 in order, 1
// faults were found, 2 wrong use or unreadable input.
func runMapping(_ context.Context, args []string, s stdio) int {
	if len(args) == 0 {
		mappingUsage(s.err)
		return exitUsage
	}
	if isHelp(args[0]) {
		mappingUsage(s.out)
		return exitPassed
	}
	for _, v := range mappingVerbs {
		if v.name == args[0] {
			return v.start(args[1:], s)
		}
	}
	s.complain("mapping: unknown command %q; it is list, check, show, new or test", args[0])
	return exitUsage
}

func mappingUsage(w io.Writer) {
	fmt.Fprintln(w, "usage: kopir mapping COMMAND [flags] [arguments]")
	fmt.Fprintln(w)
	for _, v := range mappingVerbs {
		fmt.Fprintf(w, "  %-22s %s\n", strings.TrimSpace(v.name+" "+v.arguments), v.summary)
	}
}

func (v mappingVerb) start(args []string, s stdio) int {
	m := &mappingRun{stdio: s}
	flags := flag.NewFlagSet("mapping "+v.name, flag.ContinueOnError)
	flags.StringVar(&m.dir, "dir", "", "`FOLDER` with your own descriptions, read over the built-in ones")
	lang := flags.String("lang", "", "language: ru, kk or en (default by LANG)")
	at := ""
	switch v.name {
	case "check":
		flags.StringVar(&m.stories, "stories", "", "`FOLDER` of stories: SERVICE/CASE/in.xml, with row.json where accepted and verdict.json where refused, and KIND…/in.xml for each kind of messages (default: stories in the folder of -dir)")
	case "new":
		m.new.add(flags)
	case "show":
		flags.StringVar(&m.paper, "paper", "", "instead, print a result with sample data into this PDF `FILE`")
		flags.StringVar(&m.result, "result", "", "with -paper: `ID` of the result (default: the service's first)")
	case "test":
		flags.StringVar(&m.channel, "channel", "portal", "`CHANNEL` by which the document came")
		m.again.add(flags)
		flags.StringVar(&at, "at", "", "time of receipt, `RFC3339` (default: now)")
	}
	flags.Usage = func() {
		usageOf(flags, strings.TrimSpace("[flags] "+v.arguments), v.summary+".")
	}
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	m.args = flags.Args()
	want := len(strings.Fields(v.arguments))
	if m.again.from != "" {
		want = 1 // the messages stand for FILE
	}
	if len(m.args) != want {
		s.complain("mapping %s: %d arguments, want %d: %s", v.name, len(m.args), want, v.arguments)
		return exitUsage
	}
	var ok bool
	if m.lang, ok = mappingLanguage(*lang, s.env); !ok {
		s.complain("mapping %s: unknown language %q; it is ru, kk or en", v.name, *lang)
		return exitUsage
	}
	m.at = time.Now()
	if at != "" {
		var err error
		if m.at, err = time.Parse(time.RFC3339, at); err != nil {
			s.complain("mapping %s: -at %q is not a time such as 2026-01-31T09:00:00+05:00", v.name, at)
			return exitUsage
		}
	}
	m.set, m.faults = mappings.LoadDir(m.dir)
	if m.set == nil {
		m.complain("mapping %s: %s. %s.", v.name, m.faults[0].Message(m.lang), m.faults[0].Remedy(m.lang))
		return exitUsage
	}
	if v.name != "check" && len(m.faults) > 0 {
		return m.report()
	}
	return v.run(m)
}

// mappingLanguage takes the flag, else the language of the environment, else English.
func mappingLanguage(flag string, env func(string) string) (string, bool) {
	switch flag {
	case mappings.Russian, mappings.Kazakh, mappings.English:
		return flag, true
	case "":
	default:
		return "", false
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			for _, lang := range []string{mappings.Russian, mappings.Kazakh} {
				if v == lang || strings.HasPrefix(v, lang+"_") || strings.HasPrefix(v, lang+".") {
					return lang, true
				}
			}
			break
		}
	}
	return mappings.English, true
}

func (m *mappingRun) say(key string, pairs ...any) string {
	return m.set.Texts.Get(m.lang, "mapping."+key, pairs...)
}

// report prints the faults, one a line, on standard error.
func (m *mappingRun) report() int {
	for _, f := range m.faults {
		fmt.Fprintln(m.err, f.In(m.lang))
	}
	m.complain("%s", m.say("faults", "count", len(m.faults)))
	return exitFailed
}

func (m *mappingRun) check() int {
	stories := m.stories
	if stories == "" && m.dir != "" {
		if info, err := os.Stat(filepath.Join(m.dir, "stories")); err == nil && info.IsDir() {
			stories = filepath.Join(m.dir, "stories")
		}
	}
	if stories != "" {
		if _, err := os.Stat(stories); err != nil {
			m.complain("mapping check: -stories %s: no such folder", stories)
			return exitUsage
		}
		m.faults = append(m.faults, m.set.CheckStories(os.DirFS(stories))...)
	}
	if len(m.faults) > 0 {
		return m.report()
	}
	fmt.Fprintln(m.out, m.say("clean", "services", len(m.set.Services()), "texts", len(m.set.Texts.Keys())))
	// A deadline set in December can fall into the next year.
	for _, y := range []int{m.at.Year(), m.at.Year() + 1} {
		switch known, confirmed := m.set.Calendar.Known(y); {
		case !known:
			fmt.Fprintln(m.err, m.say("missing-year", "year", y))
		case !confirmed:
			fmt.Fprintln(m.err, m.say("unconfirmed-year", "year", y))
		}
	}
	return exitPassed
}

func (m *mappingRun) list() int {
	w := tabwriter.NewWriter(m.out, 0, 0, 2, ' ', 0)
	for _, s := range m.set.Services() {
		var channels []string
		for _, c := range s.Channels {
			channels = append(channels, c.ID)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Name(), s.Gateway.ServiceID, strings.Join(channels, ","), s.Edition, inForce(s), s.Title.In(m.lang))
	}
	if err := w.Flush(); err != nil {
		return exitUsage
	}
	return exitPassed
}

// inForce writes the days of filing of an edition: 2026-01-01…2026-12-31, open
// where there is no end.
func inForce(s *mappings.Service) string {
	day := func(d mappings.Date) string {
		if d.IsZero() {
			return ""
		}
		return d.String()
	}
	return day(s.From()) + "…" + day(s.Until())
}

// service finds the service that the first argument names.
func (m *mappingRun) service() (*mappings.Service, bool) {
	s, ok := m.set.Service(m.args[0])
	if !ok {
		var known []string
		for _, v := range m.set.Services() {
			known = append(known, v.ID)
		}
		m.complain("mapping: %s", m.say("no-service", "value", m.args[0], "known", strings.Join(known, ", ")))
	}
	return s, ok
}

// mappingResult is what `kopir mapping test` prints.
type mappingResult struct {
	Service     string                `json:"service"`
	Edition     string                `json:"edition"`
	Channel     string                `json:"channel"`
	Kind        string                `json:"kind"` // of the document: application, or one of messages
	Accepted    bool                  `json:"accepted"`
	Row         mappings.Row          `json:"row"`
	Attachments []mappings.Attachment `json:"attachments"`
	Faults      []mappings.FieldFault `json:"faults"`
	Remarks     []mappings.FieldFault `json:"remarks"`
	Unknown     []string              `json:"unknown"`
}

func (m *mappingRun) test() int {
	if m.again.from != "" {
		return m.replay()
	}
	s, ok := m.service()
	if !ok {
		return exitUsage
	}
	if _, ok := s.Channel(m.channel); !ok {
		var known []string
		for _, c := range s.Channels {
			known = append(known, c.ID)
		}
		m.complain("mapping test: %s", m.say("no-channel", "value", m.channel, "known", strings.Join(known, ", ")))
		return exitUsage
	}
	src, err := readXML(m.args[1], m.in)
	if err != nil {
		m.complain("mapping test: %v", err)
		return exitUsage
	}
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		m.complain("mapping test: %s: %v", m.args[1], err)
		return exitUsage
	}
	s = s.Kind(m.channel, doc.Root())
	got := s.Read(doc.Root(), m.channel, m.at)
	result := mappingResult{
		Service: s.ID, Edition: s.Edition, Channel: m.channel, Kind: s.KindName(), Accepted: len(got.Faults) == 0, Row: got.Row,
		Attachments: orEmpty(got.Attachments), Faults: orEmpty(got.Faults), Remarks: orEmpty(got.Remarks), Unknown: orEmpty(got.Unknown),
	}
	enc := json.NewEncoder(m.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(result); err != nil {
		return exitUsage
	}
	if !result.Accepted {
		return exitFailed
	}
	return exitPassed
}

// orEmpty makes JSON print an empty list instead of null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
