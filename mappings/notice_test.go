package mappings

import (
	"strings"
	"testing"
	"time"
)

func TestNoticeBothWays(t *testing.T) {
	s := certificate(t)
	at := time.Date(2026, 3, 11, 10, 0, 0, 0, time.FixedZone("", 5*3600))
	n := &Notice{
		Number: "UC-2026-000001", PartnerNumber: "10109001292987", Correlation: "3387918", IIN: "900101300017", State: Completed, At: at,
		Result: &ResultFile{ID: "unemployed-registration-certificate", Name: "справка.xml", Type: "application/xml", Content: []byte("<a>&</a>")},
	}
	for partner, code := range map[string]string{"portal": "COMPLETED", "csc": "3"} {
		src, err := s.Notice(partner, n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.ReadNotice(partner, parse(t, src))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"number": n.Number, "partner_number": n.PartnerNumber, "correlation": n.Correlation, "code": code, "date": "2026-03-11T10:00:00.000+05:00",
			"text_ru":         "Исполненные: результат по заявлению № UC-2026-000001 готов",
			"text_kk":         "Орындалған: № UC-2026-000001 өтініш бойынша нәтиже дайын",
			"result_title_kk": "жұмыссыз ретінде тіркеу және есепке қою туралы анықтама",
			"result_content":  "PGE+JjwvYT4=",
		} {
			if got[name] != want {
				t.Errorf("%s %s: %q, want %q", partner, name, got[name], want)
			}
		}
		for _, absent := range []string{"reason_ru", "due"} {
			if v, ok := got[absent]; ok {
				t.Errorf("%s: %s is there: %q", partner, absent, v)
			}
		}
	}
}

func TestNoticeOfRefusalAndExtension(t *testing.T) {
	s := certificate(t)
	src, err := s.Notice("csc", &Notice{Number: "1", State: Refused, Reason: Text{Ru: "нет <данных>", Kk: "деректер жоқ"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `<response><requestNumber>1</requestNumber><status><code>4</code><messageRu>По заявлению № 1 отказано: нет &lt;данных&gt;</messageRu>` +
		`<messageKz>№ 1 өтініш бойынша бас тартылды: деректер жоқ</messageKz><reasonRu>нет &lt;данных&gt;</reasonRu><reasonKz>деректер жоқ</reasonKz></status></response>`
	if string(src) != want {
		t.Errorf("refusal\n%s\nwant\n%s", src, want)
	}
	due := time.Date(2026, 3, 20, 18, 0, 0, 0, time.FixedZone("", 5*3600))
	text, err := s.NoticeText(&Notice{Number: "1", State: Extended, Due: due, Reason: Text{Ru: "запрос", Kk: "сұрау"}})
	if err != nil || text.Ru != "Срок оказания услуги по заявлению № 1 продлён до 20.03.2026 18:00: запрос" || strings.Contains(text.Kk, "{") {
		t.Errorf("extension: %v %+v", err, text)
	}
}

func TestNoticeRefusesWhatIsNotDescribed(t *testing.T) {
	s := certificate(t)
	for _, c := range []struct{ partner, state string }{{"mars", Received}, {"portal", "lost"}, {"portal", Held}} {
		if src, err := s.Notice(c.partner, &Notice{Number: "1", State: c.state}); err == nil {
			t.Errorf("%s %s gave %s", c.partner, c.state, src)
		}
	}
	if _, err := s.ReadNotice("csc", parse(t, []byte(`<other/>`))); err == nil {
		t.Error("a foreign root was read")
	}
	if _, err := s.ReadNotice("csc", parse(t, []byte(`<response><status/><status/></response>`))); err == nil {
		t.Error("two of one element were read")
	}
	if _, err := s.Document("portal", map[string]string{"operator_iin": "1"}, nil); err == nil {
		t.Error("a field of another channel was written")
	}
}

func TestStatusByName(t *testing.T) {
	s := certificate(t)
	for _, name := range []string{"поступившие", "Түскендер", "түскен", "Түскен", "ПОСТУПИВШИЕ"} {
		if row, ok := s.StatusByName(name); !ok || row.State != Received {
			t.Errorf("%s is not received: %+v", name, row)
		}
	}
	if row, ok := s.StatusByLocal("30"); !ok || row.State != Completed {
		t.Errorf("local code 30: %+v", row)
	}
}

func BenchmarkNotice(b *testing.B) {
	s := certificate(b)
	n := &Notice{Number: "UC-2026-000001", PartnerNumber: "10109001292987", Correlation: "3387918", IIN: "900101300017", State: Received, At: filedAt}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Notice("portal", n); err != nil {
			b.Fatal(err)
		}
	}
}
