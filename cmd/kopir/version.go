package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// runVersion prints the module version, the revision it was built from where
// the toolchain recorded one, and the Go release.
func runVersion(_ context.Context, args []string, s stdio) int {
	if len(args) == 1 && isHelp(args[0]) {
		fmt.Fprintln(s.out, "usage: kopir version\nPrints which build this is.")
		return exitPassed
	}
	if len(args) != 0 {
		s.complain("version takes no arguments")
		return exitUsage
	}
	fmt.Fprintf(s.out, "kopir %s %s %s/%s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitPassed
}

// buildVersion is the module version, and the revision if it is known.
func buildVersion() string {
	version, revision := "devel", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			version = v
		}
		for _, kv := range info.Settings {
			if kv.Key == "vcs.revision" && len(kv.Value) >= 12 {
				revision = " " + kv.Value[:12]
			}
		}
	}
	return version + revision
}
