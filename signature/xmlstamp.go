package signature

import (
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// nsXAdES is the namespace of signed and unsigned properties (ETSI EN 319 132-1).
const nsXAdES = "http://uri.etsi.org/01903/v1.3.2#"

// stampToken is a time stamp and what it must be over.
type stampToken struct{ raw, data []byte }

// xmlStamps finds the time stamps of XAdES-T: SignatureTimeStamp among the
// unsigned properties, over the canonical form of the element SignatureValue
// (EN 319 132-1 section 5.3).
func xmlStamps(sig *xmlSignature, doc *xmltree.Document) ([]stampToken, *verdict.Check) {
	var value xmltree.Node
	holders := []xmltree.Node{}
	for c := range sig.node.Elements() {
		switch {
		case c.Is(nsDS, "SignatureValue"):
			value = c
		case c.Is(nsDS, "Object"):
			holders = append(holders, c)
		}
	}
	for _, name := range []string{"QualifyingProperties", "UnsignedProperties", "UnsignedSignatureProperties", "SignatureTimeStamp"} {
		var inner []xmltree.Node
		for _, h := range holders {
			for c := range h.Elements() {
				if c.Is(nsXAdES, name) {
					inner = append(inner, c)
				}
			}
		}
		if holders = inner; len(holders) > maxStamps {
			return nil, malformed(holders[0], "more than %d %s", maxStamps, name)
		}
	}
	var out []stampToken
	for _, stamp := range holders {
		form := xmltree.C14N{Kind: xmltree.Inclusive10}
		for c := range stamp.Elements() {
			switch {
			case c.Is(nsDS, "CanonicalizationMethod"):
				var bad *verdict.Check
				if form, bad = readForm(c, "canonicalization method"); bad != nil {
					return nil, bad
				}
			case c.Is(nsXAdES, "EncapsulatedTimeStamp"):
				raw, bad := readBase64(c, "EncapsulatedTimeStamp")
				if bad != nil {
					return nil, bad
				}
				out = append(out, stampToken{raw, doc.Canonical(nil, value, form)})
			}
			if len(out) > maxStamps {
				return nil, malformed(stamp, "more than %d time stamps", maxStamps)
			}
		}
	}
	return out, nil
}
