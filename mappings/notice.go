package mappings

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"kopir/signature/xmltree"
)

// Notice is what a partner is told about an application.
type Notice struct {
	Number        string // our number
	PartnerNumber string // the partner's own, where it gave one
	Correlation   string // of the conversation at the gateway
	IIN           string
	State         string
	At            time.Time
	Due           time.Time // new term of an extension
	Reason        Text      // ground of a refusal or an extension
	Result        *ResultFile
	Questionnaire string // link to it, where one is offered
}

// ResultFile is the document that ends the service, with what goes out beside
// it.
type ResultFile struct {
	ID      string // of the description's results
	Name    string
	Type    string
	Content []byte
	// Signature is the official's where it stands beside Content (CMS, DER); the
	// partner gets it as a file named after the document.
	Signature []byte
	PaperName string // of Paper, the same printed for people (PDF); nil: not printed
	Paper     []byte
	Address   string // where anybody can verify it; empty: nowhere
}

// Media types and the name of what goes out beside a result.
const (
	PaperType     = "application/pdf"
	SignatureType = "application/pkcs7-signature" // RFC 8551, 3.2.1
	signatureEnd  = ".p7s"
)

// SignatureName is the name of the file with a signature that stands beside a
// document of this name.
func SignatureName(document string) string { return document + signatureEnd }

// noticeValue gives one value of an outgoing document.
type noticeValue struct {
	name string
	of   func(s *Service, row Status, n *Notice) string
}

// noticeValues is the whole list of what an element of a notice can carry.
var noticeValues = []noticeValue{
	{"number", func(_ *Service, _ Status, n *Notice) string { return n.Number }},
	{"partner_number", func(_ *Service, _ Status, n *Notice) string { return n.PartnerNumber }},
	{"correlation", func(_ *Service, _ Status, n *Notice) string { return n.Correlation }},
	{"iin", func(_ *Service, _ Status, n *Notice) string { return n.IIN }},
	{"service", func(s *Service, _ Status, _ *Notice) string { return s.Gateway.ServiceID }},
	{"state", func(_ *Service, row Status, _ *Notice) string { return row.State }},
	{"code", nil}, // the partner's code, see Notice
	{"date", func(_ *Service, _ Status, n *Notice) string { return stamp(n.At) }},
	{"due", func(_ *Service, _ Status, n *Notice) string { return stamp(n.Due) }},
	{"text_ru", func(_ *Service, row Status, _ *Notice) string { return row.Text.Ru }},
	{"text_kk", func(_ *Service, row Status, _ *Notice) string { return row.Text.Kk }},
	{"text_en", func(_ *Service, row Status, _ *Notice) string { return row.Text.En }},
	{"reason_ru", func(_ *Service, _ Status, n *Notice) string { return n.Reason.Ru }},
	{"reason_kk", func(_ *Service, _ Status, n *Notice) string { return n.Reason.Kk }},
	{"reason_en", func(_ *Service, _ Status, n *Notice) string { return n.Reason.En }},
	{"questionnaire", func(_ *Service, _ Status, n *Notice) string { return n.Questionnaire }},
	{"result_id", func(_ *Service, _ Status, n *Notice) string { return n.file().ID }},
	{"result_title_ru", func(s *Service, _ Status, n *Notice) string { r, _ := s.Result(n.file().ID); return r.Name.Ru }},
	{"result_title_kk", func(s *Service, _ Status, n *Notice) string { r, _ := s.Result(n.file().ID); return r.Name.Kk }},
	{"result_name", func(_ *Service, _ Status, n *Notice) string { return n.file().Name }},
	{"result_type", func(_ *Service, _ Status, n *Notice) string { return n.file().Type }},
	{"result_content", func(_ *Service, _ Status, n *Notice) string {
		return base64.StdEncoding.EncodeToString(n.file().Content)
	}},
	{"result_address", func(_ *Service, _ Status, n *Notice) string { return n.file().Address }},
	{"signature_name", func(_ *Service, _ Status, n *Notice) string {
		return beside(n.file().Signature, SignatureName(n.file().Name))
	}},
	{"signature_type", func(_ *Service, _ Status, n *Notice) string { return beside(n.file().Signature, SignatureType) }},
	{"signature_content", func(_ *Service, _ Status, n *Notice) string {
		return base64.StdEncoding.EncodeToString(n.file().Signature)
	}},
	{"paper_name", func(_ *Service, _ Status, n *Notice) string { return beside(n.file().Paper, n.file().PaperName) }},
	{"paper_type", func(_ *Service, _ Status, n *Notice) string { return beside(n.file().Paper, PaperType) }},
	{"paper_content", func(_ *Service, _ Status, n *Notice) string {
		return base64.StdEncoding.EncodeToString(n.file().Paper)
	}},
}

// beside is what is said of a file where there is one.
func beside(file []byte, what string) string {
	if len(file) == 0 {
		return ""
	}
	return what
}

// NoticeValues lists the names that an element's value key may have.
func NoticeValues() []string {
	var names []string
	for _, v := range noticeValues {
		names = append(names, v.name)
	}
	return names
}

func (n *Notice) file() ResultFile {
	if n.Result == nil {
		return ResultFile{}
	}
	return *n.Result
}

