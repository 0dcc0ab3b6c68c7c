package gost

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

// Sizes in bytes of GOST 34.311-95.
const (
	GOST94Size      = 32
	GOST94BlockSize = 32
)

// word256 is a 256-bit value, the least significant word first.
type word256 [4]uint64

func load256(p []byte) (w word256) {
	_ = p[31]
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
	return w
}

// gost94 is the hash in progress; like streebog it holds no pointers.
type gost94 struct {
	h, sigma word256
	length   uint64 // bytes absorbed
	buf      [GOST94BlockSize]byte
	used     int
}

// NewGOST94 gives GOST 34.311-95 with the test S-boxes, as the national
// certification authority uses it.
func NewGOST94() hash.Hash { return &gost94{} }

func (g *gost94) Size() int      { return GOST94Size }
func (g *gost94) BlockSize() int { return GOST94BlockSize }
func (g *gost94) Reset()         { *g = gost94{} }

func (g *gost94) Write(p []byte) (int, error) {
	written := len(p)
	if g.used > 0 {
		n := copy(g.buf[g.used:], p)
		g.used += n
		p = p[n:]
		if g.used == GOST94BlockSize {
			g.absorb(g.buf[:], GOST94BlockSize)
			g.used = 0
		}
	}
	for len(p) >= GOST94BlockSize {
		g.absorb(p[:GOST94BlockSize], GOST94BlockSize)
		p = p[GOST94BlockSize:]
	}
	if len(p) > 0 {
		g.used = copy(g.buf[:], p)
	}
	return written, nil
}

// absorb takes one block of which n bytes are message and the rest padding.
func (g *gost94) absorb(p []byte, n int) {
	m := load256(p)
	step94(&g.h, &m)
	var carry uint64
	for i := range g.sigma {
		g.sigma[i], carry = bits.Add64(g.sigma[i], m[i], carry)
	}
	g.length += uint64(n)
}

// Sum appends the digest; it works on a copy, so that more may be written.
func (g *gost94) Sum(in []byte) []byte {
	d := *g
	if d.used > 0 {
		clear(d.buf[d.used:])
		d.absorb(d.buf[:], d.used)
	}
	step94(&d.h, &word256{d.length << 3, d.length >> 61})
	step94(&d.h, &d.sigma)
	for _, w := range d.h {
		in = binary.LittleEndian.AppendUint64(in, w)
	}
	return in
}

// key94 is a key of GOST 28147-89, its first word first.
type key94 [8]uint32

// permute is the transformation P of RFC 5831 section 5.1: byte k of word i
// becomes byte i of key word k.
func (w *word256) permute() (k key94) {
	for j := range k {
		s := 8 * j
		k[j] = uint32(uint8(w[0]>>s)) | uint32(uint8(w[1]>>s))<<8 |
			uint32(uint8(w[2]>>s))<<16 | uint32(uint8(w[3]>>s))<<24
	}
	return k
}

// shift is the transformation A of RFC 5831 section 5.1.
func (w *word256) shift() { w[0], w[1], w[2], w[3] = w[1], w[2], w[3], w[0]^w[1] }

func (w *word256) xor(v *word256) word256 {
	return word256{w[0] ^ v[0], w[1] ^ v[1], w[2] ^ v[2], w[3] ^ v[3]}
}

// c3 is the only constant of the key schedule that is not zero.
var c3 = word256{0xff00ff00ff00ff00, 0x00ff00ff00ff00ff, 0xff0000ff00ffff00, 0xff00ffff000000ff}

// step94 is the step function of RFC 5831 section 5: h becomes chi(m, h).
func step94(h, m *word256) {
	var keys [4]key94
	u, v := *h, *m
	w := u.xor(&v)
	keys[0] = w.permute()
	for i := 1; i < 4; i++ {
		u.shift()
		if i == 2 {
			u = u.xor(&c3)
		}
		v.shift()
		v.shift()
		w = u.xor(&v)
		keys[i] = w.permute()
	}
	s := *h
	encrypt4(&s, &keys)
	mix(h, m, &s)
}

