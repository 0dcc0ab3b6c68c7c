package mappings

import (
	"slices"

	"kopir/signature/xmltree"
)

// Message is a further kind of document that partners send for a service: a
// withdrawal, a correction, a question, a status of their own, or another form
// of the application. It is told from the application, and from the other
// kinds, by its root, or by what stands at a place in it (Request.When).
type Message struct {
	Kind     string   `yaml:"kind,required"`
	Does     string   `yaml:"does,required"`  // see Moves
	Label    Text     `yaml:"label,required"` // what the history calls it
	Channels []string `yaml:"channels"`       // by which it comes; all when empty
	// Fields of the document: Number has the number of the application that it
	// is about, ours or the partner's; Applicant the number of whose application
	// it is, and Code the partner's status code.
	Number    string  `yaml:"number"`
	Applicant string  `yaml:"applicant"`
	Code      string  `yaml:"code"`
	Refusal   string  `yaml:"refusal"` // under which a withdrawn application ends
	Request   Request `yaml:"request,required"`
}

// In says whether the kind comes by a channel.
func (m *Message) In(channel string) bool {
	return len(m.Channels) == 0 || slices.Contains(m.Channels, channel)
}

// PathIs is a place in a document and what stands there.
type PathIs struct {
	Path  string `yaml:"path,required"`
	Value string `yaml:"value,required"`
}

// What a message, or a partner's status code, does.
const (
	Apply        = "apply"         // opens an application, as the service's own request does
	Correct      = "correct"       // puts its fields in the place of the application's
	Repeat       = "repeat"        // asks for the result again
	Inquire      = "inquire"       // asks for the status
	ByStatus     = "status"        // does what the table inward says of its code
	Withdraw     = "withdraw"      // ends the application at the applicant's wish
	HandedOver   = "handed_over"   // the result was handed to the applicant
	NotCollected = "not_collected" // the applicant did not come, the result goes back
	Note         = "note"          // stands in the history and moves nothing
)

// Moves lists what a message can do, CodeMoves what a code can.
func Moves() []string {
	return append([]string{Apply, Correct, Repeat, Inquire, ByStatus}, CodeMoves()...)
}

// CodeMoves lists what a partner's status code can do.
func CodeMoves() []string { return []string{Withdraw, HandedOver, NotCollected, Note} }

// Inward is one row of the vocabularies in which partners tell us a status: the
// other direction of Statuses.
type Inward struct {
	From    string `yaml:"from,required"` // portal, csc: the channel by which it comes
	Code    string `yaml:"code,required"`
	Does    string `yaml:"does,required"` // see CodeMoves
	Name    Text   `yaml:"name,required"` // what the history calls it
	Refusal string `yaml:"refusal"`       // of withdraw
}

// InwardOf finds the row of a partner's code.
func (s *Service) InwardOf(channel, code string) (Inward, bool) {
	i := slices.IndexFunc(s.Inward, func(r Inward) bool { return r.From == channel && r.Code == code })
	if i < 0 {
		return Inward{}, false
	}
	return s.Inward[i], true
}

// linkKinds prepares the description for reading: itself, and for each further
// kind a copy that has the kind's document in the place of the request.
func (s *Service) linkKinds() {
	s.plan = newPlan(s)
	for i := range s.Messages {
		kind := s.asKind(&s.Messages[i])
		kind.plan = newPlan(kind)
		s.kinds = append(s.kinds, kind)
	}
}

func (s *Service) asKind(m *Message) *Service {
	kind := *s
	kind.whole, kind.message, kind.Request = s, m, m.Request
	if m.Does != Apply { // who signs is said by the kind
		kind.Channels = slices.Clone(s.Channels)
		for i := range kind.Channels {
			kind.Channels[i].Signer, kind.Channels[i].SignsToo = "", ""
		}
	}
	return &kind
}

// Kinds are the descriptions of all documents of the service: of the
// application, and of each further kind.
func (s *Service) Kinds() []*Service {
	if s.whole != nil {
		s = s.whole
	}
	return append([]*Service{s}, s.kinds...)
}

// KindNamed finds the description of a kind; application is the service's own.
func (s *Service) KindNamed(name string) (*Service, bool) {
	all := s.Kinds()
	i := slices.IndexFunc(all, func(k *Service) bool { return k.KindName() == name })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

// applicationKind is the name of the kind that the service's request describes.
const applicationKind = "application"

// KindName is the name of the kind that this description reads.
func (s *Service) KindName() string {
	if s.message == nil {
		return applicationKind
	}
	return s.message.Kind
}

// About gives the row of a kind that is about an application which is there
// already; false for one that opens an application.
func (s *Service) About() (*Message, bool) {
	return s.message, s.message != nil && s.message.Does != Apply
}

// Kind finds the description by which a document that came by a channel is
// read: by its root and what must stand in it; where no kind has the root, by
// its name in another namespace, if only one has the name. A document of no kind is read as an
// application, and refused for that.
func (s *Service) Kind(channel string, root xmltree.Node) *Service {
	all := s.Kinds()
	if root.IsZero() {
		return all[0]
	}
	var rooted, renamed []*Service
	for _, k := range all {
		switch d := k.Request.Data; {
		case k.message != nil && !k.message.In(channel) || root.Local() != d.Root.Name:
		case root.Space() == d.Root.NS:
			rooted = append(rooted, k)
		default:
			renamed = append(renamed, k)
		}
	}
	if len(rooted) == 0 && len(renamed) == 1 {
		rooted = renamed
	}
	rooted = slices.DeleteFunc(rooted, func(k *Service) bool { return !k.Request.marked(root) })
	if len(rooted) != 1 {
		return all[0]
	}
	return rooted[0]
}

// Begins says whether an element is the root of a kind of document.
func (s *Service) Begins(root xmltree.Node) bool {
	return slices.ContainsFunc(s.Kinds(), func(k *Service) bool { return root.Is(k.Request.Data.Root.NS, k.Request.Data.Root.Name) })
}

// marked says whether a document has what tells its kind from others.
func (r *Request) marked(root xmltree.Node) bool {
	if r.When == nil {
		return true
	}
	value, err := r.Data.at(root, r.When.Path)
	return err == nil && value == r.When.Value
}

// ApplicationFields are the fields that an application can have: those of the
// service's request, and those that other forms of it add.
func (s *Service) ApplicationFields() []Field {
	if s.whole != nil {
		s = s.whole
	}
	all := slices.Clone(s.Request.Fields)
	for _, m := range s.Messages {
		for _, f := range m.Request.Fields {
			if m.Does == Apply && !slices.ContainsFunc(all, func(o Field) bool { return o.Name == f.Name }) {
				all = append(all, f)
			}
		}
	}
	return all
}

// Fault is a fault of a field that the description cannot find by itself.
func (s *Service) Fault(field, rule string) FieldFault {
	f, _ := s.Field(field)
	if f == nil {
		f = &Field{Name: field, Path: field}
	}
	return s.fieldFault(f.Name, f.Path, rule, f.Label)
}
