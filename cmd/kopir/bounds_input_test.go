package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/keystore"
)

// hostileXML is XML that costs more than it looks.
func hostileXML() map[string][]byte {
	var declared strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&declared, " xmlns:p%d='urn:%d'", i, i)
	}
	wide := utf16.Encode([]rune("\ufeff" + string(fill("<a>", "<b/>", "</a>")[:barSize/2])))
	var utf16be bytes.Buffer
	for _, u := range wide {
		utf16be.Write([]byte{byte(u >> 8), byte(u)})
	}
	nested := strings.Repeat("<a>", 990)
	return map[string][]byte{
		"nested without end":       fill("", "<a>", ""),
		"tiny elements":            fill("<a>", "<b/>", "</a>"),
		"tiny elements with text":  fill("<a>", "<b>c</b>", "</a>"),
		"deep, then wide":          []byte(nested + string(fill("", "<b/>", ""))[:barSize-8*1024] + strings.Repeat("</a>", 990)),
		"many attributes":          counted("<a ", "b#='' ", "/>"),
		"attributes everywhere":    fill("<a>", "<b c='' d='' e=''/>", "</a>"),
		"same attribute":           fill("<a ", "b='' ", "/>"),
		"many declarations":        counted("<a ", "xmlns:p#='urn:#' ", "/>"),
		"declared anew each time":  fill("<a>", "<p:b xmlns:p='u'/>", "</a>"),
		"other prefix each time":   counted("<a>", "<p#:b xmlns:p#='u#'/>", "</a>"),
		"inherited declarations":   fill("<a"+declared.String()+">", "<b/>", "</a>"),
		"inherited and used":       counted("<a"+declared.String()+">", "<p7:b p8:c='' p9:d=''/>", "</a>"),
		"ids":                      counted("<a>", "<b Id='i#'/>", "</a>"),
		"same id":                  fill("<a>", "<b Id='i'/>", "</a>"),
		"character references":     fill("<a>", "&#10;", "</a>"),
		"entities":                 fill("<a>", "&amp;", "</a>"),
		"sections":                 fill("<a>", "<![CDATA[]]>", "</a>"),
		"comments":                 fill("<a>", "<!---->", "</a>"),
		"instructions":             fill("<a>", "<?p?>", "</a>"),
		"one name":                 fill("<", "a", "/>"),
		"one value":                fill("<a b='", "&lt;", "'/>"),
		"line ends":                fill("<a>", "\r\n", "</a>"),
		"tags without end":         fill("<a>", "<b ", ""),
		"UTF-16":                   utf16be.Bytes(),
		"xml:base everywhere":      fill("<a xml:base='http://h/'>", "<b xml:base='../x/'/>", "</a>"),
		"xml:lang inherited":       fill("<a xml:lang='kk' xml:space='preserve'>", "<b/>", "</a>"),
		"attributes of namespaces": counted("<a"+declared.String()+">", "<b p1:a='' p2:a='' p3:a='' p4:a=''/>", "</a>"),
	}
}

