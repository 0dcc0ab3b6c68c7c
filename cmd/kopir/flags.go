package main

import (
	"errors"
	"flag"
	"io"
)

// parseFlags reads the flags of a verb. Who asks for help gets it on standard
// output and exit status 0; who errs gets one sentence that says where help
// is. ok is false when the verb has nothing more to do but to return code.
func parseFlags(f *flag.FlagSet, args []string, s stdio) (code int, ok bool) {
	f.SetOutput(io.Discard)
	usage := f.Usage
	f.Usage = func() {}
	err := f.Parse(args)
	switch {
	case err == nil:
		return exitPassed, true
	case errors.Is(err, flag.ErrHelp):
		f.SetOutput(s.out)
		if usage == nil {
			usage = func() { usageOf(f, "[flags]") }
		}
		usage()
		return exitPassed, false
	default:
		s.complain("%s: %v; `kopir %s -h` explains the flags", f.Name(), err, f.Name())
		return exitUsage, false
	}
}

// usageOf writes the head of a verb's help and its flags. Arguments are the
// words after the verb, lines what it does.
func usageOf(f *flag.FlagSet, arguments string, lines ...string) {
	w := f.Output()
	io.WriteString(w, "usage: kopir "+f.Name()+" "+arguments+"\n")
	for _, l := range lines {
		io.WriteString(w, l+"\n")
	}
	f.PrintDefaults()
}

// isHelp says whether a word asks for help, as package flag understands it.
func isHelp(word string) bool {
	switch word {
	case "-h", "--h", "-help", "--help":
		return true
	}
	return false
}
