package client

import (
	"fmt"
	"strings"
	"time"

	"kopir/gateway/soap"
	"kopir/signature/xmltree"
)

// PersonAnswer is an answer of the register of persons. Result is what the
// register says of the question; Found with code "00000". Persons that it does
// not know are nil.
type PersonAnswer struct {
	MessageID, RequestID string
	MessageDate          time.Time // zero where it is not given
	Sender, Receiver     Coded
	Result               Coded
	Person               *PersonRecord
}

// PersonFound is the result code of an answer that holds a person.
const PersonFound = "00000"

// Coded is a value of one of the register's dictionaries.
type Coded struct {
	Code, NameRu, NameKz string
	ChangeDate           time.Time // zero where it is nil
}

// PersonRecord is one person. It is not documented which parts may be missing,
// so any may. Dates are YYYY-MM-DD.
type PersonRecord struct {
	IIN                              string
	Surname, Name, Patronymic        string
	EngFirstName, EngSurname         string
	BirthDate                        string
	Gender, Nationality, Citizenship Coded
	LifeStatus                       Coded
	BirthPlace                       Place
	Address                          Registration
	Documents                        []IdentityDocument
}

// Place is where somebody was born.
type Place struct {
	Country, District, Region Coded
	City                      string
}

// Registration is where somebody is registered.
type Registration struct {
	Country, District, Region Coded
	Street, Building, Flat    string
	BeginDate                 string
	Status, Invalidity        Coded
	ARCode                    string
}

// IdentityDocument is a document of the person.
type IdentityDocument struct {
	Type                      Coded
	Number                    string
	BeginDate, EndDate        string
	IssueOrganization, Status Coded
	InvalidityDate            string
	Surname, Name, Patronymic string
	BirthDate                 string
}

// ReadPerson reads the register's answer out of data, in either form it comes
// in: elements below data, or one document in it, nested or escaped. Elements
// that are not known here are passed over; what is read may be there once.
func ReadPerson(d soap.Data) (*PersonAnswer, error) {
	root, err := documentOf(d, "register of persons")
	if err != nil {
		return nil, err
	}
	r := &recordReader{}
	if _, ok := r.child(root, "messageResult"); !ok && d.Form == soap.Nested {
		root = onlyElement(root)
	}
	a := &PersonAnswer{
		MessageID: r.text(root, "messageId"), RequestID: r.text(root, "requestId"), MessageDate: r.time(root, "messageDate"),
		Sender: r.coded(root, "sender"), Receiver: r.coded(root, "receiver"), Result: r.coded(root, "messageResult"),
	}
	if persons, ok := r.child(root, "persons"); ok {
		if person, ok := r.child(persons, "person"); ok {
			a.Person = r.person(person)
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("client: register of persons: %w", r.err)
	}
	if a.Result.Code == "" {
		return nil, fmt.Errorf("client: register of persons: the answer has no messageResult with a code")
	}
	return a, nil
}

// onlyElement is the one element below a node, or the node itself.
func onlyElement(n xmltree.Node) xmltree.Node {
	only, count := n, 0
	for child := range n.Elements() {
		only = child
		count++
	}
	if count != 1 {
		return n
	}
	return only
}

// recordReader reads named elements and keeps the first error.
type recordReader struct{ err error }

func (r *recordReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *recordReader) child(n xmltree.Node, name string) (xmltree.Node, bool) {
	child, ok, err := n.Child("", name)
	if err != nil {
		r.fail("%w", err)
	}
	return child, ok && err == nil
}

func (r *recordReader) text(n xmltree.Node, name string) string {
	child, ok := r.child(n, name)
	if !ok {
		return ""
	}
	if child.HasElements() {
		r.fail("%s holds elements where a value is expected", child.Path())
		return ""
	}
	return strings.TrimSpace(child.Text())
}

func (r *recordReader) time(n xmltree.Node, name string) time.Time {
	text := r.text(n, name)
	if text == "" {
		return time.Time{}
	}
	t, ok := soap.ParseDateTime(text)
	if !ok {
		r.fail("%s/%s is no date and time", n.Path(), name)
	}
	return t
}

// date reads a date, with or without a time or an offset behind it.
func (r *recordReader) date(n xmltree.Node, name string) string {
	text := r.text(n, name)
	if text == "" {
		return ""
	}
	if len(text) >= len(time.DateOnly) {
		if _, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)]); err == nil {
			return text[:len(time.DateOnly)]
		}
	}
	r.fail("%s/%s is no date", n.Path(), name)
	return ""
}

func (r *recordReader) coded(n xmltree.Node, name string) Coded {
	child, ok := r.child(n, name)
	if !ok {
		return Coded{}
	}
	return Coded{r.text(child, "code"), r.text(child, "nameRu"), r.text(child, "nameKz"), r.time(child, "changeDate")}
}

func (r *recordReader) person(n xmltree.Node) *PersonRecord {
	p := &PersonRecord{
		IIN: r.text(n, "iin"), Surname: r.text(n, "surname"), Name: r.text(n, "name"), Patronymic: r.text(n, "patronymic"),
		EngFirstName: r.text(n, "engFirstName"), EngSurname: r.text(n, "engSurname"), BirthDate: r.date(n, "birthDate"),
		Gender: r.coded(n, "gender"), Nationality: r.coded(n, "nationality"), Citizenship: r.coded(n, "citizenship"), LifeStatus: r.coded(n, "lifeStatus"),
	}
	if at, ok := r.child(n, "birthPlace"); ok {
		p.BirthPlace = Place{r.coded(at, "country"), r.coded(at, "district"), r.coded(at, "region"), r.text(at, "city")}
	}
	if at, ok := r.child(n, "regAddress"); ok {
		p.Address = Registration{
			Country: r.coded(at, "country"), District: r.coded(at, "district"), Region: r.coded(at, "region"),
			Street: r.text(at, "street"), Building: r.text(at, "building"), Flat: r.text(at, "flat"), BeginDate: r.date(at, "beginDate"),
			Status: r.coded(at, "status"), Invalidity: r.coded(at, "invalidity"), ARCode: r.text(at, "arCode"),
		}
	}
	if list, ok := r.child(n, "documents"); ok {
		for d := range list.Elements() {
			if !d.Is("", "document") {
				continue
			}
			p.Documents = append(p.Documents, IdentityDocument{
				Type: r.coded(d, "type"), Number: r.text(d, "number"), BeginDate: r.date(d, "beginDate"), EndDate: r.date(d, "endDate"),
				IssueOrganization: r.coded(d, "issueOrganization"), Status: r.coded(d, "status"), InvalidityDate: r.date(d, "invalidityDate"),
				Surname: r.text(d, "surname"), Name: r.text(d, "name"), Patronymic: r.text(d, "patronymic"), BirthDate: r.date(d, "birthDate"),
			})
		}
	}
	return p
}
