package main

import (
	"context"
	"flag"
	"fmt"

	"kopir/gateway/server"
)

// runAPIKey makes a key of the REST door. The key itself goes to standard
// output once and is kept nowhere; the entry for the configuration holds its
// hash only.
func runAPIKey(_ context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("apikey", flag.ContinueOnError)
	name := f.String("name", "", "`NAME` of the system or person that will hold the key")
	role := f.String("role", "", "`ROLE`: reader, specialist, official or admin")
	f.Usage = func() {
		usageOf(f, "-name NAME -role ROLE", "Makes a key of the REST door: the key on standard output, its entry for the configuration on standard error.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	if *name == "" || f.NArg() > 0 {
		s.complain("apikey needs -name NAME -role ROLE and nothing else")
		return exitUsage
	}
	if _, err := server.ParseRole(*role); err != nil {
		s.complain("%s", err)
		return exitUsage
	}
	key, hash := server.NewKey()
	fmt.Fprintln(s.out, key)
	fmt.Fprintf(s.err, "The key above is shown this once. Its entry for the configuration:\n\napi_keys:\n  - {name: %q, role: %s, sha256: %s}\n", *name, *role, hash)
	return exitPassed
}
