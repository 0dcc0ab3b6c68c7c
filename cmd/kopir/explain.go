package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/verdict"
)

// explainVerdict says in words of a language what the JSON says. Names and
// codes stay beside the sentences, so that both can be laid side by side;
// details are for engineers and stay as they are.
func explainVerdict(w io.Writer, v *signature.Verdict, lang string) error {
	set, faults := mappings.Builtin()
	if len(faults) > 0 {
		return faults[0]
	}
	e := explainer{w, set.Texts, lang}
	e.sum("", v.Outcome, v.Reason)
	for i := range v.Signatures {
		fmt.Fprintln(w)
		e.signature(i+1, &v.Signatures[i])
	}
	return nil
}

type explainer struct {
	w     io.Writer
	texts *mappings.Texts
	lang  string
}

func (e explainer) say(key string, pairs ...any) string { return e.texts.Get(e.lang, key, pairs...) }

// sum says an outcome and why.
func (e explainer) sum(head string, o verdict.Outcome, r verdict.Reason) {
	fmt.Fprintf(e.w, "%s%s (%s)\n", head, e.say("explain."+o.String()), o)
	if r != verdict.None {
		fmt.Fprintf(e.w, "  %s (%s)\n", e.say("reason."+string(r)), r)
	}
}

func (e explainer) signature(number int, s *signature.SignatureVerdict) {
	e.sum(e.say("explain.signature", "number", number)+": ", s.Outcome, s.Reason)
	if len(s.Signed) > 0 {
		e.row("explain.covers", strings.Join(s.Signed, ", "))
	}
	if s.Certificate != nil {
		who := s.Signer()
		e.row("explain.signer", who.CN+", "+e.say("explain.number", "iin", dash(who.IIN), "bin", dash(who.BIN)))
	}
	if s.Stamp != nil {
		e.row("explain.stamp", s.Stamp.At.UTC().Format(time.RFC3339))
	}
	for _, c := range s.Checks {
		e.check(c)
	}
}

func (e explainer) row(key, value string) {
	fmt.Fprintf(e.w, "  %s %s\n", pad(e.say(key)), value)
}

func (e explainer) check(c verdict.Check) {
	key := "explain.unknown"
	switch {
	case c.Skipped:
		key = "explain.skipped"
	case c.Outcome == verdict.Passed:
		key = "explain.yes"
	case c.Outcome == verdict.Failed:
		key = "explain.no"
	}
	e.row(key, e.say("check."+c.Name)+" ("+c.Name+")")
	if c.Reason != verdict.None {
		fmt.Fprintf(e.w, "  %s %s (%s)\n", pad(""), e.say("reason."+string(c.Reason)), c.Reason)
	}
	if c.Detail != "" {
		fmt.Fprintf(e.w, "  %s %s\n", pad(""), c.Detail)
	}
}

// pad fills a word of any alphabet up to the column of the values.
func pad(s string) string { return s + strings.Repeat(" ", max(0, 14-utf8.RuneCountInString(s))) }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
