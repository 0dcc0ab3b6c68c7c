package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/bundle"
	"kopir/gateway/journal"
	"kopir/gateway/store"
)

// runJournal verifies and exports the chain of records.
// Exit status: 0 it holds, 1 it does not, 2 wrong use or unreadable input.
func runJournal(ctx context.Context, args []string, s stdio) int {
	const usage = "usage: kopir journal verify [flags] FILE...    archives or an evidence bundle, without network or database\n" +
		"       kopir journal verify -config FILE     the store of a bridge: the chain, and every row it speaks of\n" +
		"       kopir journal export -config FILE NUMBER  the evidence bundle of an application\n" +
		"       kopir journal export -config FILE     the whole chain as an archive\n" +
		"       kopir journal archive -config FILE    applications that are over into sealed files, by age\n" +
		"       kopir journal erase -config FILE -reason TEXT NUMBER  an application for good\n"
	switch {
	case len(args) == 1 && isHelp(args[0]):
		io.WriteString(s.out, usage)
		return exitPassed
	case len(args) > 0 && args[0] == "verify":
		return runJournalVerify(ctx, args[1:], s)
	case len(args) > 0 && args[0] == "export":
		return runJournalExport(ctx, args[1:], s)
	case len(args) > 0 && args[0] == "archive":
		return runJournalArchive(ctx, args[1:], s)
	case len(args) > 0 && args[0] == "erase":
		return runJournalErase(ctx, args[1:], s)
	}
	s.complain("journal needs one of verify, export, archive, erase; `kopir journal -h` shows them")
	return exitUsage
}

