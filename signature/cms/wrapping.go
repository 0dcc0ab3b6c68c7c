package cms

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
)

// Unwrap gives the encoding of a message that is wrapped in PEM or in bare
// base64, as browsers' plug-ins hand it out and as XML carries it; other bytes
// as they are.
func Unwrap(src []byte) []byte {
	if block, _ := pem.Decode(src); block != nil {
		switch block.Type {
		case "CMS", "PKCS7", "PKCS #7 SIGNED DATA":
			return block.Bytes
		}
		return src
	}
	text := bytes.TrimLeft(src, base64Space)
	if len(text) == 0 || text[0] != 'M' { // 0x30, a SEQUENCE, in base64
		return src
	}
	clean := make([]byte, 0, len(text))
	for _, c := range text {
		if bytes.IndexByte([]byte(base64Space), c) < 0 {
			clean = append(clean, c)
		}
	}
	n, err := base64.StdEncoding.Strict().Decode(clean, clean)
	if err != nil {
		return src
	}
	return clean[:n]
}

const base64Space = " \t\r\n"
