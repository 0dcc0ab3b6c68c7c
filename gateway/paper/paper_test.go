package paper

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"kopir/mappings"
)

// kazakh are the letters that Russian lacks.
const kazakh = "ӘәҒғҚқҢңӨөҰұҮүҺһІі"

// some is a Document of a service of the built-in descriptions.
func some(t testing.TB, service, result string) Document {
	t.Helper()
	set, faults := mappings.Builtin()
	for _, f := range faults {
		t.Fatal(f)
	}
	s, ok := set.Service(service)
	r, known := s.Result(result)
	if !ok || !known {
		t.Fatalf("no %s %s", service, result)
	}
	return ofResult(t, set, s, r)
}

func ofResult(t testing.TB, set *mappings.Set, s *mappings.Service, r mappings.Result) Document {
	t.Helper()
	at := time.Date(2026, 11, 25, 15, 4, 0, 0, set.Calendar.Zone())
	office, _ := set.Offices.Office("almaty-almaly-district-department")
	w := mappings.OutcomeWish{Number: "UC-2026-000123", Channel: "portal", ReceivedAt: at.AddDate(0, 0, -3), At: at, IIN: "900101300007", Applicant: "ТЕСТОВ ТЕСТ " + kazakh, Office: office, Result: r.ID,
		Post: mappings.Text{Ru: "Руководитель отдела", Kk: "Бөлім басшысы"}, Values: r.Sample(at)}
	if r.State == "refused" {
		w.GroundCode, w.Ground = "reasoned-refusal", mappings.Text{Ru: "Мотивированный отказ: нет документов", Kk: "Дәлелді бас тарту: құжаттар жоқ"}
	}
	out, faults, err := s.Outcome(w)
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	p, ok := s.Paper(r)
	if !ok {
		t.Fatal("no paper")
	}
	doc, err := out.Document()
	if err != nil {
		t.Fatal(err)
	}
	return Document{
		Paper: p, Outcome: out, Signer: "РУКОВОДОВ ТЕСТ", Organization: "ГУ «Тестовый отдел»", Serial: "4f1c2d3e4a5b6c7d8e9f", SignedAt: at, ValidTo: at.AddDate(1, 0, 0),
		Address: "https://kopir.example.kz/verify/0123456789abcdef0123456789abcdef",
		File:    File{Name: "result.xml", MediaType: "application/xml", Content: doc, SHA256: strings.Repeat("0123456789abcdef", 4)},
	}
}

// objects are those of a file, read by its cross-reference table, and its trailer.
type objects struct {
	t       *testing.T
	body    map[int][]byte
	trailer string
}

func read(t *testing.T, pdf []byte) objects {
	t.Helper()
	start, offsets, err := crossReferences(pdf)
	if err != nil {
		t.Fatal(err)
	}
	o := objects{t: t, body: map[int][]byte{}}
	for i, at := range offsets {
		end := start
		for _, other := range offsets {
			if other > at {
				end = min(end, other)
			}
		}
		o.body[i+1] = pdf[at:end]
		if !bytes.HasPrefix(pdf[at:], fmt.Appendf(nil, "%d 0 obj\n", i+1)) || !bytes.HasSuffix(bytes.TrimRight(pdf[at:end], "\n"), []byte("\nendobj")) {
			t.Errorf("object %d does not begin and end as it must (6.1.9)", i+1)
		}
	}
	_, o.trailer, _ = strings.Cut(string(pdf[start:]), "trailer")
	return o
}

// follow gives the object that a key of a dictionary refers to.
func (o objects) follow(from, key string) string {
	o.t.Helper()
	m := regexp.MustCompile(regexp.QuoteMeta(key) + `[\s\[]*(\d+) 0 R`).FindStringSubmatch(from)
	if m == nil {
		o.t.Fatalf("no %s in %.200s", key, from)
	}
	n, _ := strconv.Atoi(m[1])
	return string(o.body[n])
}

