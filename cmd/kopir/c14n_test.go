package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const c14nInput = `<?xml version="1.0"?>
<!-- head --><p:r xmlns:p="urn:p" xmlns:q='urn:q' xmlns="urn:d"><a Id="x" b="2" a='1'><!-- c -->&#65;<p:b/></a></p:r>`

func TestC14N(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "in.xml")
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("in.xml", c14nInput)
	twice := write("twice.xml", `<r><a Id="x"/><b ID="x"/></r>`)
	doctype := write("doctype.xml", `<!DOCTYPE r><r/>`)
	for _, c := range []struct {
		name   string
		args   []string
		in     string
		status int
		out    string
		err    string // part of what is said
	}{
		{name: "whole", args: []string{"-method", "1.0", file},
			out: `<p:r xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q"><a Id="x" a="1" b="2">A<p:b></p:b></a></p:r>`},
		{name: "standard input", args: []string{"-"}, in: "<r a='1'/>", out: `<r a="1"></r>`},
		{name: "comments", args: []string{"-comments", file},
			out: "<!-- head -->\n" + `<p:r xmlns:p="urn:p"><a xmlns="urn:d" Id="x" a="1" b="2"><!-- c -->A<p:b></p:b></a></p:r>`},
		{name: "element", args: []string{"-id", "x", file}, out: `<a xmlns="urn:d" Id="x" a="1" b="2">A<p:b xmlns:p="urn:p"></p:b></a>`},
		{name: "element inclusive", args: []string{"-method=1.1", "-id=x", file},
			out: `<a xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q" Id="x" a="1" b="2">A<p:b></p:b></a>`},
		{name: "prefixes", args: []string{"-prefixes", "q #default none", "-id", "x", file},
			out: `<a xmlns="urn:d" xmlns:q="urn:q" Id="x" a="1" b="2">A<p:b xmlns:p="urn:p"></p:b></a>`},
		{name: "id of none", args: []string{"-id", "y", file}, status: exitUsage, err: "no element bears"},
		{name: "id of several", args: []string{"-id", "x", twice}, status: exitUsage, err: "more than one element"},
		{name: "empty id", args: []string{"-id", "", file}, status: exitUsage, err: "no element bears"},
		{name: "refused", args: []string{doctype}, status: exitUsage, err: "line 1 column 1: there is a document type declaration"},
		{name: "no such file", args: []string{filepath.Join(dir, "none.xml")}, status: exitUsage, err: "none.xml"},
		{name: "no file named", args: nil, status: exitUsage, err: "name one file"},
		{name: "two files", args: []string{file, file}, status: exitUsage, err: "name one file"},
		{name: "unknown method", args: []string{"-method", "2.0", file}, status: exitUsage, err: `unknown method "2.0"`},
		{name: "prefixes of inclusive", args: []string{"-method", "1.0", "-prefixes", "p", file}, status: exitUsage, err: "-prefixes belongs"},
		{name: "unknown flag", args: []string{"-x"}, status: exitUsage, err: "-h` explains the flags"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			s := stdio{in: strings.NewReader(c.in), out: &out, err: &errs}
			if status := run(context.Background(), append([]string{"c14n"}, c.args...), s); status != c.status {
				t.Errorf("status %d, want %d; %s", status, c.status, errs.String())
			}
			if out.String() != c.out {
				t.Errorf("got  %s\nwant %s", out.String(), c.out)
			}
			if c.err == "" != (errs.Len() == 0) || !strings.Contains(errs.String(), c.err) {
				t.Errorf("standard error has %q, want %q", errs.String(), c.err)
			}
		})
	}
}

// brokenIO fails at every use.
type brokenIO struct{}

func (brokenIO) Read([]byte) (int, error)  { return 0, errors.New("it broke") }
func (brokenIO) Write([]byte) (int, error) { return 0, errors.New("it broke") }

func TestC14NBroken(t *testing.T) {
	for name, s := range map[string]stdio{
		"input":  {in: brokenIO{}, out: io.Discard},
		"output": {in: strings.NewReader("<r/>"), out: brokenIO{}},
	} {
		var errs bytes.Buffer
		s.err = &errs
		if status := run(context.Background(), []string{"c14n", "-"}, s); status != exitUsage || !strings.Contains(errs.String(), "it broke") {
			t.Errorf("%s: status %d, %s", name, status, errs.String())
		}
	}
}