// encrypt4 enciphers the four words of s, each with its own key, by
// GOST 28147-89 in simple substitution. The four run side by side: their
// rounds do not depend on one another, so the processor overlaps them.
func encrypt4(s *word256, k *[4]key94) {
	t := &gost94Table
	a0, b0 := uint32(s[0]), uint32(s[0]>>32)
	a1, b1 := uint32(s[1]), uint32(s[1]>>32)
	a2, b2 := uint32(s[2]), uint32(s[2]>>32)
	a3, b3 := uint32(s[3]), uint32(s[3]>>32)
	for r := 0; r < 32; r += 2 {
		i, j := r&7, (r+1)&7
		if r >= 24 {
			i, j = 31-r, 30-r
		}
		b0 ^= round94(a0+k[0][i], t)
		b1 ^= round94(a1+k[1][i], t)
		b2 ^= round94(a2+k[2][i], t)
		b3 ^= round94(a3+k[3][i], t)
		a0 ^= round94(b0+k[0][j], t)
		a1 ^= round94(b1+k[1][j], t)
		a2 ^= round94(b2+k[2][j], t)
		a3 ^= round94(b3+k[3][j], t)
	}
	// The last round does not swap the halves.
	s[0] = uint64(a0)<<32 | uint64(b0)
	s[1] = uint64(a1)<<32 | uint64(b1)
	s[2] = uint64(a2)<<32 | uint64(b2)
	s[3] = uint64(a3)<<32 | uint64(b3)
}

func round94(x uint32, t *[4][256]uint32) uint32 {
	return t[0][uint8(x)] ^ t[1][uint8(x>>8)] ^ t[2][uint8(x>>16)] ^ t[3][uint8(x>>24)]
}

// mix is the mixing transformation of RFC 5831 section 5.3:
// h becomes psi^61(h xor psi(m xor psi^12(s))). psi is one step of a shift
// register of sixteen 16-bit words, so its powers are a window sliding over
// the words that it produces.
func mix(h, m, s *word256) {
	var y [16 + 61]uint16
	split(&y, s)
	slide(y[:16+12])
	xorInto(y[:16], y[12:28], m)
	slide(y[:16+1])
	xorInto(y[:16], y[1:17], h)
	slide(y[:])
	for i := range h {
		o := y[61+4*i : 61+4*i+4]
		h[i] = uint64(o[0]) | uint64(o[1])<<16 | uint64(o[2])<<32 | uint64(o[3])<<48
	}
}

func split(y *[16 + 61]uint16, w *word256) {
	for i := range 16 {
		y[i] = uint16(w[i/4] >> (16 * (i % 4)))
	}
}

func xorInto(dst, src []uint16, w *word256) {
	for i := range 16 {
		dst[i] = src[i] ^ uint16(w[i/4]>>(16*(i%4)))
	}
}

// slide fills y beyond its first sixteen words with what psi produces.
func slide(y []uint16) {
	for i := 16; i < len(y); i++ {
		w := y[i-16 : i : i]
		y[i] = w[0] ^ w[1] ^ w[2] ^ w[3] ^ w[12] ^ w[15]
	}
}

// testSBoxes are the S-boxes of id-GostR3411-94-TestParamSet, the one for the
// least significant four bits first (RFC 4357 section 11.2).
var testSBoxes = [8][16]uint8{
	{4, 10, 9, 2, 13, 8, 0, 14, 6, 11, 1, 12, 7, 15, 5, 3},
	{14, 11, 4, 12, 6, 13, 15, 10, 2, 3, 8, 1, 0, 7, 5, 9},
	{5, 8, 1, 13, 10, 3, 4, 2, 14, 15, 12, 7, 6, 0, 9, 11},
	{7, 13, 10, 1, 0, 8, 9, 15, 14, 4, 6, 12, 11, 2, 5, 3},
	{6, 12, 7, 1, 5, 15, 13, 8, 4, 10, 9, 14, 0, 3, 11, 2},
	{4, 11, 10, 0, 7, 2, 1, 13, 3, 6, 8, 5, 9, 12, 15, 14},
	{13, 11, 4, 1, 3, 15, 5, 9, 0, 10, 14, 7, 6, 8, 2, 12},
	{1, 15, 13, 0, 5, 7, 10, 4, 9, 2, 3, 14, 6, 11, 8, 12},
}

// gost94Table joins two S-boxes and the rotation by eleven into one look-up a byte.
var gost94Table = func() (t [4][256]uint32) {
	for i := range t {
		for v := range t[i] {
			x := uint32(testSBoxes[2*i][v&15]) | uint32(testSBoxes[2*i+1][v>>4])<<4
			t[i][v] = bits.RotateLeft32(x<<(8*i), 11)
		}
	}
	return t
}()
