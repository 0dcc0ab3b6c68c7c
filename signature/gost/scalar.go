package gost

import (
	"encoding/binary"
	"math/bits"
)

// scalar is a number below the order of a curve, the least significant word
// first. Curves of 256 bits use the first four words only.
type scalar [8]uint64

// modulus is the prime order of a base point, with what Montgomery's
// multiplication needs.
type modulus struct {
	m     scalar
	limbs int
	inv   uint64 // -1/m modulo 2^64
	rr    scalar // 2^(128 limbs) modulo m
}

func newModulus(m scalar, limbs int) *modulus {
	q := &modulus{m: m, limbs: limbs}
	inv := m[0] // five steps of Newton's iteration give 1/m modulo 2^64
	for range 5 {
		inv *= 2 - m[0]*inv
	}
	q.inv = -inv
	one := scalar{1}
	q.rr = one
	for range 128 * limbs {
		q.rr = q.add(&q.rr, &q.rr)
	}
	return q
}

// addLimbs adds b to s over n words and gives the carry.
func (s *scalar) addLimbs(b *scalar, n int) uint64 {
	var c uint64
	for i := range n {
		s[i], c = bits.Add64(s[i], b[i], c)
	}
	return c
}

func (s *scalar) subLimbs(b *scalar, n int) uint64 {
	var c uint64
	for i := range n {
		s[i], c = bits.Sub64(s[i], b[i], c)
	}
	return c
}

// reduceOnce subtracts m if s, with carry on top, is not below it. Constant time.
func (q *modulus) reduceOnce(s *scalar, carry uint64) {
	t := *s
	borrow := t.subLimbs(&q.m, q.limbs)
	keep := -(borrow &^ carry) // all ones: s was below m
	for i := range s {
		s[i] = s[i]&keep | t[i]&^keep
	}
}

// add, neg and mul run in constant time.
func (q *modulus) add(a, b *scalar) scalar {
	s := *a
	carry := s.addLimbs(b, q.limbs)
	q.reduceOnce(&s, carry)
	return s
}

func (q *modulus) neg(a *scalar) scalar {
	s := q.m
	s.subLimbs(a, q.limbs)
	q.reduceOnce(&s, 0) // 0 gives m
	return s
}

func (q *modulus) mul(a, b *scalar) scalar {
	t := q.montgomery(a, b)
	return q.montgomery(&t, &q.rr)
}

// montgomery gives a b / 2^(64 limbs). a may be any number of that many words
// as long as b is below m.
func (q *modulus) montgomery(a, b *scalar) scalar {
	var t [10]uint64
	n := q.limbs
	for i := range n {
		t[n+1] = 0
		t[n], t[n+1] = addMul(t[:n], b[:n], a[i], t[n])
		f := t[0] * q.inv
		hi, carry := addMul(t[:n], q.m[:n], f, t[n])
		copy(t[:n-1], t[1:n])
		t[n-1] = hi
		t[n] = t[n+1] + carry
	}
	var s scalar
	copy(s[:n], t[:n])
	q.reduceOnce(&s, t[n])
	return s
}

// addMul adds x*f to t and gives top plus the carry, with the carry of that.
func addMul(t, x []uint64, f, top uint64) (uint64, uint64) {
	var carry uint64
	for i := range t {
		hi, lo := bits.Mul64(x[i], f)
		var c uint64
		lo, c = bits.Add64(lo, carry, 0)
		hi += c
		t[i], c = bits.Add64(t[i], lo, 0)
		carry = hi + c
	}
	return bits.Add64(top, carry, 0)
}

// reduceWide gives lo + hi 2^(64 limbs) modulo m for any lo and hi, in constant time.
func (q *modulus) reduceWide(lo, hi *scalar) scalar {
	one := scalar{1}
	t := q.montgomery(hi, &q.rr) // hi 2^(64 limbs) modulo m
	l := q.montgomery(lo, &one)  // lo / 2^(64 limbs)
	l = q.montgomery(&l, &q.rr)  // lo modulo m
	return q.add(&t, &l)
}

func (s *scalar) isZero() bool { return *s == scalar{} }

// below tells whether s < m. Not constant time.
func (q *modulus) below(s *scalar) bool {
	t := *s
	return t.subLimbs(&q.m, q.limbs) == 1
}

// invertPublic gives 1/a modulo m for a public a that is not zero, by the
// binary extended Euclidean algorithm. Not constant time.
func (q *modulus) invertPublic(a *scalar) scalar {
	n := q.limbs
	u, v := *a, q.m
	x, y := scalar{1}, scalar{}
	one := scalar{1}
	for u != one && v != one {
		q.halve(&u, &x)
		q.halve(&v, &y)
		t := u
		if t.subLimbs(&v, n) == 0 {
			u = t
			x = q.sub(&x, &y)
		} else {
			v.subLimbs(&u, n)
			y = q.sub(&y, &x)
		}
	}
	if u == one {
		return x
	}
	return y
}

// halve divides u by two as long as that leaves no rest, and x with it modulo m.
func (q *modulus) halve(u, x *scalar) {
	n := q.limbs
	for u[0]&1 == 0 {
		u.shiftRight(n, 0)
		var carry uint64
		if x[0]&1 == 1 {
			carry = x.addLimbs(&q.m, n)
		}
		x.shiftRight(n, carry)
	}
}

func (s *scalar) shiftRight(n int, top uint64) {
	for i := range n - 1 {
		s[i] = s[i]>>1 | s[i+1]<<63
	}
	s[n-1] = s[n-1]>>1 | top<<63
}

func (q *modulus) sub(a, b *scalar) scalar {
	s := *a
	if s.subLimbs(b, q.limbs) == 1 {
		s.addLimbs(&q.m, q.limbs)
	}
	return s
}

// signedWindows writes the width-w non-adjacent form of a public k into d, the
// least significant digit first, and gives its length. Digits are odd or zero
// and below 2^(w-1) in size; of any w in a row at most one is not zero.
func signedWindows(d []int8, k *scalar, w uint) int {
	length := 0
	var carry uint64
	for i := 0; i < len(d); {
		bit := carry
		if i < 512 {
			bit += k[i/64] >> (i % 64) & 1
		}
		if bit&1 == 0 {
			carry = bit >> 1
			i++
			continue
		}
		v := k.window(i, w) + carry
		carry = 0
		digit := int(v)
		if v>>(w-1) != 0 {
			digit -= 1 << w
			carry = 1
		}
		d[i] = int8(digit)
		length = i + 1
		i += int(w)
	}
	return length
}

// window gives w bits of k from bit i on.
func (s *scalar) window(i int, w uint) uint64 {
	if i >= 512 {
		return 0
	}
	v := s[i/64] >> (i % 64)
	if i%64+int(w) > 64 && i/64+1 < len(s) {
		v |= s[i/64+1] << (64 - i%64)
	}
	return v & (1<<w - 1)
}

// equalMask is all ones if a equals b and zero otherwise, in constant time.
func equalMask(a, b uint64) uint64 {
	x := a ^ b
	return (x|-x)>>63 - 1
}

func scalarFromBytes(b []byte) (s scalar) {
	for i := range len(b) / 8 {
		s[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return s
}

func (s *scalar) appendBytes(out []byte, n int) []byte {
	for _, w := range s[:n] {
		out = binary.LittleEndian.AppendUint64(out, w)
	}
	return out
}