func (o objects) stream(object string) []byte {
	o.t.Helper()
	head, rest, ok := strings.Cut(object, "stream\n")
	m := regexp.MustCompile(`/Length (\d+)`).FindStringSubmatch(head)
	if !ok || m == nil {
		o.t.Fatalf("no stream in %.100s", object)
	}
	n, _ := strconv.Atoi(m[1])
	if !strings.HasPrefix(rest[n:], "\nendstream") {
		o.t.Errorf("a stream is not %d bytes long (6.1.7.1)", n)
	}
	if !strings.Contains(head, "/FlateDecode") {
		return []byte(rest[:n])
	}
	r, err := zlib.NewReader(strings.NewReader(rest[:n]))
	if err != nil {
		o.t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

// TestArchive holds the file of every result of every service against what
// ISO 19005-3 asks of level B and can be read from the structure. It is no
// validator: what a font program or a content stream may hold is looked at by
// the programs of TestReaders only.
func TestArchive(t *testing.T) {
	set, _ := mappings.Builtin()
	for _, s := range set.Services() {
		for _, r := range s.Results {
			d := ofResult(t, set, s, r)
			pdf, err := Print(d)
			if err != nil {
				t.Fatalf("%s %s: %v", s.ID, r.ID, err)
			}
			archived(t, d, pdf)
		}
	}
}

func archived(t *testing.T, d Document, pdf []byte) {
	t.Helper()
	head, rest, _ := bytes.Cut(pdf, []byte("\n"))
	if string(head) != "%PDF-1.7" || rest[0] != '%' || rest[1] < 128 || rest[2] < 128 || rest[3] < 128 || rest[4] < 128 {
		t.Error("6.1.2: the header")
	}
	if !bytes.HasSuffix(pdf, []byte("%%EOF\n")) || bytes.Contains(pdf, []byte("/Encrypt")) || bytes.Contains(pdf, []byte("/JavaScript ")) {
		t.Error("6.1.3, 6.5: the trailer, encryption or a script")
	}
	o := read(t, pdf)
	if !regexp.MustCompile(`/ID\[<[0-9a-f]{32}><[0-9a-f]{32}>\]`).MatchString(o.trailer) || strings.Contains(o.trailer, "/Info") {
		t.Error("6.1.3: ID:", o.trailer)
	}
	catalog := o.follow(o.trailer, "/Root")
	var x struct {
		Part  string `xml:"RDF>Description>part"`
		Level string `xml:"RDF>Description>conformance"`
		Title string `xml:"RDF>Description>title>Alt>li"`
	}
	meta := o.follow(catalog, "/Metadata")
	if err := xml.Unmarshal(o.stream(meta), &x); err != nil || x.Part != "3" || x.Level != "B" || !strings.Contains(x.Title, d.Outcome.Number) || strings.Contains(meta, "/Filter") {
		t.Errorf("6.6: metadata %+v, %v", x, err)
	}
	if !strings.Contains(catalog, "/S/GTS_PDFA1") || !strings.Contains(catalog, "/Lang(kk)") {
		t.Error("6.2.3: output intent:", catalog)
	}
	icc := o.stream(o.follow(catalog, "/DestOutputProfile"))
	if int(binary.BigEndian.Uint32(icc)) != len(icc) || string(icc[36:40]) != "acsp" || string(icc[16:20]) != "RGB " {
		t.Error("6.2.3: the profile")
	}
	spec := o.follow(catalog, "/AF")
	if !strings.Contains(spec, "/AFRelationship/Source") || !strings.Contains(spec, "/UF<FEFF") || !strings.Contains(catalog, "/EmbeddedFiles") {
		t.Error("6.8: the file specification:", spec)
	}
	file := o.follow(spec, "/EF<</F")
	if !bytes.Equal(o.stream(file), d.File.Content) || !strings.Contains(file, "/Subtype/application#2Fxml") || !strings.Contains(file, "/ModDate(D:2026") {
		t.Errorf("6.8: the embedded file: %.200s", file)
	}
	fonts := 0
	for _, body := range o.body {
		b := string(body)
		if strings.Contains(b, "/Subtype /Type0") {
			fonts++
			o.stream(o.follow(b, "/ToUnicode"))
			cid := o.follow(b, "/DescendantFonts")
			o.stream(o.follow(cid, "/CIDToGIDMap"))
			program := o.stream(o.follow(o.follow(cid, "/FontDescriptor"), "/FontFile2"))
			if len(program) < 1000 || binary.BigEndian.Uint32(program) != 0x00010000 {
				t.Error("6.2.11.4: a font program")
			}
		}
		if strings.Contains(b, "/Contents") && !strings.Contains(b, "/Kids") {
			for _, line := range bytes.Split(o.stream(o.follow(b, "/Contents")), []byte("\n")) {
				if bytes.HasSuffix(line, []byte(" k")) || bytes.HasSuffix(line, []byte(" K")) {
					t.Errorf("6.2.4.3: CMYK: %s", line)
				}
			}
		}
	}
	if fonts != 2 {
		t.Errorf("%d fonts", fonts)
	}
}

// TestSameBytes: the same document gives the same file, another a different one.
func TestSameBytes(t *testing.T) {
	d := some(t, "almaty-unemployed-certificate", "unemployed-registration-certificate")
	first, err := Print(d)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if again, err := Print(d); err != nil || !bytes.Equal(first, again) {
			t.Fatal("other bytes", err)
		}
	}
	d.Signer = "ДРУГОЙ"
	if other, err := Print(d); err != nil || bytes.Equal(first, other) {
		t.Error("the same bytes for another signer", err)
	}
}

// TestReaders: programs of others read the file and give every word back, in
// both languages and in each.
func TestReaders(t *testing.T) {
	d := some(t, "karaganda-child-allowance-under-18", "child-allowance-assignment-notice")
	text := func(languages ...string) string {
		t.Helper()
		d.Languages = languages
		pdf, err := Print(d)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "result.pdf")
		if err := os.WriteFile(file, pdf, 0o600); err != nil {
			t.Fatal(err)
		}
		if qpdf, err := exec.LookPath("qpdf"); err == nil {
			if out, err := exec.Command(qpdf, "--check", file).CombinedOutput(); err != nil {
				t.Errorf("qpdf: %v: %s", err, out)
			}
		}
		out, err := exec.Command("pdftotext", file, "-").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(out)), " ")
	}
	if _, err := exec.LookPath("pdftotext"); err != nil {
		t.Skip("pdftotext (poppler-utils) is missing, so no other program reads what was printed")
	}
	both := text()
	for _, want := range []string{kazakh, d.Outcome.Text[1].Kk, d.Outcome.Text[1].Ru, d.Outcome.Name.Kk[2:], d.Outcome.Values[0].Label.Kk, d.Signer, d.Serial, d.Outcome.Number} {
		if !strings.Contains(both, want) {
			t.Errorf("%q does not come back from %s", want, both)
		}
	}
	if ru := text("ru"); strings.Contains(ru, d.Outcome.Text[1].Kk) || !strings.Contains(ru, d.Outcome.Text[1].Ru) {
		t.Error("Russian only:", ru)
	}
	if kk := text("kk"); strings.Contains(kk, d.Outcome.Text[1].Ru) || !strings.Contains(kk, d.Outcome.Text[1].Kk) {
		t.Error("Kazakh only:", kk)
	}
}

