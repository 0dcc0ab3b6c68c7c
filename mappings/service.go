package mappings

import "slices"

// Service is one service description: everything the bridge knows about a
// public service, read from one YAML file. Tables only; what a table cannot
// say is a named Go rule (rule.go).
type Service struct {
	ID            string         `yaml:"service,required"` // = file name
	Edition       string         `yaml:"edition,required"` // of the legal act; an application keeps the one it was filed under
	InForce       *InForce       `yaml:"in_force"`
	Act           *Act           `yaml:"act"`
	Gateway       Gateway        `yaml:"gateway,required"`
	Title         Text           `yaml:"title,required"`
	Provider      Provider       `yaml:"provider,required"`
	Form          string         `yaml:"form,required"` // paper, partly_automated, fully_automated
	Request       Request        `yaml:"request,required"`
	Local         Local          `yaml:"local,required"`
	Numbering     Numbering      `yaml:"numbering,required"`
	Statuses      []Status       `yaml:"statuses,required"`
	Inward        []Inward       `yaml:"inward"`   // what partners tell us in codes of their own
	Messages      []Message      `yaml:"messages"` // further kinds of documents
	Results       []Result       `yaml:"results,required"`
	Foreign       []Foreign      `yaml:"foreign_results"`
	Pickup        *PickupTerm    `yaml:"pickup"`
	Refusals      []Refusal      `yaml:"refusals,required"`
	Registries    []RegistryUse  `yaml:"registries"`
	Notifications []Notification `yaml:"notifications"`
	Notices       []Shape        `yaml:"notices"`
	CodeLists     []CodeList     `yaml:"code_lists"`    // the service's own
	Questionnaire []string       `yaml:"questionnaire"` // states after which it is offered
	// What the acts leave open: how often and by how much a term is extended or
	// stands still. Without Suspension it never does.
	Extension  *Limit    `yaml:"extension"`
	Suspension *Limit    `yaml:"suspension"`
	Channels   []Channel `yaml:"channels,required"`

	file   string
	source []byte           // the file as it was read
	places map[string]place // path in the description -> line and column
	codes  map[string]*CodeList
	live   map[string]*liveCodes // the lists of local.codes
	papers map[string]*Paper
	texts  *Texts
	plan   *plan // compiled request, see read.go
	until  Date  // last day in force, see edition.go

	kinds   []*Service // of Messages, each with its document as the request, see message.go
	whole   *Service   // of one of those: the service
	message *Message   // and its row
}

// Act names the legal act behind the edition.
type Act struct {
	Title  Text   `yaml:"title,required"`
	Number string `yaml:"number,required"`
	Date   Date   `yaml:"date,required"`
	Source string `yaml:"source"`
}

// Gateway holds the names under which partners know the service.
type Gateway struct {
	ServiceID string   `yaml:"service_id,required"` // serviceId of the envelope
	Aliases   []string `yaml:"aliases"`             // other ids that mean the same
}

// Provider is who renders the service; Offices names the kind of office in
// shared/offices.yaml that an applicant's residence leads to.
type Provider struct {
	Name    Text   `yaml:"name,required"`
	Offices string `yaml:"offices,required"`
}

// Request describes the document that is filed.
type Request struct {
	Data        Data             `yaml:"data,required"`
	When        *PathIs          `yaml:"when"`   // what tells the document from others with its root
	Signer      string           `yaml:"signer"` // name of the iin or bin field; a channel may name another
	Fields      []Field          `yaml:"fields,required"`
	Groups      []Group          `yaml:"groups"` // elements that repeat
	Attachments []AttachmentKind `yaml:"attachments"`
	Cross       []string         `yaml:"cross"`  // named rules over several fields, see rule.go
	Strict      bool             `yaml:"strict"` // what the description does not know is a ground for refusal
}

// Data says how the partner carries a document: CONTRACT of the gateway, the
// forms of the data element.
type Data struct {
	Form       string   `yaml:"form,required"`   // escaped, cdata, nested
	Root       Name     `yaml:"root,required"`   // root element
	Signed     string   `yaml:"signed,required"` // inner, envelope
	Namespaces []Prefix `yaml:"namespaces"`      // prefixes that paths of this document use
}

// Name is an expanded element name. Prefix matters in writing only.
type Name struct {
	NS     string `yaml:"ns"`
	Name   string `yaml:"name,required"`
	Prefix string `yaml:"prefix"`
}

// Prefix binds a prefix for paths.
type Prefix struct {
	Prefix string `yaml:",key"`
	NS     string `yaml:"ns,required"`
}

