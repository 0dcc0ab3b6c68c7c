package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kopir/gateway/bundle"
	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// forger writes containers as the bridge does, with the bridge's own key: what
// whoever has stolen it could do.
type forger struct {
	t    *testing.T
	sign func([]byte) []byte
}

func newForger(t *testing.T, p *play) forger {
	return forger{t, func(manifest []byte) []byte {
		at := time.Now()
		signed, err := signature.SignCMS(manifest, p.materials.keys.Signing(at), signature.CMSOptions{SigningTime: at, Detached: true})
		if err == nil {
			signed, err = p.node.stamper.Stamp(context.Background(), signed)
		}
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}}
}

// pack puts files together again, the manifest made to fit.
func (f forger) pack(files, before map[string][]byte) []byte {
	const manifest, seal = "META-INF/ASiCManifest.xml", "META-INF/signature.p7s"
	m := string(before[manifest])
	var order []string
	for _, n := range fileNames(files) {
		if n == "mimetype" || n == manifest || n == seal {
			continue
		}
		order = append(order, n)
		if old, ok := before[n]; ok {
			m = strings.Replace(m, `URI="`+n+`"`+between(m, `URI="`+n+`"`, "</ds:DigestValue>"), `URI="`+n+`"`+strings.Replace(between(m, `URI="`+n+`"`, "</ds:DigestValue>"), digest(old), digest(files[n]), 1), 1)
		}
	}
	for n := range before {
		if _, ok := files[n]; !ok {
			at := strings.Index(m, `<asic:DataObjectReference URI="`+n+`"`)
			m = m[:at] + m[at+strings.Index(m[at:], "\n")+1:]
		}
	}
	all := []string{"mimetype"}
	all = append(append(all, order...), manifest, seal)
	content := func(n string) []byte {
		switch n {
		case manifest:
			return []byte(m)
		case seal:
			return f.sign([]byte(m))
		}
		return files[n]
	}
	return zipped(f.t, all, content)
}

