package gateway_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"kopir/gateway"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/xmltree"
)

// signed puts the official's signature into a document.
func (w *town) signed(by string, doc []byte) *gateway.Document {
	w.t.Helper()
	out, err := signature.SignEnveloped(doc, w.keys[by], signature.SignOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return &gateway.Document{Content: out}
}

// TestResultsAreBoundToTheirApplication: everything here is really signed by
// the official of the provider, over the whole document; only what it says, or
// for whom, is wrong. Nothing of it may end the application.
func TestResultsAreBoundToTheirApplication(t *testing.T) {
	w := newTown(t)
	ctx, ann := t.Context(), gateway.Actor{Name: "ann"}
	mine, _ := w.apply("m-1")
	other, _ := w.apply("m-2")
	for _, a := range []*gateway.Application{mine, other} {
		if _, err := w.bridge.Take(ctx, a.Number, ann); err != nil {
			t.Fatal(err)
		}
	}
	draft := w.draftOf(mine.Number, gateway.ResultWish{}).Content
	edited := func(old, new string) *gateway.Document {
		t.Helper()
		if !bytes.Contains(draft, []byte(old)) {
			t.Fatalf("the draft has no %s:\n%s", old, draft)
		}
		return w.signed("official", bytes.Replace(draft, []byte(old), []byte(new), 1))
	}
	iin := string(mine.Applicant.IIN)
	whole := w.signed("official", draft)
	inside := append(append([]byte("<result><note>unsigned</note>"), whole.Content...), "</result>"...)
	cms := func(content []byte, detached bool) *gateway.Document {
		return &gateway.Document{Content: w.cms(content, w.keys["official"], signature.CMSOptions{Detached: detached})}
	}
	cases := []struct {
		name  string
		doc   *gateway.Document
		code  gateway.Code
		field string
	}{
		{"the result of another application", w.result("official", other.Number, ""), gateway.WrongResult, "application/number"},
		{"the same as CMS", cms(w.draftOf(other.Number, gateway.ResultWish{}).Content, false), gateway.WrongResult, "application/number"},
		{"of another service", edited("<id>"+certificate, "<id>almaty-job-seeker-registration"), gateway.WrongResult, "service/id"},
		{"of another applicant", edited("<iin>"+iin, "<iin>850505400456"), gateway.WrongResult, "applicant"},
		{"of nobody", edited("<iin>"+iin+"</iin>", ""), gateway.WrongResult, "applicant"},
		{"another decision under the same result", edited("<state>completed", "<state>refused"), gateway.WrongResult, "decision"},
		{"a negative one that calls itself positive", edited("<kind>positive", "<kind>negative"), gateway.WrongResult, "decision"},
		{"a result that the service does not have", edited("<result>unemployed", "<result>employed"), gateway.WrongResult, "decision"},
		{"dated tomorrow", edited("<date>2026-11-25", "<date>2026-11-26"), gateway.WrongResult, "decision/date"},
		{"dated before the application", edited("<date>2026-11-25", "<date>2026-11-24"), gateway.WrongResult, "decision/date"},
		{"two numbers", edited("<application>", "<application><number>"+other.Number+"</number>"), gateway.WrongResult, "result/content"},
		{"an element of its own", edited("<decision>", "<decision><also>more</also>"), gateway.WrongResult, "result/content"},
		{"an element of another namespace", edited("<decision>", `<x xmlns="urn:x">1</x><decision>`), gateway.WrongResult, "result/content"},
		{"drawn up for another official", w.signed("official", w.draftOf(mine.Number, gateway.ResultWish{Official: gateway.Party{Name: "ДРУГОЙ", IIN: "850505400456"}}).Content), gateway.WrongResult, "official/iin"},
		{"a shape that the description does not name", w.signed("official", []byte("<certificate><number>"+mine.Number+"</number></certificate>")), gateway.WrongResult, "result/content"},
		{"a genuine one inside an unsigned document", &gateway.Document{Content: inside}, gateway.SignatureRefused, "result/content"},
		{"CMS without its content", cms(draft, true), gateway.SignatureRefused, "result/content"},
		{"CMS around what is no XML", cms([]byte("%PDF-1.4"), false), gateway.WrongResult, "result/content"},
		{"not asked for: another result than the caller says", &gateway.Document{Content: whole.Content, Kind: "reasoned-refusal"}, gateway.WrongResult, "decision/result"},
	}
	for _, c := range cases {
		_, err := w.bridge.Decide(ctx, mine.Number, ann, gateway.Decision{Result: c.doc})
		var e *gateway.Error
		if gateway.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		} else if e = err.(*gateway.Error); !strings.Contains(e.Field, c.field) {
			t.Errorf("%s: blames %s, want %s", c.name, e.Field, c.field)
		}
	}
	if _, err := w.bridge.Decide(ctx, mine.Number, ann, gateway.Decision{State: gateway.Refused, Result: whole, Ground: &gateway.Ground{Code: "eds-not-confirmed"}}); gateway.CodeOf(err) != gateway.WrongResult {
		t.Errorf("a positive result taken for a refusal: %v", err)
	}
	if a, err := w.bridge.Application(ctx, mine.Number); err != nil || a.State != gateway.InProgress || a.Result != nil {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := w.bridge.Decide(ctx, mine.Number, ann, gateway.Decision{Result: whole}); err != nil {
		t.Errorf("the right one: %v", err)
	}
	signedCMS := cms(w.draftOf(other.Number, gateway.ResultWish{}).Content, false)
	after, err := w.bridge.Decide(ctx, other.Number, ann, gateway.Decision{Result: signedCMS})
	if err != nil || after.State != gateway.Completed || after.Result.MediaType != "application/pkcs7-mime" || after.Result.Kind != "unemployed-registration-certificate" {
		t.Errorf("the right one as CMS: %+v, %v", after, err)
	}
}

// TestSignedRefusal: the ground of a refusal is the one that was signed.
func TestSignedRefusal(t *testing.T) {
	w := newTown(t)
	ctx, ann := t.Context(), gateway.Actor{Name: "ann"}
	app, _ := w.apply("m-1")
	wish := gateway.ResultWish{State: gateway.Refused, Result: "reasoned-refusal", Ground: &gateway.Ground{Text: gateway.Text{RU: "нет документов", KK: "құжаттар жоқ"}}, Values: map[string]string{}}
	if _, err := w.bridge.DraftResult(ctx, app.Number, gateway.ResultWish{State: gateway.Refused}); gateway.CodeOf(err) != gateway.Malformed {
		t.Errorf("a refusal without a ground: %v", err)
	}
	signed := w.signed("official", w.draftOf(app.Number, wish).Content)
	a, err := w.bridge.Decide(ctx, app.Number, ann, gateway.Decision{Result: signed})
	if err != nil || a.State != gateway.Refused || a.Refusal == nil || a.Refusal.Code != "reasoned-refusal" || !strings.Contains(a.Refusal.Text.KK, "құжаттар жоқ") {
		t.Fatalf("%+v, %v", a, err)
	}
	if a.Result == nil || a.Result.Kind != "reasoned-refusal" || a.Result.SignedBy == nil {
		t.Errorf("result %+v", a.Result)
	}
}

// TestForeignResults: a document of the akimat's own system names the
// application where the description says.
func TestForeignResults(t *testing.T) {
	src, err := os.ReadFile("../mappings/" + certificate + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	const keys = "foreign_results:\n  - {root: {name: spravka}, number: shapka/nomer, applicant: iin, result: vid}\n\nrefusals:"
	set, faults := mappings.Load(fstest.MapFS{certificate + ".yaml": {Data: bytes.Replace(src, []byte("\nrefusals:"), []byte("\n"+keys), 1)}})
	for _, f := range faults {
		t.Fatal(f)
	}
	w := newTownOf(t, set)
	ctx, ann := t.Context(), gateway.Actor{Name: "ann"}
	app, _ := w.apply("m-1")
	make := func(number, iin, kind string) *gateway.Document {
		return w.signed("official", []byte("<spravka><shapka><nomer>"+number+"</nomer></shapka><iin>"+iin+"</iin><vid>"+kind+"</vid></spravka>"))
	}
	const kind = "unemployed-registration-certificate"
	iin := string(app.Applicant.IIN)
	for name, c := range map[string]struct {
		doc  *gateway.Document
		code gateway.Code
	}{
		"another number":     {make("UC-2026-999999", iin, kind), gateway.WrongResult},
		"another applicant":  {make(app.Number, "850505400456", kind), gateway.WrongResult},
		"an unknown result":  {make(app.Number, iin, "x"), gateway.Malformed},
		"no number at all":   {w.signed("official", []byte("<spravka><nomer>"+app.Number+"</nomer></spravka>")), gateway.WrongResult},
		"a refusal unsaid":   {make(app.Number, iin, "reasoned-refusal"), gateway.Malformed},
		"a number elsewhere": {w.signed("official", []byte("<spravka><shapka><nomer>1</nomer><nomer>"+app.Number+"</nomer></shapka><iin>"+iin+"</iin><vid>"+kind+"</vid></spravka>")), gateway.WrongResult},
	} {
		if _, err := w.bridge.Decide(ctx, app.Number, ann, gateway.Decision{Result: c.doc}); gateway.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err := w.bridge.Decide(ctx, app.Number, ann, gateway.Decision{Result: make(app.Number, iin, kind)})
	if err != nil || a.State != gateway.Completed || a.Result.Kind != kind {
		t.Errorf("the right one: %+v, %v", a, err)
	}
}

// TestDraftsOfEveryService: each result of each service can be drafted, says
// so in both languages, and reads back as what it is; the same wish gives the
// same octets.
func TestDraftsOfEveryService(t *testing.T) {
	set, _ := builtin()
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, set.Calendar.Zone())
	for _, s := range set.Services() {
		for _, r := range s.Results {
			wish := mappings.OutcomeWish{Number: "N-1", Channel: "portal", ReceivedAt: at, At: at, IIN: "900101300007", Applicant: "ТЕСТОВ {number} ТЕСТ", Result: r.ID, Values: map[string]string{}}
			if r.State == "refused" {
				wish.GroundCode, wish.Ground = "reasoned-refusal", mappings.Text{Ru: "нет документов", Kk: "құжаттар жоқ"}
			}
			_, faults, err := s.Outcome(wish)
			required := 0
			for _, a := range r.Asks {
				if !a.Optional {
					required++
				}
			}
			wish.Values = r.Sample(at)
			if err != nil || len(faults) != required {
				t.Errorf("%s %s: %v, %v", s.ID, r.ID, err, faults)
			}
			wish.Values["nothing"] = "1"
			if _, faults, err := s.Outcome(wish); err != nil || len(faults) != 1 || faults[0].Rule != "unknown-value" {
				t.Errorf("%s %s: a value that nobody asked for: %v, %v", s.ID, r.ID, err, faults)
			}
			delete(wish.Values, "nothing")
			out, faults, err := s.Outcome(wish)
			if err != nil || len(faults) > 0 {
				t.Fatalf("%s %s: %v, %v", s.ID, r.ID, err, faults)
			}
			doc, err := out.Document()
			again, err2 := out.Document()
			if err != nil || err2 != nil || !bytes.Equal(doc, again) {
				t.Fatalf("%s %s: %v %v", s.ID, r.ID, err, err2)
			}
			if len(out.Text) < 3 || strings.Contains(strings.ReplaceAll(string(doc), "ТЕСТОВ {number} ТЕСТ", ""), "{") {
				t.Errorf("%s %s: %s", s.ID, r.ID, doc)
			}
			tree, err := xmltree.Parse(doc, xmltree.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			back, err := mappings.ReadOutcome(tree.Root())
			if err != nil {
				t.Fatalf("%s %s: %v\n%s", s.ID, r.ID, err, doc)
			}
			if doc2, err := back.Document(); err != nil || !bytes.Equal(doc, doc2) {
				t.Errorf("%s %s: reads back as another:\n%s\n%s", s.ID, r.ID, doc, doc2)
			}
			if strings.Contains(string(doc), "начальник") || strings.Contains(string(doc), "бастығы") {
				t.Errorf("%s %s names the head by the old word (R147)", s.ID, r.ID)
			}
		}
	}
}
