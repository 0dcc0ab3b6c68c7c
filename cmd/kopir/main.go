// Command kopir is the bridge between the e-government gateway and the
// database of a local executive body, its simulator, and the tools to judge
// and make the signatures that travel between them.
//
// Results go to standard output, everything else to standard error with the
// program's name in front. Exit status: 0 passed, 1 failed, 2 wrong use or
// unreadable input, 3 indeterminate.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses of every verb.
const (
	exitPassed        = 0
	exitFailed        = 1
	exitUsage         = 2
	exitIndeterminate = 3
)

// stdio is the world a verb sees, so that tests can hand it another one.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
	env func(string) string
}

// complain prints one sentence for people on standard error.
func (s stdio) complain(format string, args ...any) {
	fmt.Fprintf(s.err, "kopir: "+format+"\n", args...)
}

// verb is one thing the command does. Each has a file of its own name.
type verb struct {
	name    string
	summary string // one line of the usage
	run     func(ctx context.Context, args []string, s stdio) int
}

// verbs is the whole command line, in the order of the usage.
var verbs = []verb{
	{"c14n", "canonical bytes of an XML document", runC14N},
	{"verify", "a verdict on a signed file, as JSON", runVerify},
	{"sign", "sign a message or a document", runSign},
	{"cert", "what a certificate or key file says", runCert},
	{"trust", "roots, authorities and candidates: list, add, try", runTrust},
	{"run", "the bridge and its simulator in one process: the main job, seen", runRun},
	{"serve", "the bridge alone", runServe},
	{"check", "every fault of a configuration and of what it names, at once", runCheck},
	{"mapping", "the services: list, check, show, test", runMapping},
	{"outbox", "deliveries of a running bridge: list, groups, retry, drop", runOutbox},
	{"journal", "the chain of records: verify, export, archive, erase", runJournal},
	{"store", "the bridge's own database: status, migrate, backup, restore", runStore},
	{"apikey", "a new key for the REST door, and its entry for the configuration", runAPIKey},
	{"signer", "NCANode's HTTP interface: sign, verify, describe; takes private keys", runSigner},
	{"sim", "gateway, portal, service centre, register and authority, for tests", runSim},
	{"crashtest", "kill bridges under load and count what was lost: for tests", runCrashtest},
	{"version", "which build this is", runVersion},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv})
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, s stdio) int {
	if len(args) == 0 {
		usage(s.err)
		return exitUsage
	}
	if args[0] == "help" || isHelp(args[0]) {
		usage(s.out)
		return exitPassed
	}
	for _, v := range verbs {
		if v.name == args[0] {
			return v.run(ctx, args[1:], s)
		}
	}
	s.complain("unknown command %q; `kopir help` lists the commands", args[0])
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: kopir COMMAND [flags] [arguments]")
	fmt.Fprintln(w)
	for _, v := range verbs {
		fmt.Fprintf(w, "  %-9s %s\n", v.name, v.summary)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "`kopir COMMAND -h` explains one of them.")
}
