package xmltree

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Code says which rule was broken. The list is closed: Codes holds all.
type Code string

// The codes.
const (
	TooLarge           Code = "too_large"           // more bytes than Limits.Bytes
	TooDeep            Code = "too_deep"            // elements nested deeper than Limits.Depth
	TooManyNodes       Code = "too_many_nodes"      // more nodes than Limits.Nodes
	TooManyAttributes  Code = "too_many_attributes" // more on one element than Limits.Attributes
	NameTooLong        Code = "name_too_long"       // longer than Limits.NameLength
	BadEncoding        Code = "encoding"            // not UTF-8 and not UTF-16 with a byte order mark, or broken octets
	BadDeclaration     Code = "declaration"         // malformed XML declaration, or one not at the beginning
	BadVersion         Code = "version"             // not XML 1.0
	HasDoctype         Code = "doctype"             // a document type declaration
	NoRoot             Code = "no_root"             // no element at all
	SeveralRoots       Code = "several_roots"       // a second element after the root
	TextOutsideRoot    Code = "text_outside_root"   // text before or after the root
	BadCharacter       Code = "character"           // a character that XML 1.0 does not allow
	BadName            Code = "name"                // not a name, or not a qualified name
	BadTag             Code = "tag"                 // malformed start-tag, end-tag or markup declaration
	BadAttribute       Code = "attribute"           // malformed attribute
	DuplicateAttribute Code = "duplicate_attribute" // the same name, or the same expanded name, twice in a tag
	UndeclaredPrefix   Code = "undeclared_prefix"   // a prefix without a namespace declaration
	BadNamespace       Code = "namespace"           // a declaration that Namespaces in XML forbids
	RelativeNamespace  Code = "relative_namespace"  // a namespace name without a scheme
	BadReference       Code = "reference"           // malformed reference or an entity that is not predefined
	BadComment         Code = "comment"             // malformed comment
	BadPI              Code = "processing_instruction"
	BadCDATA           Code = "cdata"        // malformed CDATA section, or its end mark in text
	Mismatch           Code = "end_tag"      // an end-tag that does not fit
	Unclosed           Code = "unclosed"     // the input ends inside something
	DuplicateID        Code = "duplicate_id" // an identifier that must be unique occurs twice

	// Not by Parse, but by what looks into the tree.
	NoSuchID    Code = "no_such_id"   // ByID: no element bears it
	AmbiguousID Code = "ambiguous_id" // ByID: several elements bear it
	Repeated    Code = "repeated"     // Child: more than one where one is meant
)

// Codes returns the closed list.
func Codes() []Code {
	return []Code{TooLarge, TooDeep, TooManyNodes, TooManyAttributes, NameTooLong, BadEncoding, BadDeclaration,
		BadVersion, HasDoctype, NoRoot, SeveralRoots, TextOutsideRoot, BadCharacter, BadName, BadTag, BadAttribute,
		DuplicateAttribute, UndeclaredPrefix, BadNamespace, RelativeNamespace, BadReference, BadComment, BadPI,
		BadCDATA, Mismatch, Unclosed, DuplicateID, NoSuchID, AmbiguousID, Repeated}
}

// Error is the only error of this package.
type Error struct {
	Code    Code
	Offset  int    // bytes from the beginning of the input, byte order mark included
	Line    int    // from 1
	Column  int    // from 1, in characters
	Message string // one sentence for people; never quotes the input's content
}

// Error gives place and message.
func (e *Error) Error() string {
	return fmt.Sprintf("XML line %d column %d: %s", e.Line, e.Column, e.Message)
}

// Is lets errors.Is compare by code: errors.Is(err, &Error{Code: c}).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Message == ""
}

// fail makes the error for the place at in d.src.
func (d *Document) fail(code Code, at int, message string) *Error {
	at = min(max(at, 0), len(d.src))
	line, column := place(d.src[d.start:max(at, d.start)])
	return &Error{Code: code, Offset: d.original(at), Line: line, Column: column, Message: message}
}

// place counts lines (ended by LF, CR or both) and characters.
func place(before []byte) (line, column int) {
	line = 1 + bytes.Count(before, []byte("\n")) + bytes.Count(before, []byte("\r")) - bytes.Count(before, []byte("\r\n"))
	if i := bytes.LastIndexAny(before, "\r\n"); i >= 0 {
		before = before[i+1:]
	}
	return line, 1 + utf8.RuneCount(before)
}
