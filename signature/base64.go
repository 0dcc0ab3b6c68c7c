package signature

import (
	"encoding/base64"
	"errors"
	"strings"
)

var errBase64 = errors.New("not base64")

// strictBase64 refuses what base64Binary does not know: other alphabets,
// missing padding, bits that belong to no byte.
var strictBase64 = base64.StdEncoding.Strict()

const base64Space = " \t\r\n"

// decodeBase64 reads xs:base64Binary: white space anywhere, a carriage return
// too (Java writes one before each line feed, as a character reference).
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, base64Space) {
		clean := make([]byte, 0, len(text))
		for i := 0; i < len(text); i++ {
			if strings.IndexByte(base64Space, text[i]) < 0 {
				clean = append(clean, text[i])
			}
		}
		out := make([]byte, strictBase64.DecodedLen(len(clean)))
		n, err := strictBase64.Decode(out, clean)
		if err != nil {
			return nil, errBase64
		}
		return out[:n], nil
	}
	out, err := strictBase64.DecodeString(text)
	if err != nil {
		return nil, errBase64
	}
	return out, nil
}
