package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
)

// printTour prints what was seen, as a table or as JSON.
func printTour(out io.Writer, seen []sight, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(seen)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "seen\tservice\tchannel\tway\tnumber\trow\tstates\tnotices\tresult\tground\tdue\ttime")
	lost := 0
	for _, s := range seen {
		mark := "✓"
		if s.Missing != "" {
			mark, lost = "✗", lost+1
		}
		due := ""
		if !s.Due.IsZero() {
			due = s.Due.In(almaty()).Format("02.01.2006 15:04")
		}
		fmt.Fprintln(w, strings.Join([]string{mark, s.Service, s.Channel, s.Way, cell(s.Number), cell(s.Row), cell(strings.Join(s.States, ">")),
			cell(strings.Join(s.Notices, ", ")), cell(s.Result), cell(s.Ground), cell(due), s.Took.Round(time.Millisecond).String()}, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range seen {
		if s.Missing != "" {
			fmt.Fprintf(out, "\n✗ %s/%s, %s: %s\n", s.Service, s.Channel, s.Way, s.Missing)
		}
	}
	_, err := fmt.Fprintf(out, "\n%d applications, %d as they should be, %d not\n", len(seen), len(seen)-lost, lost)
	return err
}

func cell(s string) string {
	if s == "" {
		return "-"
	}
	if utf8.RuneCountInString(s) > 90 {
		return string([]rune(s)[:89]) + "…"
	}
	return s
}
