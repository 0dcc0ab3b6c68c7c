package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"kopir/gateway/bundle"
	"kopir/mappings"
	"kopir/signature/verdict"
)

// isBundleFile tells an evidence bundle from an archive of the chain: by its
// name, or because it begins as a container does.
func isBundleFile(path string) bool {
	if strings.HasSuffix(path, ".asice") {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 4)
	n, _ := io.ReadFull(f, head)
	return bytes.HasPrefix(head[:n], []byte("PK"))
}

// verifyBundle says what an evidence bundle proves.
func verifyBundle(path string, trust trustFlags, bin, lang string, asJSON bool, s stdio) int {
	roots, _, err := trust.load()
	if err != nil {
		s.complain("journal verify: %s", err)
		return exitUsage
	}
	raw, err := readFile(path, bundle.MaxSize)
	if err != nil {
		s.complain("journal verify: %s", err)
		return exitUsage
	}
	set, faults := mappings.Builtin()
	if len(faults) > 0 {
		s.complain("journal verify: %s", faults[0])
		return exitUsage
	}
	r := bundle.Verify(raw, bundle.Options{Trust: roots, BIN: bin})
	r.Words(set.Texts, lang)
	if asJSON {
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			s.complain("journal verify: %s", err)
			return exitUsage
		}
		fmt.Fprintf(s.out, "%s\n", b)
	} else {
		bundleWords{explainer{s.out, set.Texts, lang}, set}.print(r)
	}
	switch r.Outcome {
	case verdict.Passed:
		return exitPassed
	case verdict.Failed:
		return exitFailed
	}
	return exitIndeterminate
}

// bundleWords says it for people.
type bundleWords struct {
	explainer
	set *mappings.Set
}

func (e bundleWords) line(key string, pairs ...any) {
	fmt.Fprintln(e.w, e.say("bundle."+key, pairs...))
}

func (e bundleWords) time(t time.Time) string {
	return t.In(e.set.Calendar.Zone()).Format("02.01.2006 15:04:05 -07:00")
}

func (e bundleWords) print(r *bundle.Report) {
	fmt.Fprintf(e.w, "%s (%s)\n", e.say("bundle.outcome-"+r.Outcome.String()), r.Outcome)
	if r.Owner != "" {
		e.line("about", "number", r.Owner, "made", e.time(r.MadeAt), "by", r.MadeBy)
	}
	if r.ReceivedAt != nil {
		title, state := r.Service, r.State
		if s, ok := e.set.Edition(r.Service, r.Edition); ok {
			title = s.Title.In(e.lang)
		}
		if key := "state." + r.State; e.set.Texts.Has(key) {
			state = e.say(key)
		}
		e.line("received", "service", title, "edition", r.Edition, "at", e.time(*r.ReceivedAt), "state", state)
	}
	if r.Erased != nil {
		e.line("erased", "at", e.time(r.Erased.At), "by", r.Erased.By, "reason", r.Erased.Reason)
	}
	for _, s := range r.Seals {
		e.line("sealed-by", "signer", s)
	}
	switch {
	case r.SealedAt == nil:
	case r.Stamped:
		e.line("sealed-stamped", "record", r.Sealed, "at", e.time(*r.SealedAt))
	default:
		e.line("sealed-stated", "record", r.Sealed, "at", e.time(*r.SealedAt))
	}
	if r.Rows > 0 {
		e.line("counts", "files", r.Files, "records", r.Records, "rows", r.Rows, "deliveries", r.Deliveries)
	}
	for _, j := range r.Signatures {
		e.line("judged", "file", j.File, "kind", e.say("bundle.kind-"+j.Kind), "signer", dash(j.Signer), "at", e.time(j.At), "outcome", e.say("explain."+j.Outcome.String()))
		if r := j.Request; r != nil {
			e.line("request", "created", e.time(r.Created), "keyid", r.KeyID, "covered", strings.Join(r.Covered, ", "))
		}
		if j.Reason != verdict.None {
			fmt.Fprintf(e.w, "    %s (%s)\n", e.say("reason."+string(j.Reason)), j.Reason)
		}
	}
	if len(r.Readers) > 0 {
		e.line("readers", "names", strings.Join(r.Readers, ", "))
	}
	for _, f := range r.Faults {
		e.found("fault", f)
	}
	for _, f := range r.Doubts {
		e.found("doubt", f)
	}
}

func (e bundleWords) found(key string, f bundle.Fault) {
	where := f.File
	if where == "" {
		where = e.say("bundle.container")
	}
	e.line(key, "file", where, "say", f.Say)
}
