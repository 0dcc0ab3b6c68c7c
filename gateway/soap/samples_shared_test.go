//go:build shared

package soap

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kopir/signature/xmltree"
)

func shared(t *testing.T) string {
	root := os.Getenv("KOPIR_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "shep", "samples")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no ../shared here")
	}
	return dir
}

// TestFoundMessages reads every found message. All but the inner document are
// understood, deviations included.
func TestFoundMessages(t *testing.T) {
	type want struct {
		op      Operation
		kind    Kind
		form    Form
		typ     string // xsi:type
		service string
		signed  bool
		holds   string // in the document, or an element below data
	}
	for name, w := range map[string]want{
		"01": {SyncSendMessage, Request, Escaped, "string", "*", true, "<"},
		"02": {SyncSendMessage, Response, Escaped, "string", "", true, "status"},
		"03": {SyncSendMessage, Request, Nested, "Request", "*", true, "iin"},
		"04": {SyncSendMessage, Request, Nested, "Request", "*", false, "iin"},
		"05": {SyncSendMessage, Response, Escaped, "string", "", true, "<requestNumber>"},
		"06": {SyncSendMessage, Response, "*", "*", "", true, ""},
		"07": {AsyncSendMessage, Request, Nested, "", "IbdNiisActual", true, "IdbDataProcessingResponse"},
		"08": {AsyncSendMessage, Request, Escaped, "string", "EgknUniversalReceiveOrder", false, "<ResponseCode>ACCEPTED"},
		"09": {SyncSendMessage, Request, Escaped, "string", "*", false, "<"},
		"10": {AsyncSendMessage, Request, Escaped, "string", "*", false, "CurrentStatus"},
		"11": {AsyncSendMessage, Request, Escaped, "string", "*", false, "Act"},
		"12": {AsyncSendMessage, Response, NoData, "", "", false, ""},
		"13": {AsyncSendMessage, Request, Nested, "string", "IbdNiisActual", false, "MessageInfo"},
		"14": {AsyncSendMessage, Request, Nested, "", "*", false, "typedRequestFormImportData"},
		"15": {AsyncSendMessage, Request, Nested, "TestObject", "TestService", false, "status"},
		"16": {SyncSendMessage, Request, Untyped, "", "GbdulInfoByBin_v2", false, "BIN"},
		"17": {},
		"18": {SyncSendMessage, Request, Nested, "", "GBDFLUniversal_token", false, "kdpToken"},
		"19": {SyncSendMessage, Request, "*", "*", "KDP_SERVICE", false, "uin"},
		"20": {SyncSendMessage, Request, Nested, "", "EDS_TEMP_FILES", false, "tempStorageRequest"},
		"21": {SyncSendMessage, Request, Nested, "", "EDS_TEMP_FILES", false, "tempStorageRequest"},
		"22": {SyncSendMessage, Request, Nested, "", "ENSI_SeGetDataGetItems", false, "Request"},
		"23": {SyncSendMessage, Request, Nested, "docOutgoing", "ESEDO_UNIVERSAL_SERVICE", false, ""},
		"24": {SyncSendMessage, Request, Nested, "", "GBDFL_UniversalServiceSync", false, "iin"},
		"25": {SyncSendMessage, Response, Escaped, "string", "", true, "<status>"},
		"26": {SyncSendMessage, Request, Nested, "*", "*", true, ""},
	} {
		files, err := filepath.Glob(filepath.Join(shared(t), name+"-*.xml"))
		if err != nil || len(files) != 1 {
			t.Fatalf("sample %s: %v %v", name, files, err)
		}
		t.Run(filepath.Base(files[0]), func(t *testing.T) {
			src, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			m, err := Read(doc)
			if name == "17" {
				wantError(t, err, CodeNotSOAP, doc.Root().Local())
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d := m.Data()
			if m.Operation != w.op || m.Kind != w.kind || m.Signed() != w.signed {
				t.Errorf("%s %s signed %v", m.Operation, m.Kind, m.Signed())
			}
			if w.form != "*" && d.Form != w.form || w.typ != "*" && d.Type.Local != w.typ {
				t.Errorf("data %q of type %+v", d.Form, d.Type)
			}
			if w.service != "*" && m.ServiceID() != w.service || w.service == "*" && m.ServiceID() == "" {
				t.Errorf("service %q", m.ServiceID())
			}
			if m.Kind == Request && (m.Sender() == nil || m.Sender().SenderID == "") {
				t.Error("no sender")
			}
			found := strings.Contains(string(d.Document()), w.holds)
			if d.Form == Nested {
				found = w.holds == ""
				for child := range d.Node.Elements() {
					found = found || child.Local() == w.holds
				}
			}
			if !found {
				t.Errorf("no %s in data", w.holds)
			}
		})
	}
}

// TestConstructedMessages reads every constructed message and builds it again:
// the result is valid and says the same.
func TestConstructedMessages(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t), "constructed", "*.xml"))
	if err != nil || len(files) < 18 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := mustRead(t, string(src))
			if d := m.Data(); d.Form == Nested {
				inner := string(src)
				from, to := strings.Index(inner, "<data>")+len("<data>"), strings.LastIndex(inner, "</data>")
				p := m.Payload.(*SyncSendMessageResponse)
				p.ResponseData.Data.XML = []byte(inner[from:to])
			}
			out, err := Build(m.Payload)
			if err != nil {
				t.Fatal(err)
			}
			validate(t, out)
			back := mustRead(t, string(out))
			if back.Kind != m.Kind || back.Operation != m.Operation {
				t.Errorf("built as %s %s, was %s %s", back.Operation, back.Kind, m.Operation, m.Kind)
			}
			if f, ok := m.Payload.(*Fault); ok {
				if !reflect.DeepEqual(back.Payload, f) {
					t.Errorf("came back as %s", dump(back.Payload))
				}
				return
			}
			if p, ok := m.Payload.(*SyncSendMessageResponse); ok {
				p.ResponseData.Data.XML = nil
			}
			if got, want := stripped(back.Payload), stripped(m.Payload); !reflect.DeepEqual(got, want) {
				t.Errorf("came back as\n%s\nnot\n%s", dump(got), dump(want))
			}
		})
	}
}

// TestVerifiedBodies reads the Bodies as their signatures digested them: the
// same message, although prefixes that occur in values only have lost their
// declarations.
func TestVerifiedBodies(t *testing.T) {
	for _, name := range []string{"01", "02", "03", "05", "06"} {
		t.Run(name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(shared(t), name+"-*.xml"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			src, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			octets, err := os.ReadFile(filepath.Join(shared(t), "vectors", name+".body.c14n"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := xmltree.Parse(octets, xmltree.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			m, err := ReadBody(body.Root())
			if err != nil {
				t.Fatal(err)
			}
			whole := mustRead(t, string(src))
			if m.Operation != whole.Operation || m.Kind != whole.Kind || m.Data().Form != whole.Data().Form || m.Data().Type.Local != whole.Data().Type.Local {
				t.Errorf("%s %s, data %q of type %+v", m.Operation, m.Kind, m.Data().Form, m.Data().Type)
			}
			if got, want := stripped(m.Payload), stripped(whole.Payload); !reflect.DeepEqual(got, want) {
				t.Errorf("read\n%s\nnot\n%s", dump(got), dump(want))
			}
		})
	}
}
