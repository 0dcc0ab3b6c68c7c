package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/httpsig"
	"kopir/gateway/signer"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/der"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
	"kopir/signature/xmltree"
)

// The bar that every reader keeps: nothing of a megabyte takes over 100 ms, or
// over 20 times its size in memory. The memory is counted and asserted. The
// time is shown (-v) and asserted with much room, because tests share the
// machine and run under the race detector: what is not linear takes minutes.
const barSize = 1 << 20

// reader is something that takes bytes of strangers.
type reader struct {
	name   string
	read   func([]byte)
	inputs map[string][]byte
}

func TestNoInputCostsTooMuch(t *testing.T) {
	for _, r := range readers(t) {
		for name, input := range r.inputs {
			t.Run(r.name+"/"+name, func(t *testing.T) {
				if len(input) < barSize/2 || len(input) > barSize+barSize/8 {
					t.Fatalf("%d bytes are not about a megabyte", len(input))
				}
				took, room := time.Hour, ^uint64(0)
				for range barTries { // others use the process and the machine too: the best of a few counts
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					start := time.Now()
					r.read(input)
					took = min(took, time.Since(start))
					runtime.ReadMemStats(&after)
					if room = min(room, after.TotalAlloc-before.TotalAlloc); took < 100*time.Millisecond && room <= barMemory*uint64(len(input)) {
						break
					}
				}
				t.Logf("%8.1f ms %6.1f ×", float64(took.Microseconds())/1000, float64(room)/float64(len(input)))
				if room > barMemory*uint64(len(input)) || took > barTime {
					t.Errorf("%d bytes take %v and %d bytes of memory", len(input), took, room)
				}
			})
		}
	}
}

// fill repeats a piece up to a megabyte, between a head and a tail.
func fill(head, piece, tail string) []byte {
	n := (barSize - len(head) - len(tail)) / len(piece)
	return []byte(head + strings.Repeat(piece, n) + tail)
}

// counted repeats a piece that holds its number.
func counted(head, piece, tail string) []byte {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; b.Len()+len(tail) < barSize-2*len(piece); i++ {
		b.WriteString(strings.ReplaceAll(piece, "#", fmt.Sprint(i)))
	}
	return []byte(b.String() + tail)
}

// asn is a value of DER.
func asn(tag byte, body ...[]byte) []byte {
	b := slices.Concat(body...)
	n := len(b)
	return slices.Concat([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, b)
}

func many(piece ...byte) []byte { return bytes.Repeat(piece, (barSize-64)/len(piece)) }

// hostileDER holds for every reader of DER.
func hostileDER() map[string][]byte {
	deep := bytes.Repeat([]byte{0x30, 0x80}, barSize/4)
	return map[string][]byte{
		"nested without lengths": append(deep, make([]byte, barSize/2)...),
		"nested":                 many(0x30, 0x84, 0x00, 0x0f, 0xff, 0xf0),
		"empty sequences":        asn(0x30, many(0x30, 0)),
		"huge set":               asn(0x30, asn(0x31, many(0x05, 0))),
		"repeated identifiers":   asn(0x30, asn(0x30, many(0x06, 3, 0x55, 4, 3))),
		"one identifier":         asn(0x30, asn(0x06, many(0xff))),
		"one number":             asn(0x30, asn(0x02, many(0x7f))),
		"one text":               asn(0x30, asn(0x0c, many('a'))),
		"octets in pieces":       slices.Concat([]byte{0x30, 0x80, 0x24, 0x80}, many(4, 1, 'a'), make([]byte, 4)),
		"zeros":                  make([]byte, barSize),
		"base64":                 []byte(strings.Repeat(base64.StdEncoding.EncodeToString(make([]byte, 48))+"\n", barSize/65)),
		"PEM blocks":             bytes.Repeat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0}}), barSize/62),
		"PEM without end":        fill("", "-----BEGIN CERTIFICATE-----\n", ""),
	}
}

// with adds to the inputs that hold for all.
func with(all, more map[string][]byte) map[string][]byte {
	for name, input := range more {
		all[name] = input
	}
	return all
}