func between(s, after, before string) string {
	_, s, _ = strings.Cut(s, after)
	s, _, _ = strings.Cut(s, before)
	return s
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func zipped(t *testing.T, order []string, content func(string) []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range order {
		c := content(n)
		to, err := w.CreateRaw(&zip.FileHeader{Name: n, Method: zip.Store, CreatorVersion: 20, ReaderVersion: 20, CRC32: crc32.ChecksumIEEE(c), CompressedSize64: uint64(len(c)), UncompressedSize64: uint64(len(c))})
		if err == nil {
			_, err = to.Write(c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestBundleTampering changes a bundle at random: bits, bytes that are left
// out, swapped, cut off or put twice. Everything is found, or the bytes are the
// same. KOPIR_TAMPER is how often; 10,000 take about a minute.
func TestBundleTampering(t *testing.T) {
	times := 600
	if n, err := strconv.Atoi(os.Getenv("KOPIR_TAMPER")); err == nil {
		times = n
	}
	p, number := settledPlay(t)
	tampered(t, readAll(t, p.bundleFile(t, number)), p.roots(t), times)
}

// tampered changes a bundle that passes.
func tampered(t *testing.T, whole []byte, roots *nuc.Trust, times int) {
	t.Helper()
	if r := bundle.Verify(whole, bundle.Options{Trust: roots}); r.Outcome != verdict.Passed {
		t.Fatalf("%+v", r)
	}
	rnd := rand.New(rand.NewPCG(5, 11))
	for i := range times {
		n, m := rnd.IntN(len(whole)), rnd.IntN(len(whole))
		a, b := min(n, m), min(max(n, m)+1, min(n, m)+2000, len(whole))
		var bad []byte
		what := ""
		switch i % 5 {
		case 0:
			bit := rnd.IntN(8)
			bad, what = bytes.Clone(whole), fmt.Sprintf("bit %d of byte %d", bit, n)
			bad[n] ^= 1 << bit
		case 1:
			bad, what = slices.Concat(whole[:a], whole[b:]), fmt.Sprintf("without bytes %d to %d", a, b)
		case 2:
			c := a + (b-a)/2
			bad, what = slices.Concat(whole[:a], whole[c:b], whole[a:c], whole[b:]), fmt.Sprintf("swapped at %d, %d, %d", a, c, b)
		case 3:
			bad, what = whole[:n], fmt.Sprintf("cut at %d", n)
		case 4:
			bad, what = slices.Concat(whole[:b], whole[a:]), fmt.Sprintf("bytes %d to %d twice", a, b)
		}
		r := bundle.Verify(bad, bundle.Options{Trust: roots})
		if !bytes.Equal(bad, whole) && (r.Outcome != verdict.Failed || len(r.Faults) == 0) {
			t.Fatalf("%s: %+v", what, r)
		}
	}
}

// TestBundleForged: whoever holds the bridge's key can seal what he likes, but
// not what the journal has under earlier checkpoints.
func TestBundleForged(t *testing.T) {
	p, number := settledPlay(t)
	other := settleOne(t, p)
	roots, f := p.roots(t), newForger(t, p)
	whole, foreign := readAll(t, p.bundleFile(t, number)), unzip(t, readAll(t, p.bundleFile(t, other)))
	before := unzip(t, whole)
	if again := f.pack(before, before); bundle.Verify(again, bundle.Options{Trust: roots}).Outcome != verdict.Passed {
		t.Fatalf("%+v", bundle.Verify(again, bundle.Options{Trust: roots}))
	}
	must := func(name, code string, change func(map[string][]byte)) {
		t.Helper()
		files := map[string][]byte{}
		for n, c := range before {
			files[n] = bytes.Clone(c)
		}
		change(files)
		r := bundle.Verify(f.pack(files, before), bundle.Options{Trust: roots})
		if r.Outcome != verdict.Failed || !slices.ContainsFunc(r.Faults, func(f bundle.Fault) bool { return f.Code == code && strings.Contains(f.File, name) }) {
			t.Errorf("%s: not found as %s: %+v %+v", name, code, r.Faults, r.Doubts)
		}
	}
	for _, n := range fileNames(before) {
		folder, _, _ := strings.Cut(n, "/")
		switch folder {
		case "mimetype", "index.json", "META-INF":
			continue
		case "journal":
			must(n, "chain", func(files map[string][]byte) {
				files[n] = bytes.Replace(files[n], []byte("completed"), []byte("refused"), 1)
			})
			must(n, "chain", func(files map[string][]byte) { files[n] = foreign[n][:bytes.IndexByte(foreign[n], '\n')+1] })
			must(n, "record-foreign", func(files map[string][]byte) { files[n] = foreign[n] })
		case "proofs": // named by their digest in the verdicts, in the record of the configuration, or needed by nobody
			if strings.HasSuffix(n, ".yaml") {
				must("", "mapping-unrecorded", func(files map[string][]byte) { files[n] = append(files[n], '\n') })
			}
		default:
			must(n, "row-changed", func(files map[string][]byte) { files[n][len(files[n])/2] ^= 1 })
			if len(foreign[n]) > 0 && !bytes.Equal(foreign[n], before[n]) {
				must(n, "row-changed", func(files map[string][]byte) { files[n] = foreign[n] })
			}
			must(n, "missing", func(files map[string][]byte) { delete(files, n) })
		}
	}
	must("", "row-gone", func(files map[string][]byte) {
		var x map[string]any
		if err := json.Unmarshal(files["index.json"], &x); err != nil {
			t.Fatal(err)
		}
		text := string(files["index.json"])
		at := strings.Index(text, "  {\n   \"what\": \"result\"")
		end := at + strings.Index(text[at:], "\n  },\n") + len("\n  },\n")
		files["index.json"] = []byte(text[:at] + text[end:])
		for _, n := range fileNames(files) {
			if strings.HasPrefix(n, "result/") {
				delete(files, n)
			}
		}
	})
}
