package gost

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

// Sizes in bytes of GOST R 34.11-2012 (Streebog, RFC 6986).
const (
	StreebogBlockSize = 64
	Streebog256Size   = 32
	Streebog512Size   = 64
)

// block is a 512-bit value as eight words, the least significant one first;
// inside a word too the first byte of the message is the least significant.
type block [8]uint64

func loadBlock(p []byte) (b block) {
	_ = p[63]
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
	return b
}

// streebog is the hash in progress. It holds no pointers, so that a copy is a
// snapshot and no use of it allocates.
type streebog struct {
	h, n, sigma block
	buf         [StreebogBlockSize]byte
	used        int
	size        int
}

// NewStreebog256 gives the 256-bit GOST R 34.11-2012.
func NewStreebog256() hash.Hash { return newStreebog(Streebog256Size) }

// NewStreebog512 gives the 512-bit GOST R 34.11-2012.
func NewStreebog512() hash.Hash { return newStreebog(Streebog512Size) }

func newStreebog(size int) *streebog {
	s := &streebog{size: size}
	s.Reset()
	return s
}

func (s *streebog) Size() int      { return s.size }
func (s *streebog) BlockSize() int { return StreebogBlockSize }

// Reset starts anew with the initialisation vector of RFC 6986 section 5.1.
func (s *streebog) Reset() {
	size := s.size
	*s = streebog{size: size}
	if size == Streebog256Size {
		for i := range s.h {
			s.h[i] = 0x0101010101010101
		}
	}
}

func (s *streebog) Write(p []byte) (int, error) {
	written := len(p)
	if s.used > 0 {
		n := copy(s.buf[s.used:], p)
		s.used += n
		p = p[n:]
		if s.used == StreebogBlockSize {
			s.absorb(s.buf[:])
			s.used = 0
		}
	}
	for len(p) >= StreebogBlockSize {
		s.absorb(p[:StreebogBlockSize])
		p = p[StreebogBlockSize:]
	}
	if len(p) > 0 {
		s.used = copy(s.buf[:], p)
	}
	return written, nil
}

// absorb is stage 2 of RFC 6986 section 6: one whole block.
func (s *streebog) absorb(p []byte) {
	m := loadBlock(p)
	compress(&s.h, &s.n, &m)
	s.n.add(&block{8 * StreebogBlockSize})
	s.sigma.add(&m)
}

// Sum appends the digest; it works on a copy, so that more may be written.
func (s *streebog) Sum(in []byte) []byte {
	d := *s
	clear(d.buf[d.used:])
	d.buf[d.used] = 1 // stage 3: the padding bit
	m := loadBlock(d.buf[:])
	compress(&d.h, &d.n, &m)
	d.n.add(&block{uint64(8 * d.used)})
	d.sigma.add(&m)
	var zero block
	compress(&d.h, &zero, &d.n)
	compress(&d.h, &zero, &d.sigma)
	for _, w := range d.h[8-d.size/8:] { // the 256-bit digest is the upper half
		in = binary.LittleEndian.AppendUint64(in, w)
	}
	return in
}

// add is addition modulo 2^512.
func (b *block) add(c *block) {
	var carry uint64
	for i := range b {
		b[i], carry = bits.Add64(b[i], c[i], carry)
	}
}

// compress is the function g_N of RFC 6986 section 8: h becomes
// E(LPS(h xor n), m) xor h xor m.
func compress(h, n, m *block) {
	var in [StreebogBlockSize]byte
	var k, x block
	t := &lpsTable
	xorBytes(&in, h, n)
	lps(&k, &in, t)
	x = *m
	for i := range roundConstants {
		xorBytes(&in, &x, &k)
		lps(&x, &in, t)
		xorBytes(&in, &k, &roundConstants[i])
		lps(&k, &in, t)
	}
	for i := range h {
		h[i] ^= x[i] ^ k[i] ^ m[i]
	}
}

func xorBytes(out *[StreebogBlockSize]byte, a, b *block) {
	for i := range a {
		binary.LittleEndian.PutUint64(out[8*i:8*i+8], a[i]^b[i])
	}
}

// lps is substitution, transposition and linear transformation in one: byte j
// of word i goes to byte i of word j, and lpsTable[i] holds what that byte
// contributes there. The input comes as bytes, because loading a byte is
// cheaper than cutting it out of a word; the table comes as a parameter so
// that its address stays in a register.
func lps(out *block, in *[StreebogBlockSize]byte, t *[8][256]uint64) {
	out[0] = t[0][in[0]] ^ t[1][in[8]] ^ t[2][in[16]] ^ t[3][in[24]] ^ t[4][in[32]] ^ t[5][in[40]] ^ t[6][in[48]] ^ t[7][in[56]]
	out[1] = t[0][in[1]] ^ t[1][in[9]] ^ t[2][in[17]] ^ t[3][in[25]] ^ t[4][in[33]] ^ t[5][in[41]] ^ t[6][in[49]] ^ t[7][in[57]]
	out[2] = t[0][in[2]] ^ t[1][in[10]] ^ t[2][in[18]] ^ t[3][in[26]] ^ t[4][in[34]] ^ t[5][in[42]] ^ t[6][in[50]] ^ t[7][in[58]]
	out[3] = t[0][in[3]] ^ t[1][in[11]] ^ t[2][in[19]] ^ t[3][in[27]] ^ t[4][in[35]] ^ t[5][in[43]] ^ t[6][in[51]] ^ t[7][in[59]]
	out[4] = t[0][in[4]] ^ t[1][in[12]] ^ t[2][in[20]] ^ t[3][in[28]] ^ t[4][in[36]] ^ t[5][in[44]] ^ t[6][in[52]] ^ t[7][in[60]]
	out[5] = t[0][in[5]] ^ t[1][in[13]] ^ t[2][in[21]] ^ t[3][in[29]] ^ t[4][in[37]] ^ t[5][in[45]] ^ t[6][in[53]] ^ t[7][in[61]]
	out[6] = t[0][in[6]] ^ t[1][in[14]] ^ t[2][in[22]] ^ t[3][in[30]] ^ t[4][in[38]] ^ t[5][in[46]] ^ t[6][in[54]] ^ t[7][in[62]]
	out[7] = t[0][in[7]] ^ t[1][in[15]] ^ t[2][in[23]] ^ t[3][in[31]] ^ t[4][in[39]] ^ t[5][in[47]] ^ t[6][in[55]] ^ t[7][in[63]]
}
