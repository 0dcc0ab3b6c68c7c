package wsdl

import (
	"bytes"
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strings"
)

//go:embed *.wsdl *.xsd
var files embed.FS

// Files is the contract as it is.
func Files() fs.FS { return files }

// The three interfaces, as Serve and Asked name them.
const (
	SyncChannel        = "SyncChannel.wsdl"
	AsyncChannel       = "AsyncChannel.wsdl"
	AsyncChannelClient = "AsyncChannelClient.wsdl"
)

// ErrUnknown says that the contract has no file of that name.
var ErrUnknown = errors.New("wsdl: no such file")

var (
	soapAddress    = regexp.MustCompile(`<soap:address location="[^"]*"/>`)
	schemaLocation = regexp.MustCompile(`schemaLocation="([^"]*)"`)
)

// Serve gives a file of the contract as the service at address (an absolute
// http or https URL without a query) hands it out: soap:address is that
// address, and every schema is found under it as "?xsd=NAME".
//
// The error is ErrUnknown for a name that is not in the contract.
func Serve(name, address string) ([]byte, error) {
	src, err := files.ReadFile(name)
	if err != nil || path.Base(name) != name {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("wsdl: address of the service: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("wsdl: address of the service: %q is no absolute http URL without a query", address)
	}
	escaped := escape(address)
	src = schemaLocation.ReplaceAllFunc(src, func(found []byte) []byte {
		file := schemaLocation.FindSubmatch(found)[1]
		return fmt.Appendf(nil, `schemaLocation="%s?xsd=%s"`, escaped, file)
	})
	return soapAddress.ReplaceAllLiteral(src, fmt.Appendf(nil, `<soap:address location="%s"/>`, escaped)), nil
}

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s)) // a bytes.Buffer does not fail
	return b.String()
}

// Asked says which file the query of a GET asks for: "wsdl" the one of the
// door, "wsdl=AsyncChannelClient" another interface, "xsd=shep-common.xsd" a
// schema. ok is false for any other query.
func Asked(query, door string) (name string, ok bool) {
	key, value, _ := strings.Cut(query, "=")
	value, err := url.QueryUnescape(value)
	switch {
	case err != nil:
		return "", false
	case strings.EqualFold(key, "wsdl") && value == "":
		return door, true
	case strings.EqualFold(key, "wsdl"):
		return strings.TrimSuffix(value, ".wsdl") + ".wsdl", true
	case strings.EqualFold(key, "xsd") && strings.HasSuffix(value, ".xsd"):
		return value, true
	default:
		return "", false
	}
}
