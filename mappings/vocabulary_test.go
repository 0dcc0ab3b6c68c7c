package mappings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestFamiliesOfNotices builds the documents in which agencies tell the portal
// a status: nested elements with constants and two vocabularies, and a root in
// a namespace with children in none, each with its own suffixes for languages.
func TestFamiliesOfNotices(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(mappingData, "good", "smallest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	head, tail, ok := strings.Cut(string(src), "notices:\n")
	_, tail, ok2 := strings.Cut(tail, "channels:\n")
	if !ok || !ok2 {
		t.Fatal("smallest.yaml has another order")
	}
	for name, c := range map[string]struct{ notices, want string }{
		"education": {`
    data: {form: nested, root: {name: typedRequestFormImportData}, signed: envelope}
    elements:
      - {path: importSource, text: ORLEU}
      - {path: updatedValues/code, text: processing_status}
      - {path: updatedValues/values/domainItemData/code, value: code}
      - {path: updatedValues/values/domainItemData/kkValue, value: text_kk}
      - {path: updatedValues/values/domainItemData/ruValue, value: text_ru}
      - {path: externalRequestChainId, value: correlation}
      - {path: externalRequestId, value: partner_number}
      - {path: processingStatus, codes: [{state: received, code: IN_PROGRESS}, {state: in_progress, code: IN_PROGRESS}, {state: completed, code: COMPLETED}]}
      - {path: requesterIin, value: iin}
      - {path: resolutionType, codes: [{state: in_progress, code: NO_RESOLUTION}, {state: refused, code: NEGATIVE}]}
`, `<typedRequestFormImportData><importSource>ORLEU</importSource><updatedValues><code>processing_status</code><values><domainItemData><code>B</code>` +
			`<kkValue>Жұмыста</kkValue><ruValue>В работе</ruValue></domainItemData></values></updatedValues><externalRequestChainId>2516623</externalRequestChainId>` +
			`<externalRequestId>P-1</externalRequestId><processingStatus>IN_PROGRESS</processingStatus><requesterIin>900101300017</requesterIin><resolutionType>NO_RESOLUTION</resolutionType></typedRequestFormImportData>`},
		"kit": {`
    data: {form: escaped, root: {ns: "http://shep.nitec.kz/", prefix: ns2, name: response}, signed: inner}
    elements: [{path: requestNumber, value: partner_number}, {path: status/code, value: code}, {path: status/messageRu, value: text_ru}, {path: status/messageKz, value: text_kk}]
`, `<ns2:response xmlns:ns2="http://shep.nitec.kz/"><requestNumber>P-1</requestNumber><status><code>B</code><messageRu>В работе</messageRu><messageKz>Жұмыста</messageKz></status></ns2:response>`},
	} {
		set, faults := load(layer{fsys: few()}, layer{fsys: fstest.MapFS{"smallest.yaml": {Data: []byte(head + "notices:\n  portal:" + c.notices + "channels:\n" + tail)}}})
		for _, f := range faults {
			t.Fatalf("%s: %s", name, f.Error())
		}
		s, _ := set.Service("smallest")
		got, err := s.Notice("portal", &Notice{State: InProgress, PartnerNumber: "P-1", Correlation: "2516623", IIN: "900101300017"})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, c.want)
		}
		back, err := s.ReadNotice("portal", parse(t, got))
		if err != nil || back["code"] != "B" || back["text_kk"] != "Жұмыста" || back["partner_number"] != "P-1" {
			t.Errorf("%s: %v %v", name, err, back)
		}
		if name == "education" && (back["processingStatus"] != "IN_PROGRESS" || back["importSource"] != "") {
			t.Errorf("%v", back)
		}
	}
}
