package xmltree_test

import (
	"fmt"

	"kopir/signature/xmltree"
)

// The bytes that a signature covers, and the text that it makes believable.
func Example() {
	src := []byte(`<e:Envelope xmlns:e="urn:e"><e:Body Id="b" a='1'><iin>9001<!-- x -->01300123</iin></e:Body></e:Envelope>`)
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := doc.ByID("b") // an error if no element bears it, or more than one
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", doc.Canonical(nil, body, xmltree.C14N{Kind: xmltree.Exclusive}))
	iin, _, err := body.Child("", "iin") // an error if there are two
	fmt.Println(iin.Text(), err)
	// Output:
	// <e:Body xmlns:e="urn:e" Id="b" a="1"><iin>900101300123</iin></e:Body>
	// 900101300123 <nil>
}
