package signature

import (
	"bytes"
	"encoding/asn1"
	"runtime"
	"slices"
	"testing"
	"time"

	"kopir/signature/cms"
	"kopir/signature/gost"
	"kopir/signature/keystore"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// deep nests values, in DER or with indefinite lengths.
func deep(levels int) []byte {
	return slices.Concat(bytes.Repeat([]byte{0x30, 0x80}, levels), bytes.Repeat([]byte{0, 0}, levels))
}

// TestCMSCost: no input of a megabyte takes long or much room, whatever it is.
// The aim is 100 ms. The bar is far above, because tests share the machine and
// run under the race detector; what is not linear takes minutes.
func TestCMSCost(t *testing.T) {
	w := newNationalWorld(t)
	key := w.key(t, sigtest.Profile{})
	const mega = 1 << 20
	f := newForge(t, key)
	message := func(change func(f *cmsForge)) []byte {
		g := *f
		g.attributes = slices.Clone(f.attributes)
		change(&g)
		return g.bytes(t)
	}
	signers := map[int]*keystore.Key{}
	for i := range 16 {
		signers[i] = w.person(t, gost.TC26A512())
	}
	crowd := must2(SignCMS(make([]byte, mega/2), signers[0], CMSOptions{}))(t)
	for i := 1; i < 16; i++ {
		crowd = must2(AddCMS(crowd, nil, signers[i], CMSOptions{}))(t)
	}
	for i := range 16 * maxStamps {
		m := must2(cms.Parse(crowd))(t) // every change may put the signers in another order
		token := stampOver(t, w, "2015-512", m.Signers[i%16].Value, sigtest.Noon().Add(-time.Duration(i)*time.Second))
		if len(m.Signers[i%16].Tokens()) < maxStamps {
			crowd = must2(m.WithToken(i%16, token))(t)
		}
	}
	for name, input := range map[string][]byte{
		"nested":            deep(mega / 4),
		"nested, but typed": slices.Concat([]byte{0x30, 0x80}, oid(t, 1, 2, 840, 113549, 1, 7, 2), deep(mega/4)),
		"attributes": message(func(f *cmsForge) {
			f.unsigned = asn(0xa1, bytes.Repeat(attribute(t, asn1.ObjectIdentifier{1, 2}, null), mega/11))
		}),
		"values": message(func(f *cmsForge) {
			f.unsigned = asn(0xa1, asn(0x30, slices.Concat(oid(t, 1, 2), asn(0x31, bytes.Repeat(null, mega/2)))))
		}),
		"content in pieces":   slices.Concat([]byte{0x30, 0x80}, oid(t, 1, 2, 840, 113549, 1, 7, 2), []byte{0xa0, 0x80, 0x30, 0x80, 2, 1, 1, 0x31, 0, 0x30, 0x80}, f.kind, []byte{0xa0, 0x80, 0x24, 0x80}, bytes.Repeat([]byte{4, 1, 'a'}, mega/3), make([]byte, 10), []byte{0x31, 0, 0, 0, 0, 0, 0, 0}),
		"sixteen signers":     crowd,
		"zeros":               make([]byte, mega),
		"a name without end":  slices.Concat([]byte{0x30, 0x83, 0x0f, 0xff, 0xfb}, bytes.Repeat([]byte{0x06, 0x7f}, mega/2)),
		"lengths beyond need": bytes.Repeat([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, mega/6),
	} {
		t.Run(name, func(t *testing.T) {
			var v *Verdict
			took, room := time.Hour, uint64(0)
			for range 5 { // others use the machine too: the best of a few counts
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				v = w.cms(t, input, nil, now())
				took = min(took, time.Since(start))
				runtime.ReadMemStats(&after)
				if room = after.TotalAlloc - before.TotalAlloc; took < time.Second/10 {
					break
				}
			}
			t.Logf("%7d bytes: %v, %d KB, %s", len(input), took, room>>10, explain(v))
			if took > 5*time.Second || room > 20*uint64(len(input)) {
				t.Errorf("%d bytes take %v and %d bytes", len(input), took, room)
			}
			if (v.Outcome == verdict.Passed) != (name == "sixteen signers") {
				t.Error(explain(v))
			}
		})
	}
}
