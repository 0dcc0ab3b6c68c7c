package gost

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 6986 section 10; the message is printed there most significant byte first.
func TestStreebogVectors(t *testing.T) {
	m1 := []byte("012345678901234567890123456789012345678901234567890123456789012")
	m2 := unhex(t, "d1e520e2e5f2f0e82c20d1f2f0e8e1eee6e820e2edf3f6e82c20e2e5fef2fa20f120eceef0ff20f1f2f0e5ebe0ece820ede020f5f0e0e1f0fbff20efebfaeafb20c8e3eef0e5e2fb")
	for _, c := range []struct {
		name, want string
		msg        []byte
		size       int
	}{
		{"M1-512", "1b54d01a4af5b9d5cc3d86d68d285462b19abc2475222f35c085122be4ba1ffa00ad30f8767b3a82384c6574f024c311e2a481332b08ef7f41797891c1646f48", m1, 64},
		{"M1-256", "9d151eefd8590b89daa6ba6cb74af9275dd051026bb149a452fd84e5e57b5500", m1, 32},
		{"M2-512", "1e88e62226bfca6f9994f1f2d51569e0daf8475a3b0fe61a5300eee46d961376035fe83549ada2b8620fcd7c496ce5b33f0cb9dddc2b6460143b03dabac9fb28", m2, 64},
		{"M2-256", "9dd2fe4e90409e5da87f53976d7405b0c0cac628fc669a741d50063c557e8f50", m2, 32},
		{"empty-512", "8e945da209aa869f0455928529bcae4679e9873ab707b55315f56ceb98bef0a7362f715528356ee83cda5f2aac4c6ad2ba3a715c1bcd81cb8e9f90bf4c1c1a8a", nil, 64},
		{"empty-256", "3f539a213e97c802cc229d474c6aa32a825a360b2a933a949fd925208d9ce1bb", nil, 32},
	} {
		h := newStreebog(c.size)
		h.Write(c.msg)
		if got := h.Sum(nil); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: %x, want %s", c.name, got, c.want)
		}
	}
}

func BenchmarkStreebog512(b *testing.B) {
	p := make([]byte, 1<<20)
	h := newStreebog(64)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		h.Write(p)
	}
}
