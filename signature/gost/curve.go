package gost

import (
	"encoding/hex"
	"fmt"
)

// Curve is one of the three groups in which national signatures are made.
type Curve struct {
	name string
	size int // bytes of a coordinate, of a scalar and of a digest
	q    *modulus
	c256 *curve256 // exactly one of the two is set
	c512 *curve512
}

// Name is the parameter set's usual name.
func (c *Curve) Name() string { return c.name }

// Size is the number of bytes of a coordinate, a private key and a digest.
// Public keys and signatures have twice as many.
func (c *Curve) Size() int { return c.size }

// CryptoProA is id-GostR3410-2001-CryptoPro-A-ParamSet (RFC 4357 section 11.4),
// the curve of GOST 34.310-2004.
func CryptoProA() *Curve { return cryptoProA }

// TC26A256 is id-tc26-gost-3410-2012-256-paramSetA (RFC 7836 appendix A.2) in
// Weierstrass form. Its cofactor is four.
func TC26A256() *Curve { return tc26A256 }

// TC26A512 is id-tc26-gost-3410-12-512-paramSetA (RFC 7836 appendix A.1).
func TC26A512() *Curve { return tc26A512 }

var (
	cryptoProA = newCurve256("CryptoPro-A", 1, true,
		"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffd94",
		"00000000000000000000000000000000000000000000000000000000000000a6",
		"0000000000000000000000000000000000000000000000000000000000000001",
		"8d91e471e0989cda27df505a453f2b7635294f2ddf23e3b122acc99c9e9f1e14",
		"ffffffffffffffffffffffffffffffff6c611070995ad10045841b09b761b893")
	tc26A256 = newCurve256("tc26-256-A", 4, false,
		"c2173f1513981673af4892c23035a27ce25e2013bf95aa33b22c656f277e7335",
		"295f9bae7428ed9ccc20e7c359a9d41a22fccd9108e17bf7ba9337a6f8ae9513",
		"91e38443a5e82c0d880923425712b2bb658b9196932e02c78b2582fe742daa28",
		"32879423ab1a0375895786c4bb46e9565fde0b5344766740af268adb32322e5c",
		"400000000000000000000000000000000fd8cddfc87b6635c115af556c360c67")
	tc26A512 = newCurve512("tc26-512-A", 1, true,
		"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffdc4",
		"e8c2505dedfc86ddc1bd0b2b6667f1da34b82574761cb0e879bd081cfd0b6265ee3cb090f30d27614cb4574010da90dd862ef9d4ebee4761503190785a71c760",
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000003",
		"7503cfe87a836ae3a61b8816e25450e6ce5e1c93acf1abc1778064fdcbefa921df1626be4fd036e93d75e6a50e3a41e98028fe5fc235f5b889a589cb5215f2a4",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff27e69532f48d89116ff22b8d4e0560609b4b38abfad2b85dcacdb1411f10b275")
)

// number reads the big-endian hexadecimal text of a standard.
func number(text string) (s scalar) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b)%8 != 0 || len(b) > 64 {
		panic(fmt.Sprintf("gost: bad constant %s", text))
	}
	for i, v := range b {
		at := len(b) - 1 - i
		s[at/8] |= uint64(v) << (8 * (at % 8))
	}
	return s
}

func newCurve256(name string, cofactor int, minus3 bool, a, b, x, y, q string) *Curve {
	fe := func(text string) (z fe256) {
		n := number(text)
		copy(z[:], n[:4])
		return z
	}
	c := &curve256{a: fe(a), b: fe(b), minus3: minus3, g: aff256{fe(x), fe(y)}, cofactor: cofactor}
	c.b3.add(&c.b, &c.b)
	c.b3.add(&c.b3, &c.b)
	c.order = newModulus(number(q), 4)
	return &Curve{name: name, size: 32, q: c.order, c256: c}
}

func newCurve512(name string, cofactor int, minus3 bool, a, b, x, y, q string) *Curve {
	fe := func(text string) fe512 { return fe512(number(text)) }
	c := &curve512{a: fe(a), b: fe(b), minus3: minus3, g: aff512{fe(x), fe(y)}, cofactor: cofactor}
	c.b3.add(&c.b, &c.b)
	c.b3.add(&c.b3, &c.b)
	c.order = newModulus(number(q), 8)
	return &Curve{name: name, size: 64, q: c.order, c512: c}
}

// onCurve tells whether the coordinates, both canonical, are a point of the
// subgroup of prime order.
func (c *Curve) onCurve(x, y *scalar) bool {
	if !c.contains(x, y) {
		return false
	}
	if c.c256 != nil {
		if c.c256.cofactor == 1 {
			return true
		}
		o := c.c256.multiply(&c.q.m, &aff256{fe256(x[:4]), fe256(y[:4])})
		return o.z.isZero()
	}
	if c.c512.cofactor == 1 {
		return true
	}
	o := c.c512.multiply(&c.q.m, &aff512{fe512(*x), fe512(*y)})
	return o.z.isZero()
}

// contains tells whether the coordinates are canonical and fulfil the equation.
func (c *Curve) contains(x, y *scalar) bool {
	if c.c256 != nil {
		p := aff256{fe256(x[:4]), fe256(y[:4])}
		return p.x.canonical() == p.x && p.y.canonical() == p.y && c.c256.contains(&p)
	}
	p := aff512{fe512(*x), fe512(*y)}
	return p.x.canonical() == p.x && p.y.canonical() == p.y && c.c512.contains(&p)
}

// verify is RFC 7091 section 6.2 for scalars in range.
func (c *Curve) verify(x, y *scalar, k *known, e, r, s *scalar) bool {
	if c.c256 != nil {
		return c.c256.verify(&aff256{fe256(x[:4]), fe256(y[:4])}, k.of256, e, r, s)
	}
	return c.c512.verify(&aff512{fe512(*x), fe512(*y)}, k.of512, e, r, s)
}

// baseTimes gives the coordinates of k G in constant time.
func (c *Curve) baseTimes(k *scalar) (x, y scalar) {
	if c.c256 != nil {
		p := c.c256.baseTimes(k)
		copy(x[:], p.x[:])
		copy(y[:], p.y[:])
		return x, y
	}
	p := c.c512.baseTimes(k)
	return scalar(p.x), scalar(p.y)
}

// digest reads a hash as a number: little-endian, modulo the order, zero
// standing for one (RFC 7091 section 6.1, step 2; byte order as the national
// certificates have it).
func (c *Curve) digest(h []byte) scalar {
	e := scalarFromBytes(h)
	e = c.q.reduceWide(&e, &scalar{})
	if e.isZero() {
		e = scalar{1}
	}
	return e
}
