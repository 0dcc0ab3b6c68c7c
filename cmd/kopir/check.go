package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"time"
)

// runCheck prints every fault of a configuration and of what it names.
// Exit status: 0 none, 1 some, 2 the file cannot be read or wrong use.
func runCheck(ctx context.Context, args []string, s stdio) int {
	file, code, ok := configFlag("check", "Tells every fault of a configuration and of the keys, certificates, mappings and databases that it names.", args, s)
	if !ok {
		return code
	}
	l, faults := loadConfig(file)
	if l == nil {
		s.complain("%s", faults[0].format(file))
		return exitUsage
	}
	now := time.Now()
	m, more := l.open(now)
	defer m.close()
	for _, e := range m.endings(now) {
		if e.within > 0 {
			m.notes = append(m.notes, e.String()+"; ask for its successor now")
		}
	}
	faults = append(append(faults, more...), l.probe(ctx, m)...)
	slices.SortStableFunc(faults, func(a, b fault) int { return a.Line - b.Line })
	for _, n := range m.notes {
		fmt.Fprintf(s.err, "note: %s: %s\n", file, n)
	}
	if len(faults) > 0 {
		for _, f := range faults {
			fmt.Fprintln(s.err, f.format(file))
		}
		s.complain("%d fault%s", len(faults), plural(len(faults)))
		return exitFailed
	}
	fmt.Fprintf(s.out, "%s: no fault\n", file)
	for _, k := range m.keys.Standing(now) {
		fmt.Fprintf(s.out, "key       %s, %s, %d days left (until %s)\n", k.Certificate.Subject.CN, k.State, daysLeft(k.Certificate, now), k.Certificate.NotAfter.Format(time.DateOnly))
	}
	if m.bundle != nil {
		fmt.Fprintf(s.out, "bundle    issue %d of %s, %d candidates\n", m.bundle.Issue, m.bundle.Date.Format(time.DateOnly), len(m.trust.Hits()))
	}
	fmt.Fprintf(s.out, "trust     %d roots, %d authorities, %d known certificates\n", len(m.trust.Roots()), len(m.trust.Authorities()), len(m.known))
	for _, v := range m.set.Services() {
		fmt.Fprintf(s.out, "service   %s (%s)\n", v.Name(), v.Edition)
	}
	fmt.Fprintf(s.out, "senders   %d\n", len(l.Senders))
	fmt.Fprintf(s.out, "api keys  %d\n", len(l.APIKeys))
	return exitPassed
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// configFlag reads the flags of the verbs that take a configuration alone.
func configFlag(verb, does string, args []string, s stdio) (file string, code int, ok bool) {
	f := flag.NewFlagSet(verb, flag.ContinueOnError)
	path := f.String("config", "", "`FILE` with the configuration; testdata/config/kopir.yaml is a commented example")
	f.Usage = func() { usageOf(f, "-config FILE", does) }
	if code, ok := parseFlags(f, args, s); !ok {
		return "", code, false
	}
	switch {
	case *path == "":
		s.complain("%s needs -config FILE", verb)
	case f.NArg() > 0:
		s.complain("%s takes no arguments beside its flags", verb)
	default:
		return *path, exitPassed, true
	}
	return "", exitUsage, false
}