// Field is one value of the document: where it stands, what it must be, and
// the column that receives it.
type Field struct {
	Name     string   `yaml:"name,required"`
	Path     string   `yaml:"path,required"` // from below the root, a/b/c; never //
	Type     string   `yaml:"type,required"` // see rule.go
	Column   string   `yaml:"column"`        // required where the document opens an application
	Label    Text     `yaml:"label,required"`
	Optional bool     `yaml:"optional"`
	Channels []string `yaml:"channels"` // only in these; elsewhere the element is unknown
	MinLen   int      `yaml:"min_len"`  // in characters
	MaxLen   int      `yaml:"max_len"`
	Pattern  string   `yaml:"pattern"` // RE2, matches the whole value
	Codes    string   `yaml:"codes"`   // name of a code list; offices for the directory of offices
	Open     bool     `yaml:"open"`    // codes that the list lacks are kept, with an alarm, not refused
	Min      string   `yaml:"min"`     // smallest number or date
	Max      string   `yaml:"max"`
	Rules    []string `yaml:"rules"`  // further named rules, see rule.go
	Entity   string   `yaml:"entity"` // of local.entities, whose table has the column; the service's own when empty
	Yes      string   `yaml:"yes"`    // what the column has for true, of a type bool that it keeps as words
	No       string   `yaml:"no"`
}

// In says whether the field belongs to a channel.
func (f *Field) In(channel string) bool {
	if len(f.Channels) == 0 {
		return true
	}
	return slices.Contains(f.Channels, channel)
}

// AttachmentKind is one kind of enclosed document: an element at Path with the
// children name, type, sha256 (optional) and content (base64), or those of Parts.
type AttachmentKind struct {
	Name     string   `yaml:"name,required"`
	Path     string   `yaml:"path,required"`
	Label    Text     `yaml:"label,required"`
	Optional bool     `yaml:"optional"`
	Channels []string `yaml:"channels"`
	Types    []string `yaml:"types,required"` // media types, told from the first bytes, not from the claim
	MaxSize  Size     `yaml:"max_size,required"`
	MaxCount int      `yaml:"max_count"` // 1 when not given
	Parts    *Parts   `yaml:"parts"`     // where the partner's names differ
}

// Numbering says what an application number looks like and who else numbers.
type Numbering struct {
	Format string `yaml:"format,required"` // {year} {seq} {check} and plain characters, such as UC-{year}-{seq}
	Digits int    `yaml:"digits,required"` // of {seq}
	Owner  string `yaml:"owner,required"`  // actor whose number counts
	Linked string `yaml:"linked"`          // field that brings the partner's own number
}

// Status is one row of the status table: our state, its name as the regulation
// has it with other spellings to accept, the code in the local
// database, and what each partner is told; without a code a partner is not told.
type Status struct {
	State  string `yaml:"state,required"` // see States
	Local  string `yaml:"local,required"`
	Portal string `yaml:"portal"`
	CSC    string `yaml:"csc"`
	Name   Text   `yaml:"name,required"`
	// Variants are other spellings of the name, accepted when reading.
	Variants []string `yaml:"variants"`
	Text     Text     `yaml:"text,required"` // the line of a notification; {number}, {reason}, {due}
}

// Code gives the status code for a partner: portal, csc or local.
func (s Status) Code(partner string) string {
	switch partner {
	case "portal":
		return s.Portal
	case "csc":
		return s.CSC
	case "local":
		return s.Local
	}
	return ""
}

// Result is a document that ends the service.
type Result struct {
	ID    string `yaml:"id,required"`
	Kind  string `yaml:"kind,required"` // positive, negative
	Name  Text   `yaml:"name,required"`
	State string `yaml:"state,required"` // state that it leads to
	// Paper names the file shared/paper-NAME.yaml that says what the result
	// document says and how it is printed; refusal or notice when not given.
	Paper string  `yaml:"paper"`
	Says  Text    `yaml:"says"` // what it certifies, in a sentence of the paper; the name when not given
	Asks  []Asked `yaml:"asks"` // what the official must add
}

// Asked is a value of a result that the application does not hold.
type Asked struct {
	Name     string `yaml:"name,required"`
	Type     string `yaml:"type,required"` // as of fields: string, date, decimal ...
	MaxLen   int    `yaml:"max_len"`
	Optional bool   `yaml:"optional"`
	Label    Text   `yaml:"label,required"`
}

func (r Result) fields() (all []Field) {
	for _, a := range r.Asks {
		all = append(all, Field{Name: a.Name, Type: a.Type, MaxLen: a.MaxLen, Optional: a.Optional, Label: a.Label})
	}
	return all
}

// Foreign is a result document in the shape of the akimat's own system: what
// it must say to be taken for a result of an application. Paths start below
// the root. Without a row for its root a foreign document is refused.
type Foreign struct {
	Root       Name     `yaml:"root,required"`
	Namespaces []Prefix `yaml:"namespaces"`
	Number     string   `yaml:"number,required"` // our number of the application
	Applicant  string   `yaml:"applicant"`       // IIN or BIN
	Result     string   `yaml:"result"`          // id of the result
}

