package mappings

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"kopir/signature/xmltree"
)

// RegistryShape is the message shape of a registry that has no public
// contract (the notaries' one), as its operator describes it to the akimat:
// the elements of the question, and where the answer says what. It is a file
// of its own, named in the configuration; gateway/sim/testdata/enis.yaml is one to
// start from.
type RegistryShape struct {
	ServiceID string      `yaml:"service_id,required"` // of the envelope
	Request   ShapeSide   `yaml:"request,required"`
	Answer    ShapeAnswer `yaml:"answer,required"`

	places map[string]place
	file   string
}

// ShapeSide is the question: how data carries it and its elements.
type ShapeSide struct {
	Data     Data           `yaml:"data,required"`
	Elements []ShapeElement `yaml:"elements,required"`
}

// ShapeElement is one value of the question: by name (see ShapeValues) or
// always the same text.
type ShapeElement struct {
	Path  string `yaml:"path,required"`
	Value string `yaml:"value"`
	Text  string `yaml:"text"`
}

// ShapeAnswer is where the answer says what.
type ShapeAnswer struct {
	Data    Data        `yaml:"data,required"`
	Code    string      `yaml:"code,required"` // path of the element that says what was found
	Found   []string    `yaml:"found,required"`
	NoData  []string    `yaml:"no_data,required"`
	Revoked []string    `yaml:"revoked"`
	Expired []string    `yaml:"expired"`
	Facts   []ShapeFact `yaml:"facts,required"`
	// Scopes are the values of the fact scope that cover what is asked for here;
	// without them the specialist judges by its words.
	Scopes []string `yaml:"scopes"`
}

// ShapeFact is one fact of the registry and its place.
type ShapeFact struct {
	Fact string `yaml:"fact,required"` // see RegistryFacts
	Path string `yaml:"path,required"`
}

// ShapeValues are the names that an element of the question can carry.
func ShapeValues() []string {
	return []string{"number", "date", "principal_iin", "representative_iin", "sender_id", "sender_bin", "message_id", "message_date"}
}

// LoadShape reads the shape file of the notaries' registry. Any fault means
// that it must not be used.
func LoadShape(file string) (*RegistryShape, []Fault) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, []Fault{unreadable(file, err)}
	}
	return ReadShape(file, src)
}

// ReadShape reads a shape; file is for the faults.
func ReadShape(file string, src []byte) (*RegistryShape, []Fault) {
	s := &RegistryShape{file: file}
	var faults []Fault
	if s.places, faults = decode(file, src, s); len(faults) > 0 {
		return nil, faults
	}
	k := &checker{s: &Service{file: file, places: s.places}}
	k.shape(s)
	if sortFaults(k.faults); len(k.faults) > 0 {
		return nil, k.faults
	}
	return s, nil
}

func (k *checker) shape(s *RegistryShape) {
	for _, side := range []struct {
		name string
		data Data
	}{{"request", s.Request.Data}, {"answer", s.Answer.Data}} {
		k.data(side.name+".data", side.data)
	}
	paths, asked := map[string]bool{}, false
	for i, e := range s.Request.Elements {
		at := fmt.Sprintf("request.elements[%d]", i)
		k.path(at+".path", e.Path, s.Request.Data)
		k.repeated(paths, at+".path", "path", e.Path)
		if e.Text == "" || e.Value != "" {
			k.oneOf(at+".value", e.Value, ShapeValues()...)
		}
		asked = asked || e.Value == "number"
	}
	if !asked {
		k.fault("request.elements", "shape-lacks", "value", "number")
	}
	a := &s.Answer
	k.path("answer.code", a.Code, a.Data)
	codes := map[string]bool{}
	for _, list := range []struct {
		name  string
		codes []string
	}{{"found", a.Found}, {"no_data", a.NoData}, {"revoked", a.Revoked}, {"expired", a.Expired}} {
		for i, c := range list.codes {
			k.repeated(codes, fmt.Sprintf("answer.%s[%d]", list.name, i), "code", c)
		}
	}
	names := map[string]bool{}
	for i, f := range a.Facts {
		at := fmt.Sprintf("answer.facts[%d]", i)
		k.oneOf(at+".fact", f.Fact, RegistryFacts(Notaries)...)
		k.repeated(names, at+".fact", "fact", f.Fact)
		k.path(at+".path", f.Path, a.Data)
	}
	// Without these nobody could say whose power of attorney it is, and until when.
	for _, need := range []string{"number", "principal_iin", "representative_iin", "valid_until"} {
		if !names[need] {
			k.fault("answer.facts", "shape-lacks", "value", need)
		}
	}
	if len(a.Scopes) > 0 && !names["scope"] {
		k.fault("answer.scopes", "shape-lacks", "value", "scope")
	}
}

