package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"kopir/signature"
	"kopir/signature/nuc"
)

// trustTry judges files under two trusts and shows where the verdicts differ.
func trustTry(ctx context.Context, args []string, s stdio) int {
	flags := flag.NewFlagSet("trust try", flag.ContinueOnError)
	var now trustSource
	now.register(flags)
	o := verifyOptions{format: "auto"}
	var with, withKeys files
	flags.Var(&with, "with", "`PATH` of the proposed trust: a bundle, or certificates. Repeatable. Default: the present one")
	flags.Var(&withKeys, "with-key", "`FINGERPRINT` of the key that signs the proposed bundle. Default: those of -bundle-key")
	candidates := flags.Bool("candidates", false, "count the candidates of the proposed trust as trusted")
	all := flags.Bool("all", false, "show every file, not the differences alone")
	flags.StringVar(&o.at, "at", "", "time of judgement, RFC 3339. Default: now")
	flags.StringVar(&o.revocation, "revocation", "leaf", "leaf, chain or off, as in kopir verify")
	flags.Var(&o.cert, "cert", "`FILE` with certificates known beforehand. Repeatable")
	flags.Var(&o.crl, "crl", "`FILE` with a stored revocation list. Repeatable")
	flags.Var(&o.ocsp, "ocsp", "`FILE` with a stored OCSP answer. Repeatable")
	flags.Usage = func() {
		usageOf(flags, "[flags] FILE|FOLDER...", "Judges recorded messages with what is trusted now and with what is proposed, and shows",
			"the differences. Nothing is changed. Exit status: 0 no difference, 1 some, 2 wrong use or unreadable input.")
	}
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	fail := func(err error) int {
		s.complain("trust try: %s", oneLine(err))
		return exitUsage
	}
	if flags.NArg() == 0 {
		return fail(errors.New("name files or folders of recorded messages"))
	}
	if len(with) == 0 && !*candidates {
		return fail(errors.New("name what is proposed: -with, -candidates, or both"))
	}
	if err := o.check(1); err != nil {
		return fail(err)
	}
	before, _, err := now.load()
	if err != nil {
		return fail(err)
	}
	after, err := proposed(with, withKeys, now, *candidates)
	if err != nil {
		return fail(err)
	}
	paths, err := recorded(flags.Args())
	if err != nil {
		return fail(err)
	}
	judges := make([]*judge, 2)
	for i, t := range []*nuc.Trust{before, after} {
		if judges[i], err = newJudgeOver(&o, t); err != nil {
			return fail(err)
		}
	}
	differ := 0
	for _, path := range paths {
		src, err := readXML(path, s.in)
		if err != nil {
			return fail(err)
		}
		one, two := wordsOf(judges[0].judge(ctx, src)), wordsOf(judges[1].judge(ctx, src))
		switch {
		case one != two:
			differ++
			fmt.Fprintf(s.out, "%s: %s -> %s\n", path, one, two)
		case *all:
			fmt.Fprintf(s.out, "%s: %s\n", path, one)
		}
	}
	fmt.Fprintf(s.out, "%d files judged at %s, %d with another verdict\n", len(paths), o.want.At.UTC().Format(time.RFC3339), differ)
	if differ > 0 {
		return exitFailed
	}
	return exitPassed
}

// wordsOf is what is compared: the outcome of the whole and of each signature.
func wordsOf(v *signature.Verdict) string {
	words := []string{strings.TrimSpace(v.Outcome.String() + " " + string(v.Reason))}
	if len(v.Signatures) > 1 {
		for i := range v.Signatures {
			words = append(words, fmt.Sprintf("%d: %s", i+1, strings.TrimSpace(v.Signatures[i].Outcome.String()+" "+string(v.Signatures[i].Reason))))
		}
	}
	return strings.Join(words, ", ")
}

// proposed is the other trust.
func proposed(paths, keys files, now trustSource, candidates bool) (*nuc.Trust, error) {
	if len(keys) == 0 {
		keys = now.keys
	}
	t := nuc.NewTrust()
	var faults []error
	for _, path := range paths {
		if !isBundle(path) {
			faults = append(faults, t.Load(path))
			continue
		}
		b, err := readBundle(path, keys)
		if err == nil {
			err = b.AddTo(t)
		}
		faults = append(faults, err)
	}
	if len(paths) == 0 {
		var err error
		t, _, err = now.load()
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if candidates {
		for _, e := range t.Entries() {
			e.Candidate = false
			faults = append(faults, t.Add(e))
		}
	}
	return t, errors.Join(faults...)
}

// recorded lists the files, those of folders with their subfolders.
func recorded(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		err := filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no files", strings.Join(args, ", "))
	}
	return out, nil
}
