package revocation_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"math/big"
	"runtime"
	"testing"
	"time"

	"kopir/signature/revocation"
	"kopir/signature/sigtest"
)

// bigList is a list of n certificates with random 20-byte numbers, rightly signed.
func bigList(t testing.TB, s signer, n int) (raw []byte, some []*big.Int) {
	t.Helper()
	entries := make([]x509.RevocationListEntry, n)
	random := make([]byte, 20)
	for i := range entries {
		rand.Read(random)
		random[0] &= 0x7f
		binary.BigEndian.PutUint32(random[8:], uint32(i)) // no two alike
		entries[i] = x509.RevocationListEntry{SerialNumber: new(big.Int).SetBytes(random), RevocationTime: sigtest.Noon().Add(-time.Hour), ReasonCode: i % 6}
		if i%1000 == 0 {
			some = append(some, entries[i].SerialNumber)
		}
	}
	raw, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: sigtest.Noon(), NextUpdate: sigtest.Noon().Add(day),
		RevokedCertificateEntries: entries, ExtraExtensions: []pkix.Extension{},
	}, s.cert, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return raw, some
}

// TestLongList: every entry of a long list in no order is found, and keeping
// it takes less than its encoding.
func TestLongList(t *testing.T) {
	s := newSigner(t, x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	raw, some := bigList(t, s, 20_000)
	l := parseCRL(t, raw)
	if check := l.Verify(s.nuc); check.Reason != "" || l.Len() != 20_000 {
		t.Fatalf("%d entries, %+v", l.Len(), check)
	}
	for i, serial := range some {
		at, reason, ok := l.Find(serial)
		want := i * 1000 % 6
		if want == 0 {
			want = -1 // crypto/x509 leaves "unspecified" out
		}
		if !ok || !at.Equal(sigtest.Noon().Add(-time.Hour)) || reason != want {
			t.Fatalf("%x: %v %d %v", serial, at, reason, ok)
		}
		if _, _, ok := l.Find(new(big.Int).Add(serial, big.NewInt(1))); ok {
			t.Fatal("a number that is not on the list was found")
		}
	}
	for _, odd := range []*big.Int{big.NewInt(-1), new(big.Int).Lsh(big.NewInt(1), 160), new(big.Int)} {
		if _, _, ok := l.Find(odd); ok {
			t.Fatalf("%s was found", odd)
		}
	}
}

func BenchmarkParseMillion(b *testing.B) {
	s := newSigner(b, x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	raw, some := bigList(b, s, 1_000_000)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	var l *revocation.CRL
	for b.Loop() {
		var err error
		if l, err = revocation.ParseCRL(raw); err != nil {
			b.Fatal(err)
		}
	}
	l.Compact("kept.crl")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	size := l.Len()
	_, _, ok := l.Find(some[0])
	l = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	if !ok || size != 1_000_000 {
		b.Fatal("the list is not whole")
	}
	runtime.KeepAlive(raw)
	b.ReportMetric(float64(before.HeapAlloc-after.HeapAlloc)/1e6, "MB-kept")
}

func BenchmarkFindInMillion(b *testing.B) {
	s := newSigner(b, x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	raw, some := bigList(b, s, 1_000_000)
	l, err := revocation.ParseCRL(raw)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, _, ok := l.Find(some[i%len(some)]); !ok {
			b.Fatal("not found")
		}
		i++
	}
}

// BenchmarkAskRemembered is what a message pays once the answer about its
// signer is remembered.
func BenchmarkAskRemembered(b *testing.B) {
	w := newWorld(b)
	w.use(revocation.Options{}, ocsp())
	_, c := w.person(1)
	b.ReportAllocs()
	for b.Loop() {
		if a := w.ask(c); a.Status != revocation.Good {
			b.Fatalf("%+v", a)
		}
	}
}
