package gateway_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"strings"
	"testing"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/signature"
	"kopir/signature/xmltree"
)

// toldLast gives the values of the last notice that a partner was sent.
func (w *town) toldLast(route gateway.Route) map[string]string {
	w.t.Helper()
	var values map[string]string
	for _, d := range w.post.taken() {
		if d.Route != route {
			continue
		}
		doc, err := xmltree.Parse(d.Body, xmltree.DefaultLimits())
		if err != nil {
			w.t.Fatal(err)
		}
		s, _ := w.set.Service(d.Service)
		if values, err = s.ReadNotice(d.Partner, doc.Root()); err != nil {
			w.t.Fatal(err)
		}
	}
	return values
}

func (w *town) withAddress() {
	w.t.Helper()
	o := w.options(zap.NewNop().Core())
	o.PublicURL = "https://kopir.example/"
	var err error
	if w.bridge, err = gateway.New(o); err != nil {
		w.t.Fatal(err)
	}
}

// TestIssued: portal and service centre get the signed document, the signature
// where it stands beside it, and the very paper that REST gives; all of it
// verifies by the address that goes with it.
func TestIssued(t *testing.T) {
	for _, beside := range []bool{false, true} {
		w := newTown(t)
		w.withAddress()
		app, _ := w.apply("m-1")
		result := w.result("official", app.Number, "")
		var signed []byte
		if beside {
			draft := w.draftOf(app.Number, gateway.ResultWish{}).Content
			signed = w.cms(draft, w.keys["official"], signature.CMSOptions{Detached: true})
			result = &gateway.Document{Name: "certificate.xml", Content: draft, Signature: inBase64(signed)}
		}
		if _, err := w.bridge.Decide(t.Context(), app.Number, gateway.Actor{Name: "ann"}, gateway.Decision{Result: result}); err != nil {
			t.Fatal(err)
		}
		w.deliver()
		w.deliver()
		kept, err := w.bridge.Result(t.Context(), app.Number)
		if err != nil {
			t.Fatal(err)
		}
		paper, err := w.bridge.ResultPaper(t.Context(), app.Number, "")
		if err != nil {
			t.Fatal(err)
		}
		in := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
		for _, route := range []gateway.Route{gateway.ToPortal, gateway.ToCSC} {
			got := w.toldLast(route)
			for name, want := range map[string]string{
				"result_content": in(kept.Content), "result_name": kept.Name, "result_address": "https://kopir.example/verify/" + kept.Token,
				"paper_content": in(paper.Content), "paper_name": app.Number + ".pdf", "paper_type": "application/pdf", "signature_content": in(signed),
			} {
				if got[name] != want {
					t.Errorf("%s, signature beside %t: %s is %.80q, want %.80q", route, beside, name, got[name], want)
				}
			}
			if name := got["signature_name"]; name != "" && !beside || beside && name != "certificate.xml.p7s" {
				t.Errorf("the signature is called %q", name)
			}
		}
		if v, err := w.bridge.Verify(t.Context(), kept.Token, paper.SHA256); err != nil || v.Match != "paper" {
			t.Errorf("%+v, %v", v, err)
		}
		if n := bytes.Count(paper.Content, []byte("/Type/Filespec")); n != 1 && !beside || beside && n != 2 {
			t.Errorf("signature beside %t: the paper has %d files inside", beside, n)
		}
	}
}

// TestIssuedRefusal: the paper of a signed refusal goes out as well; a refusal
// without a document has none.
func TestIssuedRefusal(t *testing.T) {
	w := newTown(t)
	app, _ := w.apply("m-1")
	wish := gateway.ResultWish{State: gateway.Refused, Result: "reasoned-refusal", Values: map[string]string{}, Ground: &gateway.Ground{Code: "reasoned-refusal", Text: gateway.Text{RU: "нет прав", KK: "құқығы жоқ"}}}
	signed, err := signature.SignEnveloped(w.draftOf(app.Number, wish).Content, w.keys["official"], signature.SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.bridge.Decide(t.Context(), app.Number, gateway.Actor{Name: "ann"}, gateway.Decision{Result: &gateway.Document{Content: signed}}); err != nil {
		t.Fatal(err)
	}
	w.deliver()
	w.deliver()
	if got := w.toldLast(gateway.ToPortal); got["code"] != "REJECTED" || !strings.HasPrefix(got["paper_content"], base64.StdEncoding.EncodeToString([]byte("%PDF-1"))[:6]) || got["result_address"] != "" {
		t.Errorf("%s, paper %.20q, address %q", got["code"], got["paper_content"], got["result_address"])
	}
	second, _ := w.apply("m-2")
	if _, err := w.bridge.Decide(t.Context(), second.Number, gateway.Actor{Name: "ann"}, gateway.Decision{State: gateway.Refused, Ground: wish.Ground}); err != nil {
		t.Fatal(err)
	}
	w.deliver()
	w.deliver()
	if got := w.toldLast(gateway.ToPortal); got["number"] != second.Number || got["paper_content"] != "" || got["result_content"] != "" {
		t.Errorf("a refusal without a document: %.100v", got)
	}
}

// TestIssuedIntoTheRow: where the description names columns for it, the result
// reaches the akimat's own table.
func TestIssuedIntoTheRow(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			w, db, _ := settle(t, kind, akimats[0])
			w.withAddress()
			if r := w.applyFor(akimats[0], "m-1", nil); r.Code != "" {
				t.Fatalf("%s %s", r.Code, r.Bytes)
			}
			w.deliver()
			app := w.only()
			if _, err := w.bridge.Decide(t.Context(), app.Number, gateway.Actor{Name: "ann"}, gateway.Decision{Result: w.result("official", app.Number, "")}); err != nil {
				t.Fatal(err)
			}
			w.deliver()
			w.deliver()
			kept, err := w.bridge.Result(t.Context(), app.Number)
			if err != nil {
				t.Fatal(err)
			}
			paper, err := w.bridge.ResultPaper(t.Context(), app.Number, "")
			if err != nil {
				t.Fatal(err)
			}
			quote := ""
			if kind == "postgres" {
				quote = `"`
			}
			var status, url string
			var xml, pdf []byte
			var cms sql.RawBytes
			rows, err := db.QueryContext(t.Context(), strings.ReplaceAll("SELECT ~STATUS_CODE~, ~RESULT_XML~, ~RESULT_PDF~, ~RESULT_URL~, ~RESULT_CMS~ FROM ~T_APPLICATION~", "~", quote))
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			if !rows.Next() {
				t.Fatal("no row")
			}
			if err := rows.Scan(&status, &xml, &pdf, &url, &cms); err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(status) != "03" || !bytes.Equal(xml, kept.Content) || !bytes.Equal(pdf, paper.Content) || cms != nil || url != "https://kopir.example/verify/"+kept.Token {
				t.Errorf("%s, %d bytes of XML, %d of PDF, %s", status, len(xml), len(pdf), url)
			}
		})
	}
}
