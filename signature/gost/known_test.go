package gost

import (
	"runtime"
	"testing"
	"time"
)

// expected gives a key that is the same and whose multiples are known.
func expected(t testing.TB, k *PublicKey) *PublicKey {
	t.Helper()
	same, err := NewPublicKey(k.curve, k.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	same.Expect()
	if same.known.Load() == nil {
		t.Fatal("the multiples are not known")
	}
	return same
}

// The sum of two multiples is the same whether or not multiples are known, for
// numbers at every edge of the windows too, and where both parts cancel out.
func TestCombineKnown(t *testing.T) {
	for _, c := range curves {
		k, err := GenerateKey(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		g, err := NewPrivateKey(c, append([]byte{1}, make([]byte, c.size-1)...)) // its public key is the base point
		if err != nil {
			t.Fatal(err)
		}
		one := scalar{1}
		last := c.q.neg(&one)
		numbers := []scalar{{}, one, {31}, {32}, {33}, {63}, {64}, {65}, last, c.q.sub(&last, &one)}
		for range 8 {
			var s scalar
			n := scalarFromBytes(randomBytes(c.size))
			numbers = append(numbers, c.q.reduceWide(&n, &s))
		}
		var full scalar // digits that all carry
		for i := range c.size / 8 {
			full[i] = 0x8618618618618618
		}
		numbers = append(numbers, c.q.reduceWide(&full, &scalar{}))
		for _, key := range []*PublicKey{k.Public(), g.Public()} {
			m := expected(t, key).known.Load()
			for i := range numbers {
				for j := range numbers {
					if !sameSum(c, &numbers[i], &numbers[j], key, m) {
						t.Fatalf("%s: %x and %x", c.name, numbers[i], numbers[j])
					}
				}
			}
		}
	}
}

func sameSum(c *Curve, a, b *scalar, key *PublicKey, m *known) bool {
	if e := c.c256; e != nil {
		p := e.combine(a, b, &aff256{fe256(key.x[:4]), fe256(key.y[:4])})
		q := e.combineKnown(a, b, m.of256)
		e.add(&p, &q, true)
		return p.z.isZero()
	}
	e := c.c512
	p := e.combine(a, b, &aff512{fe512(key.x), fe512(key.y)})
	q := e.combineKnown(a, b, m.of512)
	e.add(&p, &q, true)
	return p.z.isZero()
}

// A key whose multiples are known accepts and refuses what it did before.
func TestVerifyKnown(t *testing.T) {
	for _, c := range curves {
		k, err := GenerateKey(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		plain := k.Public()
		key := expected(t, plain)
		for round := range 40 {
			d := randomBytes(c.size)
			sig, err := k.Sign(nil, d)
			if err != nil {
				t.Fatal(err)
			}
			if !key.Verify(d, sig) {
				t.Fatalf("%s: refused", c.name)
			}
			bad := append([]byte{}, sig...)
			bad[round%len(bad)] ^= 1 << (round % 8)
			if key.Verify(d, bad) || key.Verify(bad[:c.size], sig) {
				t.Errorf("%s: a change is accepted", c.name)
			}
			if forged := randomBytes(2 * c.size); key.Verify(d, forged) != plain.Verify(d, forged) {
				t.Errorf("%s: two verdicts about %x", c.name, forged)
			}
		}
		edge := func(fill byte) []byte {
			b := make([]byte, c.size)
			for i := range b {
				b[i] = fill
			}
			return b
		}
		one, order := append([]byte{1}, make([]byte, c.size-1)...), c.q.m.appendBytes(nil, c.size/8)
		for _, d := range [][]byte{edge(0), edge(0xff), one, order} {
			for _, r := range [][]byte{edge(0), edge(0xff), one, order} {
				for _, s := range [][]byte{edge(0), edge(0xff), one, order} {
					sig := append(append([]byte{}, r...), s...)
					if key.Verify(d, sig) != plain.Verify(d, sig) {
						t.Errorf("%s: two verdicts about %x under %x", c.name, sig, d)
					}
				}
			}
		}
	}
}

// The memory for known keys has a bound, and keys that nobody has any more give
// theirs back.
func TestExpectIsBounded(t *testing.T) {
	settled := func(want int64) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); knownKeys.Load() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d keys are known, want %d", knownKeys.Load(), want)
			}
			runtime.GC()
		}
	}
	settled(0)
	var all []*PublicKey
	for range maxKnown + 2 {
		k, err := GenerateKey(CryptoProA(), nil)
		if err != nil {
			t.Fatal(err)
		}
		key := k.Public()
		key.Expect()
		key.Expect()
		all = append(all, key)
	}
	if n := knownKeys.Load(); n != maxKnown || all[0].known.Load() == nil || all[maxKnown].known.Load() != nil {
		t.Errorf("%d keys are known, want %d", n, maxKnown)
	}
	runtime.KeepAlive(all)
	all = nil
	settled(0)
}

func BenchmarkVerifyKnown(b *testing.B) {
	for _, c := range curves {
		k, err := GenerateKey(c, nil)
		if err != nil {
			b.Fatal(err)
		}
		d := randomBytes(c.size)
		sig, err := k.Sign(nil, d)
		if err != nil {
			b.Fatal(err)
		}
		for _, way := range []struct {
			name string
			key  *PublicKey
		}{{"plain", k.Public()}, {"known", expected(b, k.Public())}} {
			b.Run(c.name+"/"+way.name, func(b *testing.B) {
				for b.Loop() {
					if !way.key.Verify(d, sig) {
						b.Fatal("refused")
					}
				}
			})
		}
		b.Run(c.name+"/expect", func(b *testing.B) {
			for b.Loop() {
				key := k.Public()
				(&known{}).make(key)
			}
		})
	}
}