// Question builds the document that asks, unsigned.
func (s *RegistryShape) Question(values map[string]string) ([]byte, error) {
	b := newBuilder(s.Request.Data)
	for _, e := range s.Request.Elements {
		value := e.Text
		if e.Value != "" {
			value = values[e.Value]
		}
		if value != "" {
			b.set(e.Path, value)
		}
	}
	return b.bytes(), nil
}

// ReadQuestion is the other side: the values by name of a document that
// Question built.
func (s *RegistryShape) ReadQuestion(root xmltree.Node) (map[string]string, error) {
	values := map[string]string{}
	for _, e := range s.Request.Elements {
		text, err := s.Request.Data.at(root, e.Path)
		if err != nil {
			return nil, err
		}
		if e.Value != "" && text != "" {
			values[e.Value] = text
		}
	}
	return values, s.Request.Data.is(root)
}

// AnswerDocument builds an answer with a code, as the registry does: for a
// simulator of it.
func (s *RegistryShape) AnswerDocument(code string, facts map[string]string) ([]byte, error) {
	b := newBuilder(s.Answer.Data)
	b.set(s.Answer.Code, code)
	for _, f := range s.Answer.Facts {
		if v := facts[f.Fact]; v != "" {
			b.set(f.Path, v)
		}
	}
	return b.bytes(), nil
}

// ReadAnswer gives the code and the facts of an answer.
func (s *RegistryShape) ReadAnswer(root xmltree.Node) (code string, facts map[string]string, err error) {
	if err = s.Answer.Data.is(root); err != nil {
		return "", nil, err
	}
	if code, err = s.Answer.Data.at(root, s.Answer.Code); err != nil {
		return "", nil, err
	}
	facts = map[string]string{}
	for _, f := range s.Answer.Facts {
		if facts[f.Fact], err = s.Answer.Data.at(root, f.Path); err != nil {
			return "", nil, err
		}
	}
	return code, facts, nil
}

// Says is what a code means: found, no_data, revoked, expired; empty when the
// shape does not know it.
func (a *ShapeAnswer) Says(code string) string {
	for _, list := range []struct {
		means string
		codes []string
	}{{"found", a.Found}, {"no_data", a.NoData}, {"revoked", a.Revoked}, {"expired", a.Expired}} {
		if slices.Contains(list.codes, code) {
			return list.means
		}
	}
	return ""
}

// is says whether a document has the root that it must have.
func (d Data) is(root xmltree.Node) error {
	if root.IsZero() || !root.Is(d.Root.NS, d.Root.Name) {
		return fmt.Errorf("mappings: the root of the document must be %s", d.Root.Name)
	}
	return nil
}

// at is the text at a path below the root; empty where it is not there. Two
// elements where one belongs are an error.
func (d Data) at(n xmltree.Node, path string) (string, error) {
	for seg := range strings.SplitSeq(path, "/") {
		space, local := d.resolve(seg)
		var ok bool
		var err error
		if n, ok, err = n.Child(space, local); err != nil {
			return "", fmt.Errorf("mappings: %w", err)
		} else if !ok {
			return "", nil
		}
	}
	return strings.TrimSpace(n.Text()), nil
}
