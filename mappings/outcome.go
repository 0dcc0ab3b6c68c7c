package mappings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"kopir/signature/xmltree"
)

// OutcomeNS is the namespace of the result documents that the bridge drafts
// for an official to sign.
const OutcomeNS = "urn:kopir:result:1"

const xmlDSig = "http://www.w3.org/2000/09/xmldsig#"

// Outcome is what a result document says. It is written for the official to
// sign and read again from the signed octets, by one table (cells). Dates are
// 2006-01-02, times RFC 3339, everything else is text as it stands.
type Outcome struct {
	Number, PartnerNumber, Channel, ReceivedAt string
	Service, GatewayID, Edition                string
	Title                                      Text // of the service
	ActNumber, ActDate                         string
	Act                                        Text // its title
	Provider                                   Text
	Office                                     string // id in the directory
	OfficeName, OfficeAddress                  Text
	IIN, BIN, Applicant                        string
	State, Result, Kind                        string // completed or refused; id and kind of the description's result
	Name                                       Text   // of the result
	Date                                       string // of the decision
	GroundCode                                 string
	Ground                                     Text
	Official, OfficialIIN                      string // who is to sign, where the draft was made for somebody
	Post                                       Text
	Values                                     []OutcomeValue
	Text                                       []Text // paragraphs for people
}

// OutcomeValue is one value that the form of a result asks for.
type OutcomeValue struct {
	Name  string
	Label Text
	Value string
}

// cell is one element of the document and the place of its text.
type cell struct {
	path string
	at   *string
}

// cells is the shape of a result document, in its order. Elements whose text
// is empty are left out.
func (o *Outcome) cells() []cell {
	var all []cell
	one := func(path string, at *string) { all = append(all, cell{path, at}) }
	two := func(path string, at *Text) { one(path+"Ru", &at.Ru); one(path+"Kk", &at.Kk) }
	one("application/number", &o.Number)
	one("application/partnerNumber", &o.PartnerNumber)
	one("application/channel", &o.Channel)
	one("application/receivedAt", &o.ReceivedAt)
	one("service/id", &o.Service)
	one("service/serviceId", &o.GatewayID)
	one("service/edition", &o.Edition)
	two("service/title", &o.Title)
	one("act/number", &o.ActNumber)
	one("act/date", &o.ActDate)
	two("act/title", &o.Act)
	two("provider/name", &o.Provider)
	one("provider/office", &o.Office)
	two("provider/officeName", &o.OfficeName)
	two("provider/officeAddress", &o.OfficeAddress)
	one("applicant/iin", &o.IIN)
	one("applicant/bin", &o.BIN)
	one("applicant/name", &o.Applicant)
	one("decision/state", &o.State)
	one("decision/result", &o.Result)
	one("decision/kind", &o.Kind)
	two("decision/name", &o.Name)
	one("decision/date", &o.Date)
	one("ground/code", &o.GroundCode)
	two("ground/text", &o.Ground)
	one("official/name", &o.Official)
	one("official/iin", &o.OfficialIIN)
	two("official/post", &o.Post)
	for i := range o.Values {
		v, at := &o.Values[i], fmt.Sprintf("values/value[%d]/", i+1)
		one(at+"name", &v.Name)
		two(at+"label", &v.Label)
		one(at+"content", &v.Value)
	}
	for i := range o.Text {
		one(fmt.Sprintf("text/ru/p[%d]", i+1), &o.Text[i].Ru)
		one(fmt.Sprintf("text/kk/p[%d]", i+1), &o.Text[i].Kk)
	}
	return all
}

// Document writes the result document: UTF-8, no declaration, one element a
// line, the same bytes for the same Outcome.
func (o *Outcome) Document() ([]byte, error) {
	doc := etree.NewDocument()
	// What is written must come out of a canonicaliser as it went in.
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	root := doc.CreateElement("result")
	root.CreateAttr("xmlns", OutcomeNS)
	made := map[string]*etree.Element{"": root} // by path
	var at func(path string) *etree.Element
	at = func(path string) *etree.Element {
		if made[path] == nil {
			i := strings.LastIndexByte(path, '/')
			name, _, _ := strings.Cut(path[i+1:], "[") // the number of a repetition is no part of its name
			made[path] = at(path[:max(i, 0)]).CreateElement(name)
		}
		return made[path]
	}
	for _, c := range o.cells() {
		if *c.at != "" {
			at(c.path).SetText(*c.at)
		}
	}
	doc.IndentTabs()
	return doc.WriteToBytes()
}

