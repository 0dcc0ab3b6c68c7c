package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"kopir/gateway/journal"
	"kopir/gateway/store"
	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/nuc"
)

// runJournal verifies and exports the chain of records.
// Exit status: 0 it holds, 1 it does not, 2 wrong use or unreadable input.
func runJournal(ctx context.Context, args []string, s stdio) int {
	const usage = "usage: kopir journal verify [flags] FILE...    archives, without network or database\n" +
		"       kopir journal verify -config FILE     the store of a bridge: the chain, and every row it speaks of\n" +
		"       kopir journal export -config FILE     the whole chain as an archive\n"
	switch {
	case len(args) == 1 && isHelp(args[0]):
		io.WriteString(s.out, usage)
		return exitPassed
	case len(args) > 0 && args[0] == "verify":
		return runJournalVerify(ctx, args[1:], s)
	case len(args) > 0 && args[0] == "export":
		return runJournalExport(ctx, args[1:], s)
	}
	s.complain("journal needs one of verify, export; `kopir journal -h` shows them")
	return exitUsage
}

// journalFinding is what verify prints.
type journalFinding struct {
	Outcome     string       `json:"outcome"` // intact or broken
	Fault       string       `json:"fault,omitempty"`
	First       int64        `json:"first"`
	Last        int64        `json:"last"`
	Head        journal.Hash `json:"head"`
	Checkpoints int          `json:"checkpoints"`
	Sealed      int64        `json:"sealed"` // last record under a checkpoint
	SealedAt    *time.Time   `json:"sealed_at,omitempty"`
	Stamped     bool         `json:"stamped"`
	Signers     []string     `json:"signers,omitempty"`
	Audit       *store.Audit `json:"audit,omitempty"`
}

func (f *journalFinding) take(c journal.Chain) {
	f.Last, f.Head, f.Sealed, f.Stamped = c.Seq, c.Head, c.Sealed, c.Stamped
	if c.Sealed > 0 {
		f.SealedAt = &c.SealedAt
	}
}

