package soap

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beevik/etree"
	"github.com/google/uuid"
)

// bodyIDs is the name space of the ids that Build gives to Bodies.
var bodyIDs = uuid.MustParse("6d1f3c5e-55a6-4c0e-9d0c-5b8f1c0f6b2a")

// braced is the schema's guid.
var braced = regexp.MustCompile(`^\{[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}\}$`)

// Build writes the envelope of a message, UTF-8 with an XML declaration, an
// empty Header and a Body that has a wsu:Id for a signature to refer to. The
// bytes depend on the payload alone, so a message that is sent again is the
// same message.
//
// It fails with *Error where the payload would not be valid against the
// contract: a required value that is missing, a text with characters that XML
// cannot carry, a value outside its list or length.
func Build(p Payload) ([]byte, error) {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	envelope := doc.CreateElement("soap:Envelope")
	envelope.CreateAttr("xmlns:soap", Envelope11)
	envelope.CreateElement("soap:Header")
	body := envelope.CreateElement("soap:Body")
	body.CreateAttr("xmlns:wsu", WSU)
	content := etree.NewElement("content")
	if err := writePayload(content, p); err != nil {
		return nil, err
	}
	text := serialised(content, &doc.WriteSettings)
	body.CreateAttr("wsu:Id", contentID(text))
	addRaw(body, text)
	out, err := doc.WriteToBytes()
	if err != nil {
		return nil, fmt.Errorf("soap: write envelope: %w", err)
	}
	return out, nil
}

// serialised gives what is in an element. It is written once, for its name and
// for the message.
func serialised(e *etree.Element, settings *etree.WriteSettings) []byte {
	var out bytes.Buffer
	for _, child := range e.Child {
		child.WriteTo(&out, settings)
	}
	return out.Bytes()
}

// contentID names a Body after its content.
func contentID(content []byte) string {
	return "id-" + uuid.NewHash(sha256.New(), bodyIDs, content, 8).String()
}

func writePayload(body *etree.Element, p Payload) error {
	if p == nil || reflect.ValueOf(p).IsNil() {
		return &Error{Code: CodeOperation, Path: "Envelope/Body", Detail: "no payload given"}
	}
	if fault, ok := p.(*Fault); ok {
		return writeFault(body, fault)
	}
	op, kind := p.message()
	name, child := op.Name(), "request"
	if kind == Response {
		name, child = name+"Response", "response"
	}
	wrapper := body.CreateElement("ns2:" + name)
	wrapper.CreateAttr("xmlns:ns2", op.Space())
	path := "Envelope/Body/" + name + "/" + child
	return writeGroup(wrapper.CreateElement(child), reflect.ValueOf(p).Elem(), path)
}

func writeFault(body *etree.Element, f *Fault) error {
	const path = "Envelope/Body/Fault"
	fault := body.CreateElement("soap:Fault")
	code := f.Code
	if soapCodes[code] {
		code = "soap:" + code
	}
	for _, part := range []struct{ name, value string }{{"faultcode", code}, {"faultstring", f.String}, {"faultactor", f.Actor}} {
		if part.name == "faultactor" && part.value == "" {
			continue
		}
		if part.name == "faultcode" && part.value == "" {
			return &Error{Code: CodeMissing, Path: path + "/faultcode"}
		}
		if err := setText(fault.CreateElement(part.name), part.value, path+"/"+part.name); err != nil {
			return err
		}
	}
	if f.Info == nil {
		return nil
	}
	row, ok := operations[f.Operation]
	if !ok {
		return &Error{Code: CodeOperation, Path: path + "/detail", Detail: "a typed detail needs the operation it belongs to"}
	}
	detail := fault.CreateElement("detail").CreateElement("ns2:" + row.fault)
	detail.CreateAttr("xmlns:ns2", row.space)
	return writeGroup(detail, reflect.ValueOf(f.Info).Elem(), path+"/detail/"+row.fault)
}

func writeGroup(parent *etree.Element, v reflect.Value, path string) error {
	for _, f := range plan(v.Type()) {
		if f.shape == ignoredShape {
			continue
		}
		value, at := v.Field(f.index), path+"/"+f.name
		if f.repeated {
			for i := range value.Len() {
				if err := writeField(parent, f, value.Index(i), fmt.Sprintf("%s[%d]", at, i+1)); err != nil {
					return err
				}
			}
			continue
		}
		if f.optional && value.IsZero() {
			continue
		}
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		if err := writeField(parent, f, value, at); err != nil {
			return err
		}
	}
	return nil
}

func writeField(parent *etree.Element, f field, v reflect.Value, path string) error {
	switch f.shape {
	case groupShape:
		return writeGroup(parent.CreateElement(f.name), v, path)
	case dataShape:
		return writeData(parent, v.Interface().(Data), path)
	case timeShape:
		t := v.Interface().(time.Time)
		if t.IsZero() {
			return &Error{Code: CodeMissing, Path: path, Detail: "a date is needed"}
		}
		if y := t.Year(); y < 1 || y > 9999 {
			return &Error{Code: CodeValue, Path: path, Detail: "the year needs four digits"}
		}
		parent.CreateElement(f.name).SetText(FormatDateTime(t))
		return nil
	case intShape:
		parent.CreateElement(f.name).SetText(strconv.FormatInt(v.Int(), 10))
		return nil
	}
	s := v.String()
	switch {
	case s == "" && (f.filled || f.shape == enumShape || f.guid):
		return &Error{Code: CodeMissing, Path: path, Detail: "must not be empty"}
	case f.shape == enumShape && !slices.Contains(f.values, s):
		return &Error{Code: CodeValue, Path: path, Detail: "must be one of " + strings.Join(f.values, ", ")}
	case f.guid && !braced.MatchString(s):
		return &Error{Code: CodeValue, Path: path, Detail: "must be a GUID in braces"}
	case f.maxOut > 0 && utf8.RuneCountInString(s) > f.maxOut:
		return &Error{Code: CodeValue, Path: path, Detail: fmt.Sprintf("longer than %d characters", f.maxOut)}
	}
	return setText(parent.CreateElement(f.name), s, path)
}

func setText(e *etree.Element, s, path string) error {
	if err := checkCharacters(s, path); err != nil {
		return err
	}
	if s != "" {
		e.SetText(s)
	}
	return nil
}

// checkCharacters refuses what XML 1.0 (section 2.2) cannot carry in any form.
func checkCharacters(s, path string) error {
	for i, r := range s {
		if r >= 0x20 && r < utf8.RuneError {
			continue
		}
		bad := r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
		if r == utf8.RuneError {
			_, size := utf8.DecodeRuneInString(s[i:])
			bad = size == 1
		}
		if bad {
			return &Error{Code: CodeValue, Path: path, Detail: fmt.Sprintf("byte %d: not a character of XML", i)}
		}
	}
	return nil
}
