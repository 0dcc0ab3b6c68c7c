package sim

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/xmltree"
)

// documentOf is the business document of a message as bytes of its own.
func documentOf(d soap.Data) []byte {
	if d.Form == soap.Nested {
		return nestedXML(d.Node)
	}
	return d.Document()
}

// nestedXML writes the elements below data so that they stand by themselves.
func nestedXML(data xmltree.Node) []byte {
	var out []byte
	for e := range data.Elements() {
		out = data.Document().Canonical(out, e, xmltree.C14N{Kind: xmltree.Exclusive})
	}
	return out
}

// inForm puts a document into data in one of the forms of the contract.
func inForm(document []byte, form string) (soap.Data, error) {
	switch soap.Form(form) {
	case "", soap.Escaped:
		return soap.EscapedData(document), nil
	case soap.Untyped, soap.CDATA:
		return soap.Data{Form: soap.Form(form), Text: document}, nil
	case soap.Nested:
		doc, err := xmltree.Parse(document, xmltree.DefaultLimits())
		if err != nil {
			return soap.Data{}, err
		}
		return soap.NestedData(doc.Canonical(nil, doc.Root(), xmltree.C14N{Kind: xmltree.Exclusive})), nil
	}
	return soap.Data{}, fmt.Errorf("form %q is none of escaped, untyped, cdata, nested", form)
}

// readNotice finds in an answer what the descriptions put there: the values by
// name of one that has a status code, and whose numbers begin as the answer's.
// Local names only: the namespace differs by service, and some bridges' by mood.
func (s *Sim) readNotice(document []byte, channel string) (found map[string]string) {
	doc, err := xmltree.Parse(document, xmltree.DefaultLimits())
	if err != nil {
		return nil
	}
	for _, service := range s.set.Services() {
		shape, ok := service.Shape(channel)
		if !ok {
			continue
		}
		read := map[string]string{}
		for _, e := range shape.Elements {
			if value, ok := textAt(doc.Root(), e.Path); ok {
				read[e.Value] = value
			}
		}
		if read["code"] == "" {
			continue
		}
		begins, _, _ := strings.Cut(service.Numbering.Format, "{")
		if fits := strings.HasPrefix(read["number"], begins); fits || found == nil {
			if found = read; fits {
				found["service"] = service.ID
				return found
			}
		}
	}
	return found
}

// textAt follows local names; prefixes and namespaces differ by service.
func textAt(n xmltree.Node, path string) (string, bool) {
	for name := range strings.SplitSeq(path, "/") {
		name = name[strings.IndexByte(name, ':')+1:]
		var next xmltree.Node
		for e := range n.Elements() {
			if e.Local() == name {
				next = e
				break
			}
		}
		if next.IsZero() {
			return "", false
		}
		n = next
	}
	return strings.TrimSpace(n.Text()), true
}

// judgeInner judges the signatures inside a document; nil when there are none.
func (s *Sim) judgeInner(ctx context.Context, document []byte) *signature.Verdict {
	doc, err := xmltree.Parse(document, xmltree.DefaultLimits())
	if err != nil {
		return nil
	}
	for e := range doc.Root().Descendants() {
		if e.Is(soap.DSig, "Signature") {
			return s.verifier.XMLDSig(ctx, doc, signature.Want{At: s.now()})
		}
	}
	return nil
}

// readResult unpacks the output document. What does not decode is kept as it
// came: the inbox shows what the bridge sent.
func (s *Sim) readResult(ctx context.Context, read map[string]string) *Result {
	content := unpack(read["result_content"])
	sum := sha256.Sum256(content)
	r := &Result{Name: read["result_name"], MediaType: read["result_type"], Content: content, SHA256: hex.EncodeToString(sum[:]),
		PaperName: read["paper_name"], Paper: unpack(read["paper_content"]), Address: read["result_address"]}
	if beside := unpack(read["signature_content"]); len(beside) == 0 {
		r.Verdict = s.judgeInner(ctx, content)
	} else if doc, err := signature.ReadDetached(content, beside); err == nil {
		r.Verdict = s.verifier.Document(ctx, doc, signature.Want{At: s.now()})
	}
	return r
}

// unpack reads base64.
func unpack(value string) []byte {
	content, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err != nil {
		return []byte(value)
	}
	return content
}
