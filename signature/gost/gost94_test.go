package gost

import (
	"bytes"
	"testing"
)

// RFC 5831 section 7.3 (test S-boxes); the first is also the value of the
// national fact sheet.
func TestGOST94Vectors(t *testing.T) {
	for _, c := range []struct{ msg, want string }{
		{"This is message, length=32 bytes", "b1c466d37519b82e8319819ff32595e047a28cb6f83eff1c6916a815a637fffa"},
		{"Suppose the original message has length = 50 bytes", "471aba57a60a770d3a76130635c1fbea4ef14de51f78b4ae57dd893b62f55208"},
		{"", "ce85b99cc46752fffee35cab9a7b0278abb4c2d2055cff685af4912c49490f8d"},
	} {
		h := NewGOST94()
		h.Write([]byte(c.msg))
		if got := h.Sum(nil); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%q: %x, want %s", c.msg, got, c.want)
		}
	}
}

func BenchmarkGOST94(b *testing.B) {
	p := make([]byte, 1<<20)
	h := NewGOST94()
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		h.Write(p)
	}
}