// hostileSignatures are documents whose signatures ask for much.
func hostileSignatures(t *testing.T, key *keystore.Key) map[string][]byte {
	t.Helper()
	body := "<a xmlns:x='urn:x'>" + strings.Repeat("<b c='d'>text</b>", barSize/2/17)
	signed, err := signature.SignEnveloped([]byte(body+"</a>"), key, signature.SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const open, end = "<ds:Signature", "</ds:Signature>"
	from := bytes.Index(signed, []byte(open))
	one := string(signed[from : bytes.LastIndex(signed, []byte(end))+len(end)])
	at := strings.Index(one, "<ds:Reference")
	reference := one[at : strings.Index(one, "</ds:Reference>")+len("</ds:Reference>")]
	value := reference[strings.Index(reference, "<ds:DigestValue>"):]
	references := func(n int) string { return strings.Replace(one, reference, strings.Repeat(reference, n), 1) }
	// Each reference is to the part around that of the one before.
	var inside, nested strings.Builder
	for i := range 15 {
		fmt.Fprintf(&inside, "<n Id='i%d'>", i)
		nested.WriteString(strings.Replace(reference, `URI=""`, fmt.Sprintf(`URI="#i%d"`, i), 1))
	}
	filler := strings.Repeat("<b/>", barSize/4-32*1024)
	prefixes := strings.Repeat("p ", 99)
	exclusive := strings.NewReplacer("http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments\"></ds:Transform>",
		"http://www.w3.org/2001/10/xml-exc-c14n#\"><e:InclusiveNamespaces xmlns:e=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\""+prefixes+"\"></e:InclusiveNamespaces></ds:Transform>").Replace(one)
	return map[string][]byte{
		"good":                   []byte(body + strings.Repeat("<b c='d'>text</b>", 0) + one + "</a>"),
		"16 signatures":          []byte(body + strings.Repeat("<b c='d'>text</b>", barSize/3/17) + strings.Repeat(one, 16) + "</a>"),
		"thousands":              fill("<a>", one, "</a>"),
		"16 references":          []byte(body + references(16) + "</a>"),
		"16 times 16 references": []byte(body + strings.Repeat(references(16), 16) + "</a>"),
		"thousands of them":      []byte("<a>" + references(barSize/len(reference)-2) + "</a>"),
		"references nested":      []byte("<a>" + inside.String() + filler + strings.Repeat("</n>", 15) + strings.Repeat(strings.Replace(one, reference, nested.String(), 1), 16) + "</a>"),
		"long digest":            []byte("<a>" + strings.Replace(one, value, "<ds:DigestValue>"+strings.Repeat("AAAA", barSize/4-2048)+"</ds:DigestValue></ds:Reference>", 1) + "</a>"),
		"digest in lines":        []byte("<a>" + strings.Replace(one, value, "<ds:DigestValue>"+strings.Repeat("A&#13;\n", barSize/7-1024)+"</ds:DigestValue></ds:Reference>", 1) + "</a>"),
		"long prefix list":       []byte("<a>" + strings.Replace(exclusive, prefixes, strings.Repeat("p ", barSize/2-2048), 1) + "</a>"),
		"prefix list":            []byte("<a>" + filler + exclusive + "</a>"),
		"transforms":             []byte("<a>" + strings.Replace(one, "<ds:Transforms>", "<ds:Transforms>"+strings.Repeat("<ds:Transform Algorithm='x'/>", barSize/29-256), 1) + "</a>"),
		"certificates": []byte("<a>" + strings.Replace(one, "<ds:X509Data>", "<ds:X509Data>"+strings.Repeat("<ds:X509Certificate>"+base64.StdEncoding.EncodeToString(key.Certificate.Raw)+"</ds:X509Certificate>",
			barSize/(len(key.Certificate.Raw)*4/3+45)-2), 1) + "</a>"),
	}
}

// hostileCMS are messages of many parts.
func hostileCMS(t *testing.T, key *keystore.Key) map[string][]byte {
	t.Helper()
	content := bytes.Repeat([]byte("<a/>"), barSize/4-1024)
	one, err := signature.SignCMS(content, key, signature.CMSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	oid := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}
	data := asn(0x30, []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1})
	message := func(digests, certificates, signers []byte) []byte {
		parts := [][]byte{{2, 1, 1}, asn(0x31, digests), data}
		if certificates != nil {
			parts = append(parts, asn(0xa0, certificates))
		}
		return asn(0x30, oid, asn(0xa0, asn(0x30, append(parts, asn(0x31, signers))...)))
	}
	m, err := cms.Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	info, cert := m.Signers[0].Raw, key.Certificate.Raw
	return map[string][]byte{
		"good":             one,
		"good, in base64":  []byte(base64.StdEncoding.EncodeToString(one[:barSize*3/4]))[:barSize],
		"many signers":     message(nil, cert, bytes.Repeat(info, barSize/len(info)-2)),
		"16 signers":       slices.Clone(message(nil, bytes.Repeat(cert, (barSize-16*len(info))/len(cert)-2), bytes.Repeat(info, 16))),
		"many digests":     message(many(0x30, 3, 6, 1, 42), nil, nil),
		"one certificate":  message(nil, asn(0x30, many(0x30, 0)), info),
		"other certifiers": message(nil, many(0xa1, 0), info),
	}
}

// hostileLists are lists of many or strange entries.
func hostileLists(list []byte) map[string][]byte {
	entry := []byte{0x30, 18, 2, 1, 1, 0x17, 13, '2', '6', '0', '6', '0', '1', '1', '2', '0', '0', '0', '0', 'Z'}
	at := bytes.Index(list, []byte{0x17, 13}) // thisUpdate, of two times of 15 bytes
	head := bytes.Clone(list[bytes.Index(list, []byte{2, 1, 1}):at])
	times := list[at : at+30]
	rest := []byte{0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0}
	whole := func(entries []byte) []byte {
		return asn(0x30, asn(0x30, head, times, asn(0x30, entries)), rest, []byte{3, 2, 0, 0})
	}
	extensions := asn(0x30, bytes.Repeat([]byte{0x30, 8, 6, 3, 0x55, 0x1d, 0x15, 4, 1, 0}, 10000))
	return map[string][]byte{
		"entries":                whole(bytes.Repeat(entry, barSize/len(entry)-16)),
		"extensions of an entry": whole(bytes.Repeat(asn(0x30, entry[2:], extensions), 10)),
		"empty entries":          whole(many(0x30, 0)),
	}
}

func hostileYAML() map[string][]byte {
	return map[string][]byte{
		"nested lists":  fill("a: ", "[", ""),
		"nested tables": fill("a: ", "{a: ", ""),
		"nested by indent": []byte(func() string {
			var b strings.Builder
			for i := 0; b.Len() < barSize-2048; i++ {
				b.WriteString(strings.Repeat(" ", i) + "a:\n")
			}
			return b.String()
		}()),
		"keys":          counted("", "k#: 1\n", ""),
		"same key":      fill("", "k: 1\n", ""),
		"list":          fill("a:\n", "- b\n", ""),
		"aliases":       []byte("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n" + string(fill("", "#\n", ""))[:barSize-200]),
		"documents":     fill("", "---\n", ""),
		"one text":      fill("a: \"", "\\n", "\""),
		"comments":      fill("", "#\n", ""),
		"block":         fill("a: |\n", "  b\n", ""),
		"open brackets": fill("", "[{", ""),
	}
}

func hostileJSON() map[string][]byte {
	return map[string][]byte{
		"nested":      fill(`{"xml":`, "[", ""),
		"members":     counted(`{"xml":"<a/>"`, `,"k#":1`, "}"),
		"same member": fill(`{"xml":"<a/>"`, `,"xml":""`, "}"),
		"text":        fill(`{"xml":"`, `\u003c`, `"}`),
		"data":        fill(`{"data":"`, "AAAA", `","signers":[{}]}`),
		"signers":     fill(`{"data":"AAAA","signers":[`, "{},", "{}]}"),
		"certs":       fill(`{"certs":[`, `"MIIB",`, `""]}`),
		"document":    fill(`{"xml":"<a>`, "<b/>", `</a>"}`),
		"numbers":     fill(`{"data":`, "1", "}"),
	}
}