// PickupTerm says how long a result that is handed over in person waits for
// its applicant before it goes back to the provider.
type PickupTerm struct {
	Days int `yaml:"days,required"` // calendar days after the day on which it was ready
}

// defaultKeepDays is a month: the acts ask for safekeeping and name no term (G14).
const defaultKeepDays = 30

// KeepDays is how long results wait.
func (s *Service) KeepDays() int {
	if s.Pickup == nil {
		return defaultKeepDays
	}
	return s.Pickup.Days
}

// Refusal is a regulated message of refusal. Text holds {ground}; the ground
// is the channel's condition's or this Ground.
type Refusal struct {
	ID     string `yaml:"id,required"`
	Text   Text   `yaml:"text,required"`
	Ground Text   `yaml:"ground"`
}

// Notification says who is told about which states.
type Notification struct {
	ID       string   `yaml:"id,required"`
	On       []string `yaml:"on,required"` // states
	Channels []string `yaml:"channels"`    // of the applications; all when empty
	To       []string `yaml:"to,required"` // portal, csc, email, mobile
	Section  Text     `yaml:"section"`     // where the partner shows it
	Address  string   `yaml:"address"`     // field with the address; not sent when it is empty
	When     FieldIs  `yaml:"when"`        // sent only where a field of the application has this value
	Attach   string   `yaml:"attach"`      // result: the e-mail encloses the result document
}

// FieldIs is a field with a value.
type FieldIs struct {
	Field string `yaml:"field,required"`
	Value string `yaml:"value,required"`
}

// Shape is the document that tells one partner about a status.
type Shape struct {
	Partner  string    `yaml:",key"` // portal, csc
	Data     Data      `yaml:"data,required"`
	Elements []Element `yaml:"elements,required"`
}

// Element is one value of an outgoing document: one of Value, Text and Codes.
// A value that is empty leaves the element out, unless Always.
type Element struct {
	Path   string      `yaml:"path,required"`
	Value  string      `yaml:"value"` // see notice.go
	Text   string      `yaml:"text"`  // always the same
	Codes  []StateCode `yaml:"codes"` // a vocabulary of the partner's beside the statuses' codes
	Always bool        `yaml:"always"`
	On     []string    `yaml:"on"` // only in these states; in all when empty
}

// StateCode is a partner's word for a state.
type StateCode struct {
	State string `yaml:"state,required"`
	Code  string `yaml:"code,required"`
}

// Channel is one way in: who signs, which conditions are checked, which steps follow.
type Channel struct {
	ID       string `yaml:",key"` // portal, csc, office, akim
	Name     Text   `yaml:"name,required"`
	Signer   string `yaml:"signer"`    // field; the request's when empty
	SignsToo string `yaml:"signs_too"` // another field whose person may sign instead
	SignedBy string `yaml:"signed_by,required"`
	// Work names the channel whose steps are the provider's own work on an
	// application of this one: their terms run. A regulation often describes
	// that work once, and for the other channels only the way in and out.
	Work       string      `yaml:"work"`
	Conditions []Condition `yaml:"conditions"`
	Steps      []Step      `yaml:"steps,required"`

	work *Channel // of Work
}

// Condition is a check that the regulation numbers (condition 1, 2, 3).
type Condition struct {
	No      int      `yaml:"no,required"`
	Point   int      `yaml:"point,required"` // of the regulation's procedure, or the step that does condition
	Actor   string   `yaml:"actor,required"`
	Checks  []string `yaml:"checks,required"`
	OnPass  int      `yaml:"on_pass,required"`
	OnFail  int      `yaml:"on_fail,required"`
	Refusal string   `yaml:"refusal,required"`
	Ground  Text     `yaml:"ground,required"`
}

// Step is one row of the regulation's table of actions.
type Step struct {
	No         int      `yaml:"no,required"`
	Actor      string   `yaml:"actor,required"` // id in shared/actors.yaml
	Through    []string `yaml:"through"`
	Does       string   `yaml:"does,required"`
	Action     Text     `yaml:"action,required"`
	Completion Text     `yaml:"completion"` // none where the text gives none
	Status     string   `yaml:"status"`     // what the regulation says is shown
	ShownIn    string   `yaml:"shown_in"`   // and where
	LeadsTo    string   `yaml:"leads_to"`   // state of the application when the step is done
	Within     Term     `yaml:"within"`     // none where the text gives none
	WarnBefore Term     `yaml:"warn_before"`
	Next       int      `yaml:"next"` // 0 after the last, after a refusal, and for a condition, which branches
}