func runJournalVerify(ctx context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("journal verify", flag.ContinueOnError)
	var trust trustFlags
	trust.register(f)
	config := f.String("config", "", "`FILE` with the configuration of a bridge: verify its store instead of archives")
	bin := f.String("bin", "", "`BIN` of the organisation whose key must have signed the checkpoints; default: with -config that of the bridge's key, else any")
	asJSON := f.Bool("json", false, "print JSON")
	f.Usage = func() {
		usageOf(f, "[flags] [FILE...]", "Verifies the chain of records. Several archives are parts of one chain, in their order. What lies before the last checkpoint\ncan have been neither changed nor cut off; what follows it is chained, no more.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if (*config == "") == (f.NArg() == 0) {
		s.complain("journal verify needs either -config FILE or the archives")
		return exitUsage
	}
	found := journalFinding{First: 1}
	var err error
	if *config != "" {
		err = found.verifyStore(ctx, *config, *bin)
	} else {
		err = found.verifyArchives(ctx, f.Args(), trust, *bin)
	}
	var broken *journal.Fault
	switch {
	case errors.As(err, &broken):
		found.Fault = broken.Error()
	case err != nil:
		s.complain("journal verify: %s", err)
		return exitUsage
	}
	found.Outcome = "intact"
	if found.Fault != "" || found.Audit != nil && len(found.Audit.Faults) > 0 {
		found.Outcome = "broken"
	}
	if *asJSON {
		b, err := json.MarshalIndent(found, "", "  ")
		if err != nil {
			s.complain("journal verify: %s", err)
			return exitUsage
		}
		fmt.Fprintf(s.out, "%s\n", b)
	} else {
		found.print(s.out)
	}
	if found.Outcome != "intact" {
		return exitFailed
	}
	return exitPassed
}

func (f *journalFinding) print(w io.Writer) {
	fmt.Fprintf(w, "%s: records %d to %d, %d checkpoints\n", f.Outcome, f.First, f.Last, f.Checkpoints)
	if f.Fault != "" {
		fmt.Fprintf(w, "first fault: %s\n", f.Fault)
	}
	switch {
	case f.Sealed == 0:
		fmt.Fprintln(w, "no checkpoint: that nothing was cut off at the end, or all written anew, is not proven")
	case f.Stamped:
		fmt.Fprintf(w, "up to record %d proven to have stood at %s, by a time stamp\n", f.Sealed, f.SealedAt.Format(time.RFC3339))
	default:
		fmt.Fprintf(w, "up to record %d signed, at %s by the signer's own word\n", f.Sealed, f.SealedAt.Format(time.RFC3339))
	}
	if f.Sealed > 0 && f.Sealed < f.Last {
		fmt.Fprintf(w, "%d records after that are chained only\n", f.Last-f.Sealed)
	}
	for _, s := range f.Signers {
		fmt.Fprintf(w, "signed by %s\n", s)
	}
	if a := f.Audit; a != nil {
		fmt.Fprintf(w, "%d rows of the store are as they were recorded, %d are erased, %d are older than the journal\n", a.Rows, a.Erased, a.Older)
		for _, fault := range a.Faults {
			fmt.Fprintf(w, "fault: %s\n", fault)
		}
	}
}

// judge believes checkpoints of an organisation whose certificate leads to a
// root. Whether it was revoked since does not matter to what was signed before;
// a checkpoint without a time stamp is judged at the time that it states.
func (f *journalFinding) judge(ctx context.Context, trust *nuc.Trust, bin string) journal.Judge {
	v := signature.Verifier{Trust: trust, Revoke: signature.RevokeOff}
	seen := map[string]bool{}
	return func(signed []byte) ([]byte, time.Time, error) {
		got := v.CMS(ctx, signed, nil, signature.Want{At: time.Now(), AtStamp: true, BIN: bin})
		content, ok := got.Content()
		var stamp time.Time
		if ok {
			stamp = got.Signatures[0].Stamp.At
		} else if stated, err := statedTime(signed); err == nil {
			again := v.CMS(ctx, signed, nil, signature.Want{At: stated, BIN: bin})
			if content, ok = again.Content(); ok {
				got = again
			}
		}
		if !ok {
			return nil, stamp, fmt.Errorf("%s %s", got.Outcome, got.Reason)
		}
		who := got.Signatures[0].Signer()
		if name := who.CN + " " + who.BIN + ", certificate " + who.Serial; !seen[name] {
			seen[name] = true
			f.Signers = append(f.Signers, name)
		}
		return content.Bytes(), stamp, nil
	}
}

// statedTime is when the signer of a checkpoint says that it was made.
func statedTime(signed []byte) (time.Time, error) {
	var m journal.Mark
	message, err := cms.Parse(signed)
	if err == nil {
		err = json.Unmarshal(message.Content, &m)
	}
	return m.At, err
}

func (f *journalFinding) verifyArchives(ctx context.Context, paths []string, trust trustFlags, bin string) error {
	roots, _, err := trust.load()
	if err != nil {
		return err
	}
	judge := f.judge(ctx, roots, bin)
	var chain *journal.Chain
	for i, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return errors.New(path + ": " + plainFileError(err))
		}
		rep, err := journal.Verify(file, chain, judge, nil)
		file.Close()
		if i == 0 {
			f.First = rep.First
		}
		f.Checkpoints += rep.Checkpoints
		chain = &rep.Chain
		f.take(rep.Chain)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (f *journalFinding) verifyStore(ctx context.Context, config, bin string) error {
	st, m, err := openConfigured(ctx, config)
	if err != nil {
		return err
	}
	defer st.Close()
	if bin == "" {
		bin = m.keys.Signing(time.Now()).Certificate.Subject.BIN
	}
	judge := f.judge(ctx, m.trust, bin)
	var chain journal.Chain
	err = st.Journal(ctx, 0, "", func(l store.Link) error {
		if err := chain.Add(l.Body, l.Hash); err != nil {
			return err
		}
		if l.Checkpoint != nil {
			f.Checkpoints++
			return chain.Seal(l.Checkpoint, judge)
		}
		return nil
	})
	f.take(chain)
	if err != nil {
		return err
	}
	// Read after the chain: a running bridge goes on writing.
	if seq, _, err := st.LastCheckpoint(ctx); err != nil {
		return err
	} else if last, _, err := st.Head(ctx); err != nil || seq > last {
		return errors.Join(err, &journal.Fault{Seq: last + 1, What: fmt.Sprintf("it is missing: a checkpoint was made over record %d", seq)})
	}
	a, err := st.Audit(ctx)
	f.Audit = &a
	return err
}

// openConfigured opens the store of a configuration beside a bridge that may be
// running on it.
func openConfigured(ctx context.Context, config string) (*store.Store, *materials, error) {
	l, faults := loadConfig(config)
	if l == nil {
		return nil, nil, errors.New(faults[0].format(config))
	}
	m, more := l.open(time.Now())
	if faults = append(faults, more...); len(faults) > 0 {
		return nil, nil, errors.New(faults[0].format(config))
	}
	if l.Store.Driver == "sqlite" {
		if _, err := os.Stat(l.path(l.Store.Path)); err != nil {
			return nil, nil, fmt.Errorf("%s: %s", l.storeName(), plainFileError(err))
		}
	}
	st, err := store.OpenAt(ctx, l.storeOpener(m))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", l.storeName(), err)
	}
	return st, m, nil
}

func runJournalExport(ctx context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("journal export", flag.ContinueOnError)
	config := f.String("config", "", "`FILE` with the configuration of the bridge")
	out := f.String("out", "", "`FILE` to write; must not exist. Default: standard output")
	f.Usage = func() {
		usageOf(f, "-config FILE", "Writes the whole chain of records as an archive, which `kopir journal verify` verifies anywhere. It holds no person's data.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if *config == "" || f.NArg() > 0 {
		s.complain("journal export needs -config FILE and takes no arguments")
		return exitUsage
	}
	if err := exportJournal(ctx, *config, *out, s.out); err != nil {
		s.complain("journal export: %s", err)
		return exitFailed
	}
	return exitPassed
}

func exportJournal(ctx context.Context, config, path string, to io.Writer) (err error) {
	st, _, err := openConfigured(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if path != "" {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return errors.New(path + ": " + plainFileError(err))
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		to = file
	}
	w := journal.NewWriter(to)
	err = st.Journal(ctx, 0, "", func(l store.Link) error {
		if err := w.Record(l.Seq, l.Body, l.Hash); err != nil || l.Checkpoint == nil {
			return err
		}
		return w.Checkpoint(l.Checkpoint)
	})
	return errors.Join(err, w.Close())
}