func readers(t *testing.T) []reader {
	t.Helper()
	a, err := sigtest.NewAuthority("", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	person, err := a.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(1), Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := person.Key()
	if err != nil {
		t.Fatal(err)
	}
	trust := nuc.NewTrust()
	for _, raw := range [][]byte{a.Root(), a.Issuing()} {
		c, err := nuc.ParseCertificate(raw)
		if err != nil {
			t.Fatal(err)
		}
		trust.AddIntermediate(c)
		if c.IssuerName.Equal(c.SubjectName) {
			if err := trust.AddRoot(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	v := &signature.Verifier{Trust: trust}
	want := signature.Want{At: sigtest.Noon()}
	judge := func(src []byte) {
		if d, err := signature.ReadDocument(src); err == nil {
			v.Document(context.Background(), d, want)
		}
	}
	door, err := signer.New(signer.Options{Trust: trust, Clock: sigtest.Noon, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	post := func(path string) func([]byte) {
		return func(body []byte) {
			r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			door.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	list, err := a.CRL(sigtest.Noon(), sigtest.Noon().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := person.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return []reader{
		{"XML", func(src []byte) {
			doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
			if err != nil {
				return
			}
			_, _ = soap.Read(doc)
		}, hostileXML()},
		{"canonical form", func(src []byte) {
			doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
			if err != nil {
				return
			}
			doc.Canonical(make([]byte, 0, len(src)+len(src)/4), doc.Root(), xmltree.C14N{Kind: xmltree.Inclusive10, Comments: true})
		}, hostileXML()},
		{"exclusive form", func(src []byte) {
			doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
			if err != nil {
				return
			}
			prefixes := []string{"#default"}
			for i := range 99 {
				prefixes = append(prefixes, fmt.Sprint("p", i))
			}
			doc.Canonical(make([]byte, 0, len(src)+len(src)/4), doc.Root(), xmltree.C14N{Kind: xmltree.Exclusive, Prefixes: prefixes})
		}, hostileXML()},
		{"signed document", judge, hostileSignatures(t, key)},
		{"CMS", judge, with(hostileDER(), hostileCMS(t, key))},
		{"time stamp", func(src []byte) { v.TSP(context.Background(), src, nil, want) }, hostileDER()},
		{"time stamp request", func(src []byte) { _, _ = cms.ParseRequest(src) }, hostileDER()},
		{"BER", func(src []byte) { _, _ = der.FromBER("input", src) }, hostileDER()},
		{"list", func(src []byte) { _, _ = revocation.ParseCRL(src) }, with(hostileDER(), hostileLists(list))},
		{"OCSP answer", func(src []byte) { _, _ = revocation.ParseOCSP(src) }, hostileDER()},
		{"certificate", func(src []byte) { _, _ = nuc.ParsePEMOrDER(src) }, with(hostileDER(), map[string][]byte{
			"certificates": bytes.Repeat(person.PEM(), barSize/len(person.PEM())),
		})},
		{"key file", func(src []byte) { _, _ = keystore.Open(src, "password") }, with(hostileDER(), map[string][]byte{
			"keys":         bytes.Repeat(keyPEM, barSize/len(keyPEM)),
			"certificates": bytes.Repeat(person.PEM(), barSize/len(person.PEM())),
		})},
		{"trust bundle", func(src []byte) { _, _ = nuc.OpenBundle(src, nuc.Pin{}) }, map[string][]byte{
			"lines":        fill("kopir trust bundle 1\n", "issue: 1\n", ""),
			"certificates": append([]byte("kopir trust bundle 1\nissue: 1\ndate: 2026-06-01T12:00:00Z\n\n"), bytes.Repeat(person.PEM(), barSize/len(person.PEM()))...),
			"one line":     fill("kopir trust bundle 1\n", "a", ""),
			"empty lines":  fill("kopir trust bundle 1\n", "\n", ""),
		}},
		{"mapping", func(src []byte) { _, _ = mappings.ReadShape("m.yaml", src) }, hostileYAML()}, // the reader of all descriptions
		{"configuration", func(src []byte) { c := defaultConfig(); decodeStrict(src, &c) }, hostileYAML()},
		{"signer, /xml/verify", post("/xml/verify"), hostileJSON()},
		{"signer, /cms/sign", post("/cms/sign"), hostileJSON()},
		{"signer, /x509/info", post("/x509/info"), hostileJSON()},
		{"HTTP signature", func(src []byte) {
			_, _ = httpsig.Read(httpsig.Message{Header: http.Header{"Signature": {string(src)}, "Signature-Input": {string(src)}}})
		}, map[string][]byte{
			"parameters": counted("a=();", "p#=1;", ""),
			"components": counted("a=(", `"h#" `, ")"),
			"members":    counted("", "a#=(),", ""),
			"brackets":   fill("a=", "(", ""),
			"text":       fill(`a="`, `\\`, `"`),
		}},
		{"token URI", func(src []byte) { _, _ = keystore.ParseTokenURI(string(src)) }, map[string][]byte{
			"attributes": counted("pkcs11:", "a#=1;", ""), "percent": fill("pkcs11:id=", "%01", ""),
		}},
	}
}