var repetition = regexp.MustCompile(`^(values/value|text/ru/p|text/kk/p)(?:/|$)`)

// ReadOutcome reads the root of a verified result document. Whatever is not of
// its shape, or stands twice, is an error that names the path.
func ReadOutcome(root xmltree.Node) (*Outcome, error) {
	if !root.Is(OutcomeNS, "result") {
		return nil, fmt.Errorf("mappings: the root is not {%s}result", OutcomeNS)
	}
	found, count, order := map[string]string{}, map[string]int{}, []string{}
	var walk func(n xmltree.Node, path, shape string) error
	walk = func(n xmltree.Node, path, shape string) error {
		for e := range n.Elements() {
			if path == "" && e.Is(xmlDSig, "Signature") {
				continue // in a document that is read again as it was kept; what is signed has none
			}
			if e.Space() != OutcomeNS {
				return fmt.Errorf("mappings: %s is no element of a result document", e.Path())
			}
			at, name := join2(path, e.Local()), join2(shape, e.Local())
			if m := repetition.FindString(name); m == name {
				count[name]++
				at = fmt.Sprintf("%s[%d]", at, count[name])
			}
			if e.HasElements() {
				if err := walk(e, at, name); err != nil {
					return err
				}
				continue
			}
			if _, twice := found[at]; twice {
				return fmt.Errorf("mappings: %s stands twice", e.Path())
			}
			found[at] = e.Text()
			order = append(order, at)
		}
		return nil
	}
	if err := walk(root, "", ""); err != nil {
		return nil, err
	}
	o := &Outcome{
		Values: make([]OutcomeValue, count["values/value"]),
		Text:   make([]Text, max(count["text/ru/p"], count["text/kk/p"])),
	}
	for _, c := range o.cells() {
		*c.at = found[c.path]
		delete(found, c.path)
	}
	for _, at := range order {
		if _, left := found[at]; left {
			return nil, fmt.Errorf("mappings: %s is no element of a result document", at)
		}
	}
	return o, nil
}

// OutcomeWish is what the bridge knows when a result is drafted.
type OutcomeWish struct {
	Number, PartnerNumber, Channel string
	ReceivedAt, At                 time.Time // in the zone of what goes out
	IIN, BIN, Applicant            string
	Office                         Office // the zero Office where there is none
	Result                         string // id of the description's results
	GroundCode                     string
	Ground                         Text
	Official, OfficialIIN          string
	Post                           Text
	Values                         map[string]string // by the names that the result asks for
}

// Outcome drafts a result. The faults are those of the values that its form
// asks for, every one.
func (s *Service) Outcome(w OutcomeWish) (*Outcome, []FieldFault, error) {
	r, ok := s.Result(w.Result)
	if !ok {
		return nil, nil, fmt.Errorf("mappings: %s has no result %q", s.ID, w.Result)
	}
	paper, ok := s.Paper(r)
	if !ok {
		return nil, nil, fmt.Errorf("mappings: there is no paper %q", r.Paper)
	}
	o := &Outcome{
		Number: w.Number, PartnerNumber: w.PartnerNumber, Channel: w.Channel, ReceivedAt: w.ReceivedAt.Format(time.RFC3339),
		Service: s.ID, GatewayID: s.Gateway.ServiceID, Edition: s.Edition, Title: s.Title, Provider: s.Provider.Name,
		Office: w.Office.ID, OfficeName: w.Office.Name, OfficeAddress: w.Office.Address,
		IIN: w.IIN, BIN: w.BIN, Applicant: w.Applicant,
		State: r.State, Result: r.ID, Kind: r.Kind, Name: r.Name, Date: w.At.Format(time.DateOnly),
		GroundCode: w.GroundCode, Ground: w.Ground, Official: w.Official, OfficialIIN: w.OfficialIIN, Post: w.Post,
	}
	if s.Act != nil {
		o.ActNumber, o.ActDate, o.Act = s.Act.Number, s.Act.Date.String(), s.Act.Title
	}
	var faults []FieldFault
	o.Values, faults = s.asked(r, w.Values)
	says := r.Says
	if says.IsZero() {
		says = r.Name
	}
	for _, p := range paper.Text {
		if p = o.Fill(p.FillText("says", says), nil); p.Ru != "" && p.Kk != "" {
			o.Text = append(o.Text, p)
		}
	}
	return o, faults, nil
}

