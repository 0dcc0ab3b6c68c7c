package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"kopir/gateway/crash"
	"kopir/gateway/failpoint"
	"kopir/gateway/server"
	"kopir/gateway/sim"
)

// runCrashtest kills bridges under load and counts what is left.
// Exit status: 0 nothing was lost, doubled or reordered, the journal holds and
// killed processes were back in time, 1 something was not so, 2 wrong use or the trial itself could not be made.
func runCrashtest(ctx context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("crashtest", flag.ContinueOnError)
	o := crash.Options{Failing: failpoint.Enabled, Out: s.err}
	f.IntVar(&o.Kills, "kills", 20, "kill at least `N` times")
	f.IntVar(&o.Messages, "messages", 500, "send at least `N` applications")
	f.StringVar(&o.Database, "db", crash.SQLite, "the bridge's store and the local database: `sqlite|postgres`")
	f.IntVar(&o.Nodes, "nodes", 1, "`K` processes on one store (postgres)")
	f.Uint64Var(&o.Seed, "seed", 0, "makes the same choices again: `S`; 0: another each time")
	f.DurationVar(&o.For, "for", 10*time.Minute, "end kills and messages after `D`, also when there were fewer")
	f.DurationVar(&o.Quiet, "quiet", 0, "about so long between two troubles: `D`; 0: by -kills and -for")
	f.Float64Var(&o.Rate, "rate", 40, "applications a second: `R`")
	f.IntVar(&o.Acting, "acting", crash.DefaultActing, "the staff does something with `P` of a hundred applications; the others are only received")
	f.DurationVar(&o.Bar, "bar", crash.DefaultBar, "a killed process must accept again within `D`; 0: it is told, not judged")
	f.StringVar(&o.Dir, "dir", "", "empty `DIR` for configurations, databases and logs; kept when named, or when something was found")
	f.DurationVar(&o.Away, "away", 0, "instead of kills: each database is away for `D` under load, and how the bridge catches up is measured (postgres)")
	trouble := f.String("trouble", "", "`all|kills|none`: what is done to the processes; none: load alone, and what they use more and more of (default: all, with -away none)")
	keys := f.String("keys", string(sim.KeysRSA), "with what everybody signs: `rsa|gost|mixed`")
	dsn := f.String("dsn-file", "", "`FILE` with the address of a PostgreSQL server on which databases may be made; default: the variable KOPIR_POSTGRES")
	points := f.Bool("points", false, "list the points at which a process can be killed, and end")
	f.Usage = func() {
		usageOf(f, "[flags]", "Starts real processes of this program, loads them through the simulator, kills, pauses and cuts them off,\nand counts what was lost, doubled or reordered. A build with -tags failpoint also dies at every step of the path.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if *points {
		return listPoints(s)
	}
	if o.Trouble = crash.Trouble(*trouble); o.Trouble == "" {
		if o.Trouble = crash.Everything; o.Away > 0 {
			o.Trouble = crash.Nothing
		}
	}
	if o.Trouble == crash.Nothing {
		o.Kills = 0
	}
	var err error
	if o.Keys, err = sim.ParseKeys(*keys); err != nil {
		s.complain("crashtest: -keys: %v", err)
		return exitUsage
	}
	o.DSN = s.env("KOPIR_POSTGRES")
	if *dsn != "" {
		text, err := os.ReadFile(*dsn)
		if err != nil {
			s.complain("crashtest: -dsn-file: %s", plainFileError(err))
			return exitUsage
		}
		o.DSN, _, _ = strings.Cut(string(text), "\n")
	}
	switch {
	case f.NArg() > 0:
		s.complain("crashtest: takes flags only, not %q", f.Arg(0))
	case o.Database != crash.SQLite && o.Database != crash.Postgres:
		s.complain("crashtest: -db: unknown database %q; known: sqlite, postgres", o.Database)
	case o.Database == crash.Postgres && o.DSN == "":
		s.complain("crashtest: -db postgres needs a server: -dsn-file FILE, or KOPIR_POSTGRES (.ci/with-postgres starts one)")
	case o.Nodes < 1 || o.Database == crash.SQLite && o.Nodes > 1:
		s.complain("crashtest: -nodes: one, or with -db postgres more")
	case !slices.Contains([]crash.Trouble{crash.Everything, crash.KillsOnly, crash.Nothing}, o.Trouble):
		s.complain("crashtest: -trouble: %q is none of all, kills, none", o.Trouble)
	case o.Away != 0 && o.Away < 5*time.Second:
		s.complain("crashtest: -away: five seconds at least, or nothing gathers")
	case o.Away > 0 && o.Database != crash.Postgres:
		s.complain("crashtest: -away needs -db postgres: a file is never away")
	case o.Rate <= 0 || o.For <= 0 || o.Kills < 0 || o.Messages < 0 || o.Bar < 0:
		s.complain("crashtest: -rate and -for must be more than nothing, -kills, -messages and -bar not less")
	case o.Acting < 0 || o.Acting > 100:
		s.complain("crashtest: -acting: %d is no share of a hundred", o.Acting)
	default:
		return crashtest(ctx, o, s)
	}
	return exitUsage
}

func crashtest(ctx context.Context, o crash.Options, s stdio) int {
	self, err := os.Executable()
	if err != nil {
		s.complain("crashtest: %s", err)
		return exitUsage
	}
	o.Command = []string{self}
	o.Key, o.KeyHash = server.NewKey()
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	named := o.Dir != ""
	if !named {
		o.Dir, err = os.MkdirTemp("", "kopir-crashtest-")
	} else if list, bad := os.ReadDir(o.Dir); bad == nil && len(list) > 0 {
		err = fmt.Errorf("%s is not empty", o.Dir)
	}
	if err != nil {
		s.complain("crashtest: -dir: %s", err)
		return exitUsage
	}
	if !o.Failing {
		s.complain("crashtest: this build has no failpoints; build with -tags failpoint to be killed at each step too")
	}
	// The simulator remembers every message, on the machine of those it measures:
	// collecting its memory must not take the processors from them.
	collectLess()
	debug.SetMemoryLimit(8 << 30)
	rep, err := crash.Run(ctx, o)
	if err != nil {
		s.complain("crashtest: %s; what there is lies in %s", err, o.Dir)
		return exitUsage
	}
	fmt.Fprint(s.out, rep)
	if !rep.Good() {
		fmt.Fprintf(s.out, "evidence: %s; again with -seed %d\n", o.Dir, o.Seed)
		return exitFailed
	}
	if !named {
		os.RemoveAll(o.Dir)
	}
	return exitPassed
}

func listPoints(s stdio) int {
	w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	for _, r := range failpoint.Points() {
		fmt.Fprintf(w, "%s\t%s\n", r.Point, r.When)
	}
	w.Flush()
	if !failpoint.Enabled {
		s.complain("this build obeys none of them; build with -tags failpoint")
	}
	return exitPassed
}