// journalFinding is what verify prints.
type journalFinding struct {
	Outcome     string       `json:"outcome"` // intact, broken, or incomplete: files of it are not here
	Fault       string       `json:"fault,omitempty"`
	First       int64        `json:"first"`
	Last        int64        `json:"last"`
	Head        journal.Hash `json:"head"`
	Checkpoints int          `json:"checkpoints"`
	Unstamped   int          `json:"unstamped,omitempty"` // checkpoints without a time stamp
	Sealed      int64        `json:"sealed"`              // last record under a checkpoint
	SealedAt    *time.Time   `json:"sealed_at,omitempty"`
	Stamped     bool         `json:"stamped"`
	Signers     []string     `json:"signers,omitempty"`
	Audit       *store.Audit `json:"audit,omitempty"`
	Archives    int          `json:"archives,omitempty"` // sealed files of applications
	Missing     []string     `json:"missing,omitempty"`  // files, not there
	Changed     []string     `json:"changed,omitempty"`  // not what was recorded
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
	language := f.String("lang", "", "`LANG` of the verdict on a bundle: ru, kk or en. Default: that of the locale")
	f.Usage = func() {
		usageOf(f, "[flags] [FILE...]", "With one evidence bundle judges all that is in it, as of its receipt, and says so in words.\nExit status: 0 passed, 1 failed, 3 indeterminate, 2 wrong use.\n", "Verifies the chain of records. Several archives are parts of one chain, in their order. What lies before the last checkpoint\ncan have been neither changed nor cut off; what follows it is chained, no more.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if (*config == "") == (f.NArg() == 0) {
		s.complain("journal verify needs either -config FILE or the archives")
		return exitUsage
	}
	lang, err := langOf(*language, s.env)
	if err != nil {
		s.complain("journal verify: %s", err)
		return exitUsage
	}
	if f.NArg() == 1 && *config == "" && isBundleFile(f.Arg(0)) {
		return verifyBundle(f.Arg(0), trust, *bin, lang, *asJSON, s)
	}
	found := journalFinding{First: 1}
	if *config != "" {
		err = found.verifyStore(ctx, *config, *bin)
	} else {
		err = found.verifyArchives(f.Args(), trust, *bin)
	}
	var broken *journal.Fault
	switch {
	case errors.As(err, &broken):
		found.Fault = broken.Error()
	case err != nil:
		s.complain("journal verify: %s", err)
		return exitUsage
	}
	away := errors.As(err, new(*awayError))
	switch {
	case found.Fault != "" && !away || found.Audit != nil && len(found.Audit.Faults) > 0 || len(found.Changed) > 0:
		found.Outcome = "broken"
	case away || len(found.Missing) > 0:
		found.Outcome = "incomplete"
	default:
		found.Outcome = "intact"
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
	if f.Unstamped > 0 {
		fmt.Fprintf(w, "%d of the checkpoints bear no time stamp\n", f.Unstamped)
	}
	if f.Sealed > 0 && f.Sealed < f.Last {
		fmt.Fprintf(w, "%d records after that are chained only\n", f.Last-f.Sealed)
	}
	for _, s := range f.Signers {
		fmt.Fprintf(w, "signed by %s\n", s)
	}
	if a := f.Audit; a != nil {
		fmt.Fprintf(w, "%d rows of the store are as they were recorded, %d are erased or archived, %d are older than the journal; %d archived files\n", a.Rows, a.Erased, a.Older, f.Archives)
		for _, fault := range a.Faults {
			fmt.Fprintf(w, "fault: %s\n", fault)
		}
	}
	for _, fault := range slices.Concat(f.Changed, f.Missing) {
		fmt.Fprintf(w, "fault: %s\n", fault)
	}
}

// counting judges checkpoints by seals and counts those without a time stamp.
func (f *journalFinding) counting(seals *bundle.Seals) journal.Judge {
	return func(signed []byte) ([]byte, time.Time, error) {
		content, stamp, err := seals.Judge(signed)
		if err == nil && stamp.IsZero() {
			f.Unstamped++
		}
		return content, stamp, err
	}
}

func (f *journalFinding) verifyArchives(paths []string, trust trustFlags, bin string) error {
	roots, _, err := trust.load()
	if err != nil {
		return err
	}
	seals := bundle.NewSeals(roots, bin)
	defer func() { f.Signers = seals.Signers }()
	var chain *journal.Chain
	for i, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return errors.New(path + ": " + plainFileError(err))
		}
		rep, err := journal.Verify(file, chain, f.counting(seals), nil)
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
	st, m, l, err := openConfigured(ctx, config)
	if err != nil {
		return err
	}
	defer st.Close()
	return f.verifyOpen(ctx, l, st, m, bin)
}

// verifyOpen verifies the chain of a store, and every row against it.
func (f *journalFinding) verifyOpen(ctx context.Context, l *loaded, st *store.Store, m *materials, bin string) error {
	if bin == "" {
		bin = m.keys.Signing(time.Now()).Certificate.Subject.BIN
	}
	seals := bundle.NewSeals(m.trust, bin)
	defer func() { f.Signers = seals.Signers }()
	var chain journal.Chain
	judge := f.counting(seals)
	var faults []error // a file that is not here hides none that comes after it
	for {
		err := st.Journal(ctx, chain.Seq, "", func(l store.Link) error {
			if err := chain.Add(l.Body, l.Hash); err != nil {
				return err
			}
			if l.Checkpoint != nil {
				f.Checkpoints++
				return chain.Seal(l.Checkpoint, judge)
			}
			return nil
		})
		var lost *store.LostFile
		if errors.As(err, &lost) {
			faults = append(faults, err)
			chain.Seq, chain.Head = lost.Segment.Last, lost.Segment.Hash
			continue
		}
		if err == nil {
			err = notCut(ctx, st)
		}
		if err != nil {
			faults = append([]error{err}, faults...) // what is changed weighs more
		}
		break
	}
	f.take(chain)
	if len(faults) > 0 { // rows are compared with a whole chain alone
		for _, err := range faults[1:] {
			f.Missing = append(f.Missing, err.Error())
		}
		return faults[0]
	}
	a, err := st.Audit(ctx)
	f.Audit = &a
	if err != nil {
		return err
	}
	f.Archives, f.Missing, f.Changed, err = keeper{sealer{store: st, m: m}, l}.checkArchives(ctx)
	return err
}

// notCut looks for a checkpoint over more records than there are. It is called
// after the chain was read: a running bridge goes on writing.
func notCut(ctx context.Context, st *store.Store) error {
	seq, _, err := st.LastCheckpoint(ctx)
	if err != nil {
		return err
	}
	if last, _, err := st.Head(ctx); err != nil || seq > last {
		return errors.Join(err, &journal.Fault{Seq: last + 1, What: fmt.Sprintf("it is missing: a checkpoint was made over record %d", seq)})
	}
	return nil
}

// openConfigured opens the store of a configuration beside a bridge that may be
// running on it.
func openConfigured(ctx context.Context, config string) (*store.Store, *materials, *loaded, error) {
	l, m, err := configured(config)
	if err != nil {
		return nil, nil, nil, err
	}
	if l.Store.Driver == "sqlite" {
		if _, err := os.Stat(l.path(l.Store.Path)); err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %s", l.storeName(), plainFileError(err))
		}
	}
	st, err := store.OpenAt(ctx, l.storeOpener(m))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", l.storeName(), err)
	}
	st.ReadMoved(l.openMoved)
	return st, m, l, nil
}

