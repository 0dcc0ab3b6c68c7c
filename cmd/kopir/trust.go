package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"kopir/signature/nuc"
)

const trustUsage = `usage: kopir trust list|add|try|key [flags] [arguments]

What is trusted: certificate files (-trust) or a signed bundle (-bundle), which
names every root and issuing authority with its purpose and marks candidates:
roots that are tried in reports before they are trusted.

  kopir trust key  FILE                make an operator's key, or show its fingerprint to pin
  kopir trust list [flags]             what is trusted, until when, and the candidates
  kopir trust add  [flags] [FILE...]   write the next issue of a bundle
  kopir trust try  [flags] FILE...     judge recorded messages under two trusts; nothing is changed

` + "`kopir trust VERB -h` explains each.\n"

// runTrust is the verb with its own verbs.
func runTrust(ctx context.Context, args []string, s stdio) int {
	if len(args) == 0 {
		fmt.Fprint(s.err, trustUsage)
		return exitUsage
	}
	switch args[0] {
	case "list":
		return trustList(args[1:], s)
	case "add":
		return trustAdd(args[1:], s)
	case "try":
		return trustTry(ctx, args[1:], s)
	case "key":
		return trustKey(args[1:], s)
	}
	if isHelp(args[0]) || args[0] == "help" {
		fmt.Fprint(s.out, trustUsage)
		return exitPassed
	}
	s.complain("unknown command trust %q; it is list, add, try or key", args[0])
	return exitUsage
}

// trustSource reads the flags that name a trust, or a configuration instead.
type trustSource struct {
	trustFlags
	config string
}

func (f *trustSource) register(flags *flag.FlagSet) {
	f.trustFlags.register(flags)
	flags.StringVar(&f.config, "config", "", "`FILE` with a bridge's configuration: what it trusts")
}

func (f *trustSource) load() (*nuc.Trust, *nuc.Bundle, error) {
	if f.config == "" {
		return f.trustFlags.load()
	}
	l, faults := loadConfig(f.config)
	if l == nil {
		return nil, nil, fmt.Errorf("%s", faults[0].format(f.config))
	}
	m := &materials{}
	if faults = l.openTrust(m); len(faults) > 0 {
		return nil, nil, fmt.Errorf("%s", faults[0].format(f.config))
	}
	if m.trust == nil {
		return nil, nil, fmt.Errorf("%s: trust: is missing", f.config)
	}
	return m.trust, m.bundle, nil
}

// trustLine is one authority of `kopir trust list -json`.
type trustLine struct {
	Status   string    `json:"status"`
	Kind     string    `json:"kind"`
	Purpose  string    `json:"purpose"`
	Subject  string    `json:"subject"`
	SHA256   string    `json:"sha256"`
	From     time.Time `json:"not_before"`
	Until    time.Time `json:"not_after"`
	DaysLeft int       `json:"days_left"`
	Comment  string    `json:"comment,omitempty"`
}

func trustList(args []string, s stdio) int {
	flags := flag.NewFlagSet("trust list", flag.ContinueOnError)
	var source trustSource
	source.register(flags)
	asJSON := flags.Bool("json", false, "as JSON")
	flags.Usage = func() { usageOf(flags, "[flags]", "Lists what is trusted, how long it lasts, and the candidates.") }
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	if flags.NArg() > 0 {
		s.complain("trust list takes no arguments beside its flags")
		return exitUsage
	}
	t, b, err := source.load()
	if err != nil {
		s.complain("trust list: %s", oneLine(err))
		return exitUsage
	}
	now := time.Now()
	lines := []trustLine{}
	for _, e := range t.Entries() {
		c := e.Certificate
		lines = append(lines, trustLine{e.Status(), e.Kind(), e.Purpose.String(), c.SubjectName.String(), fmt.Sprintf("%x", c.Fingerprint),
			c.NotBefore, c.NotAfter, daysLeft(c, now), e.Comment})
	}
	if *asJSON {
		if err := printJSON(s.out, lines); err != nil {
			s.complain("trust list: %v", err)
			return exitUsage
		}
		return exitPassed
	}
	if b != nil {
		fmt.Fprintf(s.out, "issue %d of %s, signed by the key %s\n", b.Issue, b.Date.Format(time.DateOnly), b.Signer)
		if b.Comment != "" {
			fmt.Fprintln(s.out, b.Comment)
		}
	}
	printTrust(s.out, lines)
	return exitPassed
}

func printTrust(out io.Writer, lines []trustLine) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STATUS\tKIND\tPURPOSE\tDAYS LEFT\tUNTIL\tSHA-256\tSUBJECT")
	for _, l := range lines {
		subject := l.Subject
		if l.Comment != "" {
			subject += " (" + l.Comment + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", l.Status, l.Kind, l.Purpose, l.DaysLeft, l.Until.Format(time.DateOnly), l.SHA256[:16], subject)
	}
	w.Flush()
}