// TestLongAndStrange: what is too long goes on on another page, what the fonts
// lack is replaced, what cannot be printed is an error.
func TestLongAndStrange(t *testing.T) {
	d := some(t, "almaty-unemployed-certificate", "reasoned-refusal")
	d.Outcome.Text = append(d.Outcome.Text, mappings.Text{Ru: strings.Repeat("Очень длинное основание. ", 400), Kk: strings.Repeat("Өте ұзын негіз. ", 400)})
	d.Outcome.Applicant = "陈 \x00 ТЕСТ"
	d.File.Name = "résultat (1).xml"
	pdf, err := Print(d)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(pdf, []byte("/Type /Page\n")); n < 3 {
		t.Errorf("%d pages", n)
	}
	archived(t, d, pdf)
	if got := printable("陈a\tқ"); got != "?a қ" {
		t.Errorf("%q", got)
	}
	for _, r := range kazakh + "«»—–№…“”’ёЁ" {
		if !covered()[r] {
			t.Errorf("the fonts lack %c", r)
		}
	}
	d.Address = strings.Repeat("a", 5000)
	if _, err := Print(d); err == nil {
		t.Error("an address that fits no code was printed")
	}
	d.Languages = []string{"en"}
	if _, err := Print(d); err == nil {
		t.Error("printed in English, which no act has")
	}
	if _, err := archive([]byte("%PDF-1.3\n%%EOF\n"), about{}); err == nil {
		t.Error("made an archive of nothing")
	}
}

func BenchmarkPrint(b *testing.B) {
	d := some(b, "almaty-unemployed-certificate", "unemployed-registration-certificate")
	if _, err := Print(d); err != nil { // what is made once
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Print(d); err != nil {
			b.Fatal(err)
		}
	}
}
