package signature

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"

	"kopir/signature/algorithm"
	"kopir/signature/keystore"
	"kopir/signature/sigtest"
	"kopir/signature/xmltree"
)

// forger signs whatever it is told to: it fills the empty DigestValue and
// SignatureValue elements of a document by what the document says.
type forger struct {
	t   testing.TB
	key *keystore.Key
	raw *rsa.PrivateKey // for algorithms with which we do not sign
}

func (w *world) forger(t testing.TB, p sigtest.Profile) forger {
	t.Helper()
	raw, err := sigtest.PoolKey(17)
	if err != nil {
		t.Fatal(err)
	}
	if p.Key, err = sigtest.TestKey(w.authority.Algorithm(), 17); err != nil {
		t.Fatal(err)
	}
	return forger{t, w.key(t, p), raw}
}

const emptyDigest, emptyValue = "<ds:DigestValue></ds:DigestValue>", "<ds:SignatureValue></ds:SignatureValue>"

// The tricks are written down with RSA and SHA-256; a forger with another key
// writes that key's algorithms in their place.
func (f forger) sign(src string) string {
	f.t.Helper()
	src = strings.ReplaceAll(src, `"`+methodRSA+`"`, `"`+f.key.Algorithm.URI+`"`)
	src = strings.ReplaceAll(src, `"`+digest256+`"`, `"`+f.key.Algorithm.Digest.URI+`"`)
	parse := func() *xmltree.Document {
		doc, err := xmltree.Parse([]byte(src), xmltree.DefaultLimits())
		if err != nil {
			f.t.Fatalf("%v in %s", err, src)
		}
		return doc
	}
	var v Verifier
	v.lab = &lab{allow: func(string) bool { return true }}
	for strings.Contains(src, emptyDigest) {
		doc := parse()
		var r xmltree.Node // the first Reference with an empty DigestValue
		for n := range doc.Root().Descendants() {
			if value, ok, _ := n.Child(nsDS, "DigestValue"); ok && n.Is(nsDS, "Reference") && value.Text() == "" {
				r = n
				break
			}
		}
		ref := reference{form: xmltree.C14N{Kind: xmltree.Inclusive10}}
		if transforms, ok, _ := r.Child(nsDS, "Transforms"); ok {
			if bad := readTransforms(transforms, &ref, profile{}); bad != nil {
				ref.form = xmltree.C14N{Kind: xmltree.Exclusive} // the trick lies in the transform
			}
		}
		uri, _ := r.Attr("", "URI")
		var target xmltree.Node
		for n := range doc.Root().Descendants() {
			for a := range n.Attrs() {
				if strings.EqualFold(a.Local, "Id") && "#"+a.Value == uri {
					target = n
				}
			}
		}
		for a := range doc.Root().Attrs() {
			if a.Local == "Id" && "#"+a.Value == uri {
				target = doc.Root()
			}
		}
		var cut []xmltree.Node
		if ref.enveloped {
			cut = []xmltree.Node{r.Parent().Parent()}
		}
		ref.form.Comments = false
		method, _, _ := r.Child(nsDS, "DigestMethod")
		name, _ := method.Attr("", "Algorithm")
		digest, ok := algorithm.DigestByURI(name)
		if !ok {
			digest = f.key.Algorithm.Digest
		}
		sum := digest.Sum(doc.Canonical(nil, target, ref.form, cut...))
		src = strings.Replace(src, emptyDigest, "<ds:DigestValue>"+base64.StdEncoding.EncodeToString(sum)+"</ds:DigestValue>", 1)
	}
	doc := parse()
	info, _, _ := doc.Root().Child(nsDS, "SignedInfo")
	for n := range doc.Root().Descendants() {
		if value, ok, _ := n.Child(nsDS, "SignatureValue"); ok && value.Text() == "" {
			info, _, _ = n.Child(nsDS, "SignedInfo")
		}
	}
	formNode, _, _ := info.Child(nsDS, "CanonicalizationMethod")
	form, bad := readForm(formNode, "")
	if bad != nil {
		form = xmltree.C14N{Kind: xmltree.Exclusive}
	}
	octets := doc.Canonical(nil, info, form)
	var value []byte
	var err error
	methodNode, _, _ := info.Child(nsDS, "SignatureMethod")
	uri, _ := methodNode.Attr("", "Algorithm")
	switch uri {
	case nsDS + "rsa-sha1":
		sha1, _ := algorithm.DigestByURI(nsDS + "sha1")
		value, err = rsa.SignPKCS1v15(rand.Reader, f.raw, crypto.SHA1, sha1.Sum(octets))
	default:
		value, err = f.key.Sign(f.key.Algorithm.Digest.Sum(octets))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.Replace(src, emptyValue, "<ds:SignatureValue>"+base64.StdEncoding.EncodeToString(value)+"</ds:SignatureValue>", 1)
}

// Pieces of which the tricks are made.
const (
	methodRSA  = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	digest256  = "http://www.w3.org/2001/04/xmlenc#sha256"
	declareAll = ` xmlns:wsse="` + nsWSSE + `" xmlns:wsu="` + nsWSU + `"`
	payload    = `<typ:SendMessage xmlns:typ="http://bip.bee.kz/SyncChannel/v10/Types"><request><iin>900101300120</iin></request></typ:SendMessage>`
	evil       = `<typ:SendMessage xmlns:typ="http://bip.bee.kz/SyncChannel/v10/Types"><request><iin>850505400454</iin></request></typ:SendMessage>`
)

func transform(uri string) string { return `<ds:Transform Algorithm="` + uri + `"></ds:Transform>` }

func ref(uri string, transforms ...string) string {
	out := `<ds:Reference URI="` + uri + `">`
	if len(transforms) > 0 {
		out += "<ds:Transforms>" + strings.Join(transforms, "") + "</ds:Transforms>"
	}
	return out + `<ds:DigestMethod Algorithm="` + digest256 + `"></ds:DigestMethod>` + emptyDigest + "</ds:Reference>"
}

func bodyRef() string { return ref("#id-body", transform(uriExc)) }

func info(method string, references ...string) string {
	return `<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="` + uriExc + `"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="` + method +
		`"></ds:SignatureMethod>` + strings.Join(references, "") + "</ds:SignedInfo>"
}

// signatureText is a ds:Signature; keyInfo is the content of KeyInfo.
func signatureText(info, keyInfo string, more ...string) string {
	return `<ds:Signature xmlns:ds="` + nsDS + `">` + info + emptyValue + "<ds:KeyInfo>" + keyInfo + "</ds:KeyInfo>" + strings.Join(more, "") + "</ds:Signature>"
}

func (f forger) certificate() string {
	return base64.StdEncoding.EncodeToString(f.key.Certificate.Raw)
}

func (f forger) identifier() string {
	return `<wsse:SecurityTokenReference xmlns:wsse="` + nsWSSE + `"><wsse:KeyIdentifier EncodingType="` + encodingBase64 + `" ValueType="` + typeX509v3 + `">` +
		f.certificate() + "</wsse:KeyIdentifier></wsse:SecurityTokenReference>"
}

func (f forger) x509() string {
	return "<ds:X509Data><ds:X509Certificate>" + f.certificate() + "</ds:X509Certificate></ds:X509Data>"
}

func security(content string) string {
	return `<wsse:Security` + declareAll + ` soap:mustUnderstand="1">` + content + "</wsse:Security>"
}

func body(id, content string) string {
	return `<soap:Body xmlns:wsu="` + nsWSU + `" wsu:Id="` + id + `">` + content + "</soap:Body>"
}

func message(header string, rest ...string) string {
	return `<soap:Envelope xmlns:soap="` + nsSOAP + `"><soap:Header>` + header + "</soap:Header>" + strings.Join(rest, "") + "</soap:Envelope>"
}
