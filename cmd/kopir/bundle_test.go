package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/bundle"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// settledPlay is a bridge beside its simulator that has carried one application
// from its filing to its result.
func settledPlay(t *testing.T) (p *play, number string) {
	t.Helper()
	p, err := newPlay(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
	p.start(t.Context())
	p.stage = newStage(stdio{out: io.Discard, env: func(string) string { return "" }}, mappings.English, p.materials.set.Texts)
	return p, settleOne(t, p)
}

// settleOne brings another application to its result.
func settleOne(t *testing.T, p *play) string {
	t.Helper()
	sc, err := newScene(p.materials.set, "almaty-unemployed-certificate", "portal")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, s := range p.stepsOf(sc) {
		if s.key == "step-revocation" {
			continue // of a second application the answer is known
		}
		if err := s.do(ctx, sc); err != nil {
			t.Fatalf("%s: %v", s.key, err)
		}
	}
	waitFor(t, "every delivery is made, and the gateway's word on each has come", func() bool {
		page, err := p.node.store.Deliveries(t.Context(), gateway.DeliveryFilter{Application: sc.app.Number}, "", 100)
		return err == nil && !slices.ContainsFunc(page.Deliveries, func(d gateway.Delivery) bool {
			return d.State != gateway.Done || d.MessageType != "" && d.PeerState != string(soap.Delivered)
		})
	})
	return sc.app.Number
}

func (p *play) bundleFile(t *testing.T, number string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.asice")
	must(t, exitPassed, "journal", "export", "-config", filepath.Join(p.dir, "kopir.yaml"), "-o", path, number)
	return path
}

func (p *play) roots(t *testing.T) *nuc.Trust {
	t.Helper()
	trust, err := nuc.LoadTrust(filepath.Join(p.dir, "trust"))
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// TestBundle: the bundle of a settled application is verified anywhere, in three
// languages, and by others' programs.
func TestBundle(t *testing.T) {
	p, number := settledPlay(t)
	if _, err := p.node.bridge.ResultPaper(t.Context(), number, ""); err != nil {
		t.Fatal(err)
	}
	path, trust := p.bundleFile(t, number), filepath.Join(p.dir, "trust")
	for lang, want := range map[string]string{"ru": "ПОДТВЕРЖДЕНО", "kk": "РАСТАЛДЫ", "en": "PASSED"} {
		out := must(t, exitPassed, "journal", "verify", "-trust", trust, "-lang", lang, path)
		if !strings.HasPrefix(out, want) || strings.Contains(out, "[bundle.") || !strings.Contains(out, number) {
			t.Errorf("%s: %s", lang, out)
		}
	}
	var r bundle.Report
	if err := json.Unmarshal([]byte(must(t, exitPassed, "journal", "verify", "-json", "-trust", trust, path)), &r); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, j := range r.Signatures {
		kinds[j.Kind]++
	}
	if r.Outcome != verdict.Passed || !r.Stamped || r.State != "completed" || kinds["person"] != 1 || kinds["official"] != 1 || kinds["system"] == 0 || kinds["sent"] == 0 || len(r.Faults)+len(r.Doubts) > 0 {
		t.Errorf("%+v", r)
	}
	files := unzip(t, readAll(t, path))
	for _, want := range []string{"application/0001-body.json", "messages/0001-raw.xml", "result/0001-content.xml", "papers/0001-content.pdf", "deliveries/0001-body.json", "history/0001-body.json"} {
		if files[want] == nil {
			t.Errorf("no %s", want)
		}
	}
	for end, folder := range map[string]string{".ocsp": "proofs/", ".cer": "proofs/", ".yaml": "proofs/", "-sent.xml": "deliveries/", "-proofs.json": "verdicts/"} {
		if !slices.ContainsFunc(fileNames(files), func(n string) bool { return strings.HasPrefix(n, folder) && strings.HasSuffix(n, end) }) {
			t.Errorf("nothing in %s ends with %s", folder, end)
		}
	}
	// Whom nobody vouches for is nobody, and another organisation is another.
	must(t, exitIndeterminate, "journal", "verify", path)
	must(t, exitFailed, "journal", "verify", "-trust", trust, "-bin", "000040000001", path)
	must(t, exitUsage, "journal", "verify", "-lang", "xx", path)
	must(t, exitUsage, "journal", "verify", "no such.asice")
	must(t, exitFailed, "journal", "export", "-config", filepath.Join(p.dir, "kopir.yaml"), "-o", filepath.Join(t.TempDir(), "x"), "UC-1999-000001")

	t.Run("unzip", func(t *testing.T) {
		witness(t, "unzip", "-t", "-q", path)
	})
	t.Run("openssl", func(t *testing.T) {
		dir := t.TempDir()
		for name, content := range map[string][]byte{"m.xml": files["META-INF/ASiCManifest.xml"], "s.p7s": files["META-INF/signature.p7s"]} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		witness(t, "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "s.p7s"), "-content", filepath.Join(dir, "m.xml"), "-noverify", "-out", os.DevNull)
	})
}

// witness runs another's program, which must agree.
func witness(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed; .ci/witnesses installs it", name)
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
}

func unzip(t *testing.T, raw []byte) map[string][]byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func fileNames(files map[string][]byte) (all []string) {
	for n := range files {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// TestBundleHostile: containers that no bridge has written are refused by name.
func TestBundleHostile(t *testing.T) {
	deflated := func() []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		to, _ := w.Create("mimetype")
		to.Write(make([]byte, 100<<20))
		w.Close()
		return b.Bytes()
	}
	plain := func(names ...string) []byte {
		return zipped(t, names, func(n string) []byte {
			if n == "mimetype" {
				return []byte("application/vnd.etsi.asic-e+zip")
			}
			return []byte("x")
		})
	}
	many := []string{"mimetype"}
	for i := range 60000 {
		many = append(many, fmt.Sprint("f", i))
	}
	for _, c := range []struct {
		name, code string
		raw        []byte
	}{
		{"empty", "no-container", nil},
		{"no zip", "no-container", []byte("PK\x03\x04 and nothing more")},
		{"a bomb", "compressed", deflated()},
		{"a way out", "bad-name", plain("mimetype", "../../etc/passwd")},
		{"absolute", "bad-name", plain("mimetype", "/etc/passwd")},
		{"of another system", "bad-name", plain("mimetype", `a\..\b`)},
		{"hidden", "bad-name", plain("mimetype", ".profile")},
		{"a name in disguise", "bad-name", plain("mimetype", "index.json\x00.xml")},
		{"twice", "twice", plain("mimetype", "index.json", "index.json")},
		{"too many", "too-many-files", plain(many...)},
		{"not first", "not-first", plain("index.json", "mimetype", "META-INF/ASiCManifest.xml", "META-INF/signature.p7s")},
		{"no manifest", "missing", plain("mimetype", "index.json", "META-INF/signature.p7s")},
		{"no seal", "missing", plain("mimetype", "index.json", "META-INF/ASiCManifest.xml")},
		{"manifest is no XML", "unreadable", plain("mimetype", "index.json", "META-INF/ASiCManifest.xml", "META-INF/signature.p7s")},
	} {
		r := bundle.Verify(c.raw, bundle.Options{})
		if r.Outcome != verdict.Failed || len(r.Faults) != 1 || r.Faults[0].Code != c.code {
			t.Errorf("%s: %+v", c.name, r.Faults)
		}
	}
}

// TestBundleOverREST: the door hands out what the command writes, and the file
// says who had it.
func TestBundleOverREST(t *testing.T) {
	p, number := settledPlay(t)
	d := &restDesk{t, p, p.key}
	at := "/applications/" + number + "/bundle"
	got := d.want(d.call("GET", at, ""), 200, "")
	path := filepath.Join(t.TempDir(), "rest.asice")
	if err := os.WriteFile(path, got.body, 0o600); err != nil {
		t.Fatal(err)
	}
	if h := got.header; h.Get("Content-Type") != "application/vnd.etsi.asic-e+zip" || h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("Content-Disposition"), number+".asice") {
		t.Errorf("%v", h)
	}
	var r bundle.Report
	if err := json.Unmarshal([]byte(must(t, exitPassed, "journal", "verify", "-json", "-trust", filepath.Join(p.dir, "trust"), path)), &r); err != nil {
		t.Fatal(err)
	}
	if r.Outcome != verdict.Passed || !r.Stamped || !slices.Contains(r.Readers, "specialist") {
		t.Errorf("%+v", r)
	}
	rest, written := unzip(t, got.body), unzip(t, readAll(t, p.bundleFile(t, number)))
	if !slices.Equal(fileNames(rest), fileNames(written)) {
		t.Errorf("%v\nand not\n%v", fileNames(rest), fileNames(written))
	}
	for name, content := range rest {
		switch name {
		case "index.json", "journal/chain.jsonl", "META-INF/ASiCManifest.xml", "META-INF/signature.p7s":
			continue // made at another time
		}
		if !bytes.Equal(content, written[name]) {
			t.Errorf("%s differs", name)
		}
	}
	if err := json.Unmarshal([]byte(must(t, exitPassed, "journal", "verify", "-json", "-trust", filepath.Join(p.dir, "trust"), p.bundleFile(t, number))), &r); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(r.Readers, operator()) { // who ran the command
		t.Errorf("%v", r.Readers)
	}
	d.want(d.call("GET", "/applications/UC-1999-000001/bundle", ""), 404, "not_found")
	must(t, exitFailed, "journal", "export", "-config", filepath.Join(p.dir, "kopir.yaml"), "-o", filepath.Join(t.TempDir(), "x"), "UC-1999-000001")
}
