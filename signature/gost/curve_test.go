package gost

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"testing"
)

var curves = []*Curve{cryptoProA, tc26A256, tc26A512}

func (s *scalar) big() *big.Int {
	b := s.appendBytes(nil, 8)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return new(big.Int).SetBytes(b)
}

func scalarOf(n *big.Int) (s scalar) {
	b := n.FillBytes(make([]byte, 64))
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return scalarFromBytes(b)
}

func TestSignVerify(t *testing.T) {
	for _, c := range curves {
		t.Run(c.name, func(t *testing.T) {
			k, err := GenerateKey(c, nil)
			if err != nil {
				t.Fatal(err)
			}
			pub, err := NewPublicKey(c, k.Public().Bytes())
			if err != nil {
				t.Fatal(err)
			}
			d := make([]byte, c.size)
			rand.Read(d)
			sig, err := k.Sign(nil, d)
			if err != nil {
				t.Fatal(err)
			}
			if !pub.Verify(d, sig) {
				t.Error("own signature refused")
			}
			again, _ := k.Sign(nil, d)
			if bytes.Equal(sig, again) {
				t.Error("the same nonce twice")
			}
			sig[3] ^= 1
			if pub.Verify(d, sig) {
				t.Error("changed signature accepted")
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, c := range curves {
		k, _ := GenerateKey(c, nil)
		d := make([]byte, c.size)
		rand.Read(d)
		sig, _ := k.Sign(nil, d)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !k.public.Verify(d, sig) {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, c := range curves {
		k, _ := GenerateKey(c, nil)
		d := make([]byte, c.size)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Sign(nil, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFieldMul(b *testing.B) {
	x, y := fe256{1, 2, 3, 4}, fe256{5, 6, 7, 1 << 63}
	u, v := fe512{1, 2, 3, 4, 5, 6, 7, 8}, fe512{5, 6, 7, 1 << 63, 3, 4, 5, 1 << 62}
	b.Run("256", func(b *testing.B) {
		for b.Loop() {
			x.mul(&x, &y)
		}
	})
	b.Run("256-go", func(b *testing.B) {
		for b.Loop() {
			x.mulGo(&x, &y)
		}
	})
	b.Run("512", func(b *testing.B) {
		for b.Loop() {
			u.mul(&u, &v)
		}
	})
	b.Run("512-go", func(b *testing.B) {
		for b.Loop() {
			u.mulGo(&u, &v)
		}
	})
}
