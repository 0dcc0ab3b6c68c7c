package signer

import (
	"bytes"
	"context"
	"encoding/xml"
	"strings"

	"kopir/signature"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

const nsDS = "http://www.w3.org/2000/09/xmldsig#"

// signXML signs a document with one key after the other, each covering those
// before it.
func (s *Signer) signXML(ctx context.Context, f *fields) (any, *fail) {
	source := []byte(f.required("xml"))
	clearFirst, trim := f.flag("clearSignatures"), f.flag("trimXml")
	keys, bad := s.keys(ctx, f, "signers")
	if bad != nil {
		return nil, bad
	}
	if clearFirst {
		if source, bad = withoutSignatures(source); bad != nil {
			return nil, bad
		}
	}
	if trim {
		if source, bad = trimmed(source); bad != nil {
			return nil, bad
		}
	}
	for _, k := range keys {
		if ctx.Err() != nil {
			return nil, outOfTime
		}
		out, err := signature.SignEnveloped(source, k.Key, signature.SignOptions{Reference: k.reference})
		if err != nil {
			return nil, notSigned(err)
		}
		source = out
	}
	return xmlAnswer{done, string(source)}, nil
}

// notSigned: whatever keeps a document from being signed lies in the request.
// A defect of ours panics, or fails its own check and says so.
func notSigned(err error) *fail {
	return badRequest("%s", strings.TrimPrefix(err.Error(), "sign: "))
}

// verifyXML judges all signatures of a document.
func (s *Signer) verifyXML(ctx context.Context, f *fields) (any, *fail) {
	doc, q, bad := s.readForVerdict(f)
	if bad != nil {
		return nil, bad
	}
	v := q.verifier().XMLDSig(ctx, doc, signature.Want{At: q.at})
	out := q.verification(ctx, v)
	if out.Valid && !v.Whole(doc) {
		// The caller goes on with the whole document.
		out.Valid, out.judged = false, judgement{verdict.Failed, verdict.SigConstraintsFailure}
	}
	return out, nil
}

// withoutSignatures takes the signatures under the root out of a document.
// Nothing else of it changes.
func withoutSignatures(source []byte) ([]byte, *fail) {
	doc, err := xmltree.Parse(source, xmltree.DefaultLimits())
	if err != nil {
		return nil, badRequest("xml: %v", err)
	}
	source = doc.Source()
	var out []byte
	from := 0
	for n := range doc.Root().Elements() {
		if !n.Is(nsDS, "Signature") {
			continue
		}
		end, bad := endOf(source, n.Offset())
		if bad != nil {
			return nil, bad
		}
		out = append(out, source[from:n.Offset()]...)
		from = end
	}
	return append(out, source[from:]...), nil
}

// endOf finds where the element that begins at an offset ends. The strict
// reader has accepted the document, so the standard library's only counts.
func endOf(source []byte, at int) (int, *fail) {
	d := xml.NewDecoder(bytes.NewReader(source[at:]))
	for depth := 0; ; {
		token, err := d.RawToken()
		if err != nil {
			return 0, badRequest("xml: a Signature in it cannot be taken out")
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			if depth--; depth == 0 {
				return at + int(d.InputOffset()), nil
			}
		}
	}
}

// trimmed takes out the white space that lies between the tags of a document
// and around it. What an element holds as its only content stays, and so does
// everything beside text, comments and CDATA.
func trimmed(source []byte) ([]byte, *fail) {
	doc, err := xmltree.Parse(source, xmltree.DefaultLimits())
	if err != nil {
		return nil, badRequest("xml: %v", err)
	}
	source = bytes.TrimSpace(doc.Source())
	out := make([]byte, 0, len(source))
	before := markup(0)
	for len(source) > 0 {
		at := bytes.IndexByte(source, '<')
		if at < 0 {
			at = len(source)
		}
		gap := source[:at]
		size, kind := nextMarkup(source[at:])
		between := before&betweenTags != 0 && kind&betweenTags != 0
		leaf := before == startTag && kind == endTag
		if !between || leaf || strings.Trim(string(gap), " \t\r\n") != "" {
			out = append(out, gap...)
		}
		out = append(out, source[at:at+size]...)
		source, before = source[at+size:], kind
	}
	return out, nil
}

// markup is what stands between < and >.
type markup uint8

const (
	startTag markup = 1 << iota
	endTag
	emptyTag
	instruction
	other // comment, CDATA

	betweenTags = startTag | endTag | emptyTag | instruction
)

// nextMarkup measures the markup at the beginning of a well-formed rest.
func nextMarkup(rest []byte) (size int, kind markup) {
	until := func(mark string, kind markup) (int, markup) {
		if i := bytes.Index(rest, []byte(mark)); i >= 0 {
			return i + len(mark), kind
		}
		return len(rest), kind
	}
	switch {
	case len(rest) == 0:
		return 0, other
	case bytes.HasPrefix(rest, []byte("<!--")):
		return until("-->", other)
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		return until("]]>", other)
	case bytes.HasPrefix(rest, []byte("<?")):
		return until("?>", instruction)
	case bytes.HasPrefix(rest, []byte("</")):
		return until(">", endTag)
	}
	var quote byte
	for i, c := range rest {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			if rest[i-1] == '/' {
				return i + 1, emptyTag
			}
			return i + 1, startTag
		}
	}
	return len(rest), other
}
