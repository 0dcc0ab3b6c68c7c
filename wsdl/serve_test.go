package wsdl

import (
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"testing"
)

const address = "https://bridge.example.kz:8443/shep/sync&more"

// TestServe follows every schemaLocation from the three interfaces and finds a
// file of the contract behind it; soap:address is the one given.
func TestServe(t *testing.T) {
	reached := map[string]bool{}
	queue := []string{SyncChannel, AsyncChannel, AsyncChannelClient}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if reached[name] {
			continue
		}
		reached[name] = true
		src, err := Serve(name, address)
		if err != nil {
			t.Fatal(err)
		}
		addresses := 0
		eachElement(t, src, func(e xml.StartElement) {
			for _, a := range e.Attr {
				switch {
				case e.Name.Local == "address" && a.Name.Local == "location":
					addresses++
					if a.Value != address {
						t.Errorf("%s: address %s", name, a.Value)
					}
				case a.Name.Local == "schemaLocation":
					at, err := url.Parse(a.Value)
					if err != nil {
						t.Fatal(err)
					}
					next, ok := Asked(at.RawQuery, SyncChannel)
					if !ok || !strings.HasPrefix(a.Value, address+"?") {
						t.Errorf("%s: schema at %s", name, a.Value)
					}
					queue = append(queue, next)
				}
			}
		})
		if want := strings.HasSuffix(name, ".wsdl"); want != (addresses == 1) {
			t.Errorf("%s: %d addresses", name, addresses)
		}
	}
	all, err := fs.Glob(Files(), "*")
	if err != nil || len(all) != len(reached) {
		t.Errorf("reached %v of %v (%v)", reached, all, err)
	}
}

func eachElement(t *testing.T, src []byte, f func(xml.StartElement)) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(string(src))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			f(e)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	for _, name := range []string{"", ".", "other.wsdl", "../go.mod", "shep/sync/types.go", "serve.go"} {
		if _, err := Serve(name, address); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, at := range []string{"", "/shep/sync", "ftp://host/", "http:///x", "http://host/?a", "http://host/\"><x/>"} {
		out, err := Serve(SyncChannel, at)
		if err == nil && strings.Contains(string(out), "<x/>") || err == nil && at != `http://host/"><x/>` {
			t.Errorf("%q was taken", at)
		}
	}
}

func TestAsked(t *testing.T) {
	for query, want := range map[string]string{
		"wsdl": SyncChannel, "WSDL": SyncChannel, "wsdl=": SyncChannel, "wsdl=AsyncChannelClient": AsyncChannelClient,
		"wsdl=AsyncChannel.wsdl": AsyncChannel, "xsd=shep-common.xsd": "shep-common.xsd", "": "", "x": "", "xsd": "", "xsd=%zz": "", "xsd=shep-common": "",
	} {
		if name, ok := Asked(query, SyncChannel); name != want || ok != (want != "") {
			t.Errorf("%q: %q %v", query, name, ok)
		}
	}
}
