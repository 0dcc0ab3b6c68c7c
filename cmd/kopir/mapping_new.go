package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"kopir/gateway/soap"
	"kopir/mappings/sketch"
	"kopir/signature/xmltree"
)

// newFlags are those of `kopir mapping new`.
type newFlags struct {
	xsd, root, service, out string
	samples                 sampleList
}

// sampleList is a flag that may stand several times.
type sampleList []string

// String implements flag.Value.
func (l *sampleList) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *sampleList) Set(v string) error { *l = append(*l, v); return nil }

func (n *newFlags) add(flags *flag.FlagSet) {
	flags.StringVar(&n.xsd, "xsd", "", "XML schema of the document: `FILE`; those that it includes are read from beside it")
	flags.StringVar(&n.root, "root", "", "`NAME` of the document's element, where the schema has several")
	flags.Var(&n.samples, "sample", "a message as it was sent, or the bare document: `FILE`, or - ; several make the description surer")
	flags.StringVar(&n.service, "service", "", "`ID` of the new service (default: made of the gateway's serviceId, or the document's name)")
	flags.StringVar(&n.out, "out", "", "`FOLDER` to write ID.yaml into, which must not be there yet (default: standard output)")
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// describe writes a first description. Status: 0 written, 2 wrong use or
// unreadable input.
func (m *mappingRun) describe() int {
	n := &m.new
	if (n.xsd == "") == (len(n.samples) == 0) {
		m.complain("mapping new needs -xsd FILE, or -sample FILE (several if you like)")
		return exitUsage
	}
	var s *sketch.Sketch
	var frame sketch.Frame
	var err error
	if n.xsd != "" {
		s, err = sketch.FromXSD(beside(n.xsd), filepath.Base(n.xsd), n.root)
	} else {
		s, frame, err = m.fromSamples(n.samples)
	}
	if err != nil {
		m.complain("mapping new: %v", err)
		return exitUsage
	}
	frame.Service = n.service
	if frame.Service == "" {
		name := frame.ServiceID
		if name == "" {
			name = s.Root.Local
		}
		frame.Service = strings.Trim(notInName.ReplaceAllString(strings.ToLower(name), "-"), "-")
	}
	if !regexp.MustCompile(`^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$`).MatchString(frame.Service) {
		m.complain("mapping new: -service %q: lower-case Latin letters, digits and hyphens", frame.Service)
		return exitUsage
	}
	text := s.YAML(frame)
	if n.out == "" {
		if _, err := m.out.Write(text); err != nil {
			return exitUsage
		}
		return exitPassed
	}
	if err := os.MkdirAll(n.out, 0o755); err != nil {
		m.complain("mapping new: %v", err)
		return exitUsage
	}
	file := filepath.Join(n.out, frame.Service+".yaml")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		m.complain("mapping new: %s is there already; delete it, or choose another -service", file)
		return exitUsage
	}
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		m.complain("mapping new: %v", err)
		return exitUsage
	}
	fmt.Fprintf(m.out, "%s: %d places marked DECIDE\n", file, bytes.Count(text, []byte("DECIDE:")))
	return exitPassed
}

// beside opens the files that a schema names, in the schema's own folder only.
func beside(file string) func(string) ([]byte, error) {
	dir := filepath.Dir(file)
	return func(location string) ([]byte, error) {
		if u, err := url.Parse(location); err == nil && u.Scheme != "" {
			return nil, fmt.Errorf("the schema needs %s, which is not fetched: put it beside and write its file name into schemaLocation", location)
		}
		if !filepath.IsLocal(location) {
			return nil, fmt.Errorf("the schema needs %s, which lies outside its folder: put it beside", location)
		}
		b, err := os.ReadFile(filepath.Join(dir, location))
		if err != nil {
			return nil, errors.New(plainFileError(err))
		}
		return b, nil
	}
}

// fromSamples reads the documents of messages, or bare ones.
func (m *mappingRun) fromSamples(files []string) (*sketch.Sketch, sketch.Frame, error) {
	var frame sketch.Frame
	var roots []xmltree.Node
	for i, file := range files {
		src, err := readXML(file, m.in)
		if err != nil {
			return nil, frame, err
		}
		d, err := unwrap(src)
		if err != nil {
			return nil, frame, fmt.Errorf("%s: %w", file, err)
		}
		form := d.form
		if i > 0 && (form != frame.Form || d.serviceID != frame.ServiceID) {
			return nil, frame, fmt.Errorf("%s is of another service, or carried in another form, than %s", file, files[0])
		}
		frame.Form, frame.ServiceID = form, d.serviceID
		roots = append(roots, d.root)
	}
	s, err := sketch.FromSamples(roots)
	if err == nil {
		frame.Envelope = !s.Root.Signed
	}
	return s, frame, err
}

// unwrapped is the business document of a message.
type unwrapped struct {
	root      xmltree.Node
	form      string // as a description says it; empty of a bare document
	serviceID string
}

// unwrap finds the document in a message; what is no envelope is the document.
func unwrap(src []byte) (unwrapped, error) {
	doc, err := xmltree.Parse(bytes.TrimSpace(src), xmltree.DefaultLimits())
	if err != nil {
		return unwrapped{}, err
	}
	if doc.Root().Local() != "Envelope" {
		return unwrapped{root: doc.Root()}, nil
	}
	message, err := soap.Read(doc)
	if err != nil {
		return unwrapped{}, err
	}
	out := unwrapped{serviceID: message.ServiceID()}
	data := message.Data()
	switch data.Form {
	case soap.Nested:
		out.form = "nested"
		for n := range data.Node.Elements() {
			if n.Local() == "Signature" {
				continue
			}
			if !out.root.IsZero() {
				out.root = data.Node // data itself is the document
				break
			}
			out.root = n
		}
		if out.root.IsZero() || !out.root.HasElements() {
			out.root = data.Node
		}
		return out, nil
	case soap.Escaped, soap.Untyped, soap.CDATA:
		out.form = "escaped"
		if bytes.Contains(src, []byte("<![CDATA[")) {
			out.form = "cdata"
		}
		inner, err := xmltree.Parse(bytes.TrimSpace(data.Document()), xmltree.DefaultLimits())
		if err != nil {
			return out, fmt.Errorf("the document in data: %w", err)
		}
		out.root = inner.Root()
		return out, nil
	}
	return out, errors.New("there is no document in data")
}