// text fills the sentence of the status row.
func (n *Notice) text(row Status) Text {
	if n.Number == "" && !n.Reason.IsZero() {
		return n.Reason // refused before it had a number
	}
	due := ""
	if !n.Due.IsZero() {
		due = n.Due.Format("02.01.2006 15:04")
	}
	return row.Text.Fill("number", n.Number, "due", due).FillText("reason", n.Reason)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02T15:04:05.000-07:00")
}

// NoticeText gives the sentence that goes with a state, for people.
func (s *Service) NoticeText(n *Notice) (Text, error) {
	row, ok := s.Status(n.State)
	if !ok {
		return Text{}, fmt.Errorf("mappings: %s has no status %q", s.ID, n.State)
	}
	return n.text(row), nil
}

// Notice builds the document that tells a partner (portal, csc) about a
// status. The bytes are the inner document, unsigned and without an XML
// declaration; how data carries it, Shape(partner).Data says. An error means
// that the description has no such partner, state or code.
func (s *Service) Notice(partner string, n *Notice) ([]byte, error) {
	shape, ok := s.Shape(partner)
	if !ok {
		return nil, fmt.Errorf("mappings: %s has no notice for %q", s.ID, partner)
	}
	row, ok := s.Status(n.State)
	if !ok {
		return nil, fmt.Errorf("mappings: %s has no status %q", s.ID, n.State)
	}
	code := row.Code(partner)
	if code == "" {
		return nil, fmt.Errorf("mappings: %s has no %s code for %q", s.ID, partner, n.State)
	}
	row.Text = n.text(row)
	b := newBuilder(shape.Data)
	for _, e := range shape.Elements {
		value := code
		switch {
		case len(e.On) > 0 && !slices.Contains(e.On, n.State):
			continue
		case e.Text != "":
			value = e.Text
		case len(e.Codes) > 0:
			value = ""
			for _, c := range e.Codes {
				if c.State == n.State {
					value = c.Code
				}
			}
		case e.Value != "code":
			i := slices.IndexFunc(noticeValues, func(v noticeValue) bool { return v.name == e.Value })
			value = noticeValues[i].of(s, row, n)
		}
		if value != "" || e.Always {
			b.set(e.Path, value)
		}
	}
	return b.bytes(), nil
}

// ReadNotice is the other direction: the values of a document that Notice
// built, by name, and those of other vocabularies by path. Unknown elements are left out; the simulator's portal and
// service centre read with it.
func (s *Service) ReadNotice(partner string, root xmltree.Node) (map[string]string, error) {
	shape, ok := s.Shape(partner)
	if !ok {
		return nil, fmt.Errorf("mappings: %s has no notice for %q", s.ID, partner)
	}
	if d := shape.Data.Root; root.IsZero() || !root.Is(d.NS, d.Name) {
		return nil, fmt.Errorf("mappings: the root of a notice for %s must be %s", partner, d.Name)
	}
	values := map[string]string{}
	for _, e := range shape.Elements {
		n, found := root, true
		for seg := range strings.SplitSeq(e.Path, "/") {
			space, local := shape.Data.resolve(seg)
			var err error
			if n, found, err = n.Child(space, local); err != nil {
				return nil, fmt.Errorf("mappings: notice: %w", err)
			} else if !found {
				break
			}
		}
		if found && e.Text == "" {
			name := e.Value
			if name == "" {
				name = e.Path
			}
			values[name] = n.Text()
		}
	}
	return values, nil
}

// Document builds the request document of a channel from values by field name
// and attachments: what a portal sends, unsigned. It does not judge the
// values, so that wrong documents can be made as well.
func (s *Service) Document(channel string, values map[string]string, files []Attachment) ([]byte, error) {
	if _, ok := s.Channel(channel); !ok {
		return nil, fmt.Errorf("mappings: %s has no channel %q", s.ID, channel)
	}
	b := newBuilder(s.Request.Data)
	for name := range values {
		if strings.Contains(name, ".") {
			if err := s.groupValue(channel, name); err != nil {
				return nil, err
			}
			continue
		}
		if f, ok := s.Field(name); !ok || !f.In(channel) {
			return nil, fmt.Errorf("mappings: %s has no field %q in channel %s", s.ID, name, channel)
		}
	}
	if w := s.Request.When; w != nil {
		b.set(w.Path, w.Value)
	}
	for i := range s.Request.Fields {
		f := &s.Request.Fields[i]
		if v, ok := values[f.Name]; ok {
			b.set(f.Path, v)
		}
	}
	for i := range s.Request.Groups {
		b.group(&s.Request.Groups[i], values)
	}
	for _, a := range files {
		i := slices.IndexFunc(s.Request.Attachments, func(k AttachmentKind) bool { return k.Name == a.Kind })
		if i < 0 {
			return nil, fmt.Errorf("mappings: %s has no attachment %q", s.ID, a.Kind)
		}
		e := b.add(s.Request.Attachments[i].Path)
		kind := &s.Request.Attachments[i]
		part := func(role, value string) {
			name := kind.part(role)
			switch {
			case value == "" || name == "":
			case name == ".":
				b.elements[e].text = value
			default:
				b.child(e, name, value)
			}
		}
		part("name", a.Name)
		part("type", a.Type)
		part("sha256", a.SHA256)
		part("content", base64.StdEncoding.EncodeToString(a.Content))
	}
	return b.bytes(), nil
}
