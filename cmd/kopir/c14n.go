package main

import (
	"context"
	"flag"
	"io"
	"os"
	"strings"

	"kopir/signature/xmltree"
)

// c14nMethods are the values of -method.
var c14nMethods = map[string]xmltree.Method{
	"1.0":       xmltree.Inclusive10,
	"1.1":       xmltree.Inclusive11,
	"exclusive": xmltree.Exclusive,
}

// runC14N prints canonical bytes, and nothing else, on standard output. There
// is no verdict here: what the strict reader refuses is unreadable input, and
// an identifier that is borne by none or by several is wrong use; both status 2.
func runC14N(_ context.Context, args []string, s stdio) int {
	flags := flag.NewFlagSet("c14n", flag.ContinueOnError)
	method := flags.String("method", "exclusive", "`METHOD` of canonicalisation: 1.0, 1.1 or exclusive")
	comments := flags.Bool("comments", false, "keep comments")
	prefixes := flags.String("prefixes", "", "InclusiveNamespaces `LIST` of the exclusive method: prefixes, and #default")
	id := flags.String("id", "", "only the element that bears this `ID`: wsu:Id, wsse:Id, xml:id, Id, ID or id")
	flags.Usage = func() {
		usageOf(flags, "[flags] FILE|-", "Prints the canonical form of an XML document, or of one element of it.")
	}
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	kind, known := c14nMethods[*method]
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case !known:
		s.complain("c14n: unknown method %q; it is 1.0, 1.1 or exclusive", *method)
		return exitUsage
	case given["prefixes"] && kind != xmltree.Exclusive:
		s.complain("c14n: -prefixes belongs to -method exclusive only")
		return exitUsage
	case flags.NArg() != 1:
		s.complain("c14n: name one file, or - for standard input")
		return exitUsage
	}
	src, err := readXML(flags.Arg(0), s.in)
	if err != nil {
		s.complain("c14n: %v", err)
		return exitUsage
	}
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		s.complain("c14n: %s: %v", flags.Arg(0), err)
		return exitUsage
	}
	var node xmltree.Node
	if given["id"] {
		if node, err = doc.ByID(*id); err != nil {
			s.complain("c14n: %s: %v", flags.Arg(0), err)
			return exitUsage
		}
	}
	out := doc.Canonical(make([]byte, 0, len(src)), node,
		xmltree.C14N{Kind: kind, Comments: *comments, Prefixes: strings.Fields(*prefixes)})
	if _, err := s.out.Write(out); err != nil {
		s.complain("c14n: %v", err)
		return exitUsage
	}
	return exitPassed
}

// readXML reads a file, or standard input for "-". It stops one byte behind
// the reader's limit, so that the reader says what is wrong.
func readXML(name string, in io.Reader) ([]byte, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, xmltree.DefaultBytes+1))
}
