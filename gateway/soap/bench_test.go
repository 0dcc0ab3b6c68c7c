package soap

import (
	"bytes"
	"fmt"
	"testing"

	"kopir/signature/xmltree"
)

func BenchmarkBuild(b *testing.B) {
	each(b, func(b *testing.B, p Payload, _ []byte) error { _, err := Build(p); return err })
}

// BenchmarkRead includes the parse.
func BenchmarkRead(b *testing.B) {
	each(b, func(b *testing.B, _ Payload, src []byte) error {
		doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
		if err != nil {
			return err
		}
		_, err = Read(doc)
		return err
	})
}

func each(b *testing.B, f func(*testing.B, Payload, []byte) error) {
	for _, size := range []int{4 << 10, 500 << 10, 20 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			p := filled(&SyncSendMessageRequest{}, true).(*SyncSendMessageRequest)
			p.RequestData.Data = EscapedData(append(append([]byte("<a>"), bytes.Repeat([]byte("QUJD"), size/4)...), "</a>"...))
			src, err := Build(p)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if err := f(b, p, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