func runJournalExport(ctx context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("journal export", flag.ContinueOnError)
	config := f.String("config", "", "`FILE` with the configuration of the bridge")
	var out string
	f.StringVar(&out, "o", "", "`FILE` to write; must not exist. Default: standard output")
	f.StringVar(&out, "out", "", "the same")
	unstamped := f.Bool("unstamped", false, "make a bundle without a time stamp, though an authority is configured")
	f.Usage = func() {
		usageOf(f, "-config FILE [APPLICATION]", "With the number of an application (or message/ID of one that was refused before it got a number) writes its evidence bundle:\n"+
			"one file with everything that is known of it and what proves it, signed by the bridge's key. It holds personal data, and the journal\nrecords who made it.\n"+
			"Without, writes the whole chain of records as an archive; it holds no person's data. `kopir journal verify` verifies either anywhere.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if *config == "" || f.NArg() > 1 {
		s.complain("journal export needs -config FILE, and takes the number of one application")
		return exitUsage
	}
	st, m, l, err := openConfigured(ctx, *config)
	if err != nil {
		s.complain("journal export: %s", err)
		return exitFor(err)
	}
	defer st.Close()
	err = writeWhole(out, s.out, func(w io.Writer) error {
		if f.NArg() == 0 {
			return exportJournal(ctx, st, w)
		}
		sealer, err := l.sealer(st, m, zap.NewNop())
		if err != nil {
			return err
		}
		if *unstamped {
			sealer.stamper = nil
		}
		b, err := keeper{sealer, l}.export(ctx, f.Arg(0))
		if errors.Is(err, gateway.ErrNotFound) {
			return fmt.Errorf("the journal knows no application %s", f.Arg(0))
		}
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	})
	if err != nil {
		s.complain("journal export: %s", err)
		return exitFailed
	}
	return exitPassed
}

// writeWhole writes a file that must not exist, or to out where no name is given.
// Nothing is left of a file that was not written whole.
func writeWhole(path string, out io.Writer, write func(io.Writer) error) error {
	if path == "" {
		return write(out)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.New(path + ": " + plainFileError(err))
	}
	if err = write(file); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

func exportJournal(ctx context.Context, st *store.Store, to io.Writer) error {
	w := journal.NewWriter(to)
	err := st.Journal(ctx, 0, "", func(l store.Link) error {
		if err := w.Record(l.Seq, l.Body, l.Hash); err != nil || l.Checkpoint == nil {
			return err
		}
		return w.Checkpoint(l.Checkpoint)
	})
	return errors.Join(err, w.Close())
}
