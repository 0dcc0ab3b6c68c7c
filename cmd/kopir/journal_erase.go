package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/user"
	"time"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/failpoint"
)

// maxReason bounds the reason of an erasure: it stays in the journal for ever.
const maxReason = 200

func runJournalErase(ctx context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("journal erase", flag.ContinueOnError)
	config := f.String("config", "", "`FILE` with the configuration of the bridge")
	reason := f.String("reason", "", "`TEXT` that stays in the journal for ever: the act or request, and nothing of the person. Needed")
	f.Usage = func() {
		usageOf(f, "-config FILE -reason TEXT APPLICATION", "Destroys the key of an application that is over, and all that the store has of persons in it: messages, rows, evidence,\n"+
			"deliveries, papers; an archived file is unreadable from then on. The chain of records still verifies and says that it was erased,\n"+
			"when, by whom and why. It cannot be taken back. The row in the akimat's own database is the akimat's to erase.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if *config == "" || f.NArg() != 1 || *reason == "" || len(*reason) > maxReason {
		s.complain("journal erase needs -config FILE, -reason TEXT (at most %d bytes) and the number of one application", maxReason)
		return exitUsage
	}
	return s.keep(ctx, "erase", *config, func(k keeper) error {
		if err := k.erase(ctx, f.Arg(0), operator(), *reason, time.Now()); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "erased %s\n", f.Arg(0))
		return nil
	})
}

func runJournalArchive(ctx context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("journal archive", flag.ContinueOnError)
	config := f.String("config", "", "`FILE` with the configuration of the bridge")
	f.Usage = func() {
		usageOf(f, "-config FILE", "Does now what the bridge does every hour by retention: of its configuration: writes applications that have been over for\n"+
			"archive_after into sealed files of folder, one each, and takes their content out of the store; erases what is older than erase_after;\n"+
			"puts records of the journal that are older than journal_after into files of folder.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if *config == "" || f.NArg() > 0 {
		s.complain("journal archive needs -config FILE and takes no arguments")
		return exitUsage
	}
	return s.keep(ctx, "archive", *config, func(k keeper) error {
		if !k.l.Retention.any() {
			return errors.New("the configuration names none of retention.archive_after, erase_after and journal_after")
		}
		return k.round(ctx, failpoint.Now())
	})
}

// keep runs a verb on the store of a configuration, beside a bridge that may be
// running on it.
func (s stdio) keep(ctx context.Context, verb, config string, do func(keeper) error) int {
	st, m, l, err := openConfigured(ctx, config)
	if err != nil {
		s.complain("journal %s: %s", verb, err)
		return exitFor(err)
	}
	defer st.Close()
	log, err := newLog(l, s.err)
	if err != nil {
		log = zap.NewNop()
	}
	seals, err := l.sealer(st, m, log)
	if err == nil {
		err = do(keeper{seals, l})
	}
	switch {
	case err == nil:
		return exitPassed
	case errors.Is(err, gateway.ErrOpen):
		s.complain("journal %s: the application is not over: it is open, or a delivery of it waits (`kopir outbox list`)", verb)
	case errors.Is(err, gateway.ErrNotFound):
		s.complain("journal %s: the journal knows no such application", verb)
	case errors.Is(err, gateway.ErrRemoved):
		s.complain("journal %s: the application is erased already", verb)
	default:
		s.complain("journal %s: %s", verb, err)
	}
	return exitFailed
}

// operator is who runs this command, as the machine knows them.
func operator() string {
	u, err := user.Current()
	if err != nil {
		return processName()
	}
	return u.Username + "@" + processName()
}