// Sample is a value for everything that a result asks for, for trying it out.
func (r Result) Sample(at time.Time) map[string]string {
	values := map[string]string{}
	for _, a := range r.Asks {
		switch a.Type {
		case "date":
			values[a.Name] = at.Format(time.DateOnly)
		case "int", "decimal":
			values[a.Name] = "1000"
		default:
			values[a.Name] = a.Label.Ru
		}
	}
	return values
}

// asked reads the values that the form of a result asks for by the rules of
// fields.
func (s *Service) asked(r Result, given map[string]string) (values []OutcomeValue, faults []FieldFault) {
	names := map[string]bool{}
	for _, c := range compileFields(s, r.fields()) {
		names[c.Name] = true
		text := strings.TrimSpace(given[c.Name])
		if text == "" {
			if !c.Optional {
				faults = append(faults, s.fieldFault(c.Name, "values/"+c.Name, "required", c.Label))
			}
			continue
		}
		v, broken := c.kind.read(c, text)
		if broken != "" {
			faults = append(faults, s.fieldFault(c.Name, "values/"+c.Name, broken, c.Label, "max", c.MaxLen))
			continue
		}
		if d, ok := v.(Date); ok {
			text = fmt.Sprintf("%02d.%02d.%d", d.Day, int(d.Month), d.Year)
		}
		values = append(values, OutcomeValue{Name: c.Name, Label: c.Label, Value: text})
	}
	for name := range given {
		if !names[name] {
			faults = append(faults, s.fieldFault(name, "values/"+name, "unknown-value", Text{Ru: name, Kk: name}))
		}
	}
	slices.SortStableFunc(faults, func(a, b FieldFault) int { return strings.Compare(a.Path, b.Path) })
	return values, faults
}

// outcomeHoles are the placeholders of papers and what stands in them.
var outcomeHoles = map[string]func(o *Outcome) Text{
	"number":     func(o *Outcome) Text { return same(o.Number) },
	"date":       func(o *Outcome) Text { return same(day(o.Date)) },
	"received":   func(o *Outcome) Text { return same(day(o.ReceivedAt)) },
	"service":    func(o *Outcome) Text { return o.Title },
	"act_number": func(o *Outcome) Text { return same(o.ActNumber) },
	"act_date":   func(o *Outcome) Text { return same(day(o.ActDate)) },
	"act":        func(o *Outcome) Text { return o.Act },
	"provider":   func(o *Outcome) Text { return o.Provider },
	"issuer": func(o *Outcome) Text { // the department, where one is known
		if o.OfficeName.Ru != "" && o.OfficeName.Kk != "" {
			return o.OfficeName
		}
		return Text{Ru: upperFirst(o.Provider.Ru), Kk: upperFirst(o.Provider.Kk)}
	},
	"office":         func(o *Outcome) Text { return o.OfficeName },
	"office_address": func(o *Outcome) Text { return o.OfficeAddress },
	"applicant":      func(o *Outcome) Text { return same(o.Applicant) },
	"iin":            func(o *Outcome) Text { return same(o.IIN + o.BIN) },
	"result":         func(o *Outcome) Text { return o.Name },
	"title":          func(o *Outcome) Text { return Text{Ru: upperFirst(o.Name.Ru), Kk: upperFirst(o.Name.Kk)} },
	"ground":         func(o *Outcome) Text { return o.Ground },
	"post":           func(o *Outcome) Text { return o.Post },
}

func same(s string) Text { return Text{Ru: s, Kk: s} }

// day writes a date, or the date of a time, as the acts do: 30.03.2012.
func day(s string) string {
	if len(s) < len(time.DateOnly) {
		return s
	}
	return s[8:10] + "." + s[5:7] + "." + s[:4]
}

// Fill puts the Outcome, and what else is known, into the placeholders of a
// text of a paper: in one pass, so that a brace in somebody's name is no
// placeholder. A line with a placeholder that has no value is left out.
func (o *Outcome) Fill(t Text, more map[string]Text) Text {
	one := func(text string, pick func(Text) string) string {
		var out []string
		for line := range strings.SplitSeq(text, "\n") {
			var pairs []string
			whole := true
			for _, name := range placeholders(line) {
				v, ok := more[name]
				if of, own := outcomeHoles[name]; own && !ok {
					v = of(o)
				}
				whole = whole && pick(v) != ""
				pairs = append(pairs, "{"+name+"}", pick(v))
			}
			if whole {
				out = append(out, strings.NewReplacer(pairs...).Replace(line))
			}
		}
		return strings.Join(out, "\n")
	}
	return Text{Ru: one(t.Ru, func(v Text) string { return v.Ru }), Kk: one(t.Kk, func(v Text) string { return v.Kk })}
}
