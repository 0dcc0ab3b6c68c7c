package gost

import (
	"crypto/rand"
	"math/big"
	mrand "math/rand/v2"
	"testing"
)

// twin is the slow, obvious version: the same group over math/big.
type twin struct{ p, a, b, q, gx, gy *big.Int }

func twinOf(c *Curve) twin {
	t := twin{q: c.q.m.big()}
	if k := c.c256; k != nil {
		t.p = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(617))
		t.a, t.b, t.gx, t.gy = big256(&k.a), big256(&k.b), big256(&k.g.x), big256(&k.g.y)
		return t
	}
	k := c.c512
	t.p = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 512), big.NewInt(569))
	t.a, t.b, t.gx, t.gy = big512(&k.a), big512(&k.b), big512(&k.g.x), big512(&k.g.y)
	return t
}

func big256(z *fe256) *big.Int { c := z.canonical(); var s scalar; copy(s[:], c[:]); return s.big() }
func big512(z *fe512) *big.Int { c := z.canonical(); s := scalar(c); return s.big() }

type bigPoint struct{ x, y *big.Int } // x nil: infinity

func (t twin) add(p, q bigPoint) bigPoint {
	switch {
	case p.x == nil:
		return q
	case q.x == nil:
		return p
	}
	var l *big.Int
	if p.x.Cmp(q.x) == 0 {
		if new(big.Int).Mod(new(big.Int).Add(p.y, q.y), t.p).Sign() == 0 {
			return bigPoint{}
		}
		num := new(big.Int).Add(new(big.Int).Mul(big.NewInt(3), new(big.Int).Mul(p.x, p.x)), t.a)
		l = num.Mul(num, new(big.Int).ModInverse(new(big.Int).Lsh(p.y, 1), t.p))
	} else {
		num := new(big.Int).Sub(q.y, p.y)
		den := new(big.Int).Mod(new(big.Int).Sub(q.x, p.x), t.p)
		l = num.Mul(num, den.ModInverse(den, t.p))
	}
	l.Mod(l, t.p)
	x := new(big.Int).Mul(l, l)
	x.Sub(x, p.x).Sub(x, q.x).Mod(x, t.p)
	y := new(big.Int).Sub(p.x, x)
	y.Mul(y, l).Sub(y, p.y).Mod(y, t.p)
	return bigPoint{x, y}
}

func (t twin) times(k *big.Int, p bigPoint) (r bigPoint) {
	for i := k.BitLen() - 1; i >= 0; i-- {
		r = t.add(r, r)
		if k.Bit(i) == 1 {
			r = t.add(r, p)
		}
	}
	return r
}

func (t twin) verify(q bigPoint, e, r, s *big.Int) bool {
	v := new(big.Int).ModInverse(e, t.q)
	z1 := new(big.Int).Mul(s, v)
	z2 := new(big.Int).Mul(r, v)
	c := t.add(t.times(z1.Mod(z1, t.q), bigPoint{t.gx, t.gy}), t.times(z2.Neg(z2).Mod(z2, t.q), q))
	return c.x != nil && new(big.Int).Mod(c.x, t.q).Cmp(r) == 0
}

// The constants were typed in: the base point must lie on the curve and have
// the stated prime order.
func TestParameters(t *testing.T) {
	for _, c := range curves {
		w := twinOf(c)
		if !w.p.ProbablyPrime(20) || !w.q.ProbablyPrime(20) {
			t.Errorf("%s: field or order not prime", c.name)
		}
		l := new(big.Int).Exp(w.gy, big.NewInt(2), w.p)
		r := new(big.Int).Exp(w.gx, big.NewInt(3), w.p)
		r.Add(r, new(big.Int).Mul(w.a, w.gx)).Add(r, w.b).Mod(r, w.p)
		if l.Cmp(r) != 0 {
			t.Errorf("%s: the base point is not on the curve", c.name)
		}
		if o := w.times(w.q, bigPoint{w.gx, w.gy}); o.x != nil {
			t.Errorf("%s: the base point has another order", c.name)
		}
	}
}

// edges are the numbers on which carries and reductions turn.
func edges(p *big.Int, width uint) []*big.Int {
	top := new(big.Int).Lsh(big.NewInt(1), width)
	var out []*big.Int
	for _, n := range []*big.Int{new(big.Int), p, top} {
		for d := int64(-3); d <= 3; d++ {
			v := new(big.Int).Add(n, big.NewInt(d))
			if v.Sign() >= 0 && v.Cmp(top) < 0 {
				out = append(out, v)
			}
		}
	}
	for _, s := range []uint{64, 128, width / 2, width - 64} {
		v := new(big.Int).Lsh(big.NewInt(1), s)
		out = append(out, v, new(big.Int).Sub(v, big.NewInt(1)), new(big.Int).Sub(top, v))
	}
	for range 40 {
		v, _ := rand.Int(rand.Reader, top)
		out = append(out, v)
	}
	return out
}

func TestField256(t *testing.T) {
	p := twinOf(cryptoProA).p
	es := edges(p, 256)
	mod := func(v *big.Int) *big.Int { return v.Mod(v, p) }
	for _, a := range es {
		for _, b := range es {
			sa, sb := scalarOf(a), scalarOf(b)
			x, y := fe256(sa[:4]), fe256(sb[:4])
			var z fe256
			check := func(op string, want *big.Int) {
				if big256(&z).Cmp(want) != 0 {
					t.Fatalf("%x %s %x = %x, want %x", a, op, b, big256(&z), want)
				}
			}
			z.add(&x, &y)
			check("+", mod(new(big.Int).Add(a, b)))
			z.sub(&x, &y)
			check("-", mod(new(big.Int).Sub(a, b)))
			z.mul(&x, &y)
			check("*", mod(new(big.Int).Mul(a, b)))
			z.mulGo(&x, &y)
			check("*go", mod(new(big.Int).Mul(a, b)))
			z = x
			z.mul(&z, &z)
			check("aliased square, not", mod(new(big.Int).Mul(a, a)))
		}
		sa := scalarOf(a)
		x := fe256(sa[:4])
		var z fe256
		z.invert(&x)
		want := new(big.Int).Exp(a, new(big.Int).Sub(p, big.NewInt(2)), p)
		if big256(&z).Cmp(want) != 0 {
			t.Fatalf("1/%x = %x, want %x", a, big256(&z), want)
		}
	}
}

func TestField512(t *testing.T) {
	p := twinOf(tc26A512).p
	es := edges(p, 512)
	mod := func(v *big.Int) *big.Int { return v.Mod(v, p) }
	for _, a := range es {
		for _, b := range es {
			x, y := fe512(scalarOf(a)), fe512(scalarOf(b))
			var z fe512
			check := func(op string, want *big.Int) {
				if big512(&z).Cmp(want) != 0 {
					t.Fatalf("%x %s %x = %x, want %x", a, op, b, big512(&z), want)
				}
			}
			z.add(&x, &y)
			check("+", mod(new(big.Int).Add(a, b)))
			z.sub(&x, &y)
			check("-", mod(new(big.Int).Sub(a, b)))
			z.mul(&x, &y)
			check("*", mod(new(big.Int).Mul(a, b)))
			z.mulGo(&x, &y)
			check("*go", mod(new(big.Int).Mul(a, b)))
			z = x
			z.mul(&z, &z)
			check("aliased square, not", mod(new(big.Int).Mul(a, a)))
		}
		x := fe512(scalarOf(a))
		var z fe512
		z.invert(&x)
		want := new(big.Int).Exp(a, new(big.Int).Sub(p, big.NewInt(2)), p)
		if big512(&z).Cmp(want) != 0 {
			t.Fatalf("1/%x = %x, want %x", a, big512(&z), want)
		}
	}
}

func TestScalars(t *testing.T) {
	for _, c := range curves {
		w := twinOf(c)
		var es []*big.Int
		for _, e := range edges(w.q, uint(8*c.size)) {
			es = append(es, e.Mod(e, w.q))
		}
		for _, a := range es {
			for _, b := range es {
				x, y := scalarOf(a), scalarOf(b)
				for op, pair := range map[string][2]*big.Int{
					"*": {bigOf(c.q.mul(&x, &y)), new(big.Int).Mul(a, b)},
					"+": {bigOf(c.q.add(&x, &y)), new(big.Int).Add(a, b)},
					"-": {bigOf(c.q.sub(&x, &y)), new(big.Int).Sub(a, b)},
					"wide": {bigOf(c.q.reduceWide(&x, &y)),
						new(big.Int).Add(a, new(big.Int).Lsh(b, uint(8*c.size)))},
				} {
					if want := pair[1].Mod(pair[1], w.q); pair[0].Cmp(want) != 0 {
						t.Fatalf("%s: %x %s %x = %x, want %x", c.name, a, op, b, pair[0], want)
					}
				}
			}
			x := scalarOf(a)
			if n := bigOf(c.q.neg(&x)); n.Cmp(new(big.Int).Mod(new(big.Int).Neg(a), w.q)) != 0 {
				t.Fatalf("%s: -%x = %x", c.name, a, n)
			}
			if a.Sign() != 0 {
				if v := bigOf(c.q.invertPublic(&x)); v.Cmp(new(big.Int).ModInverse(a, w.q)) != 0 {
					t.Fatalf("%s: 1/%x = %x", c.name, a, v)
				}
			}
		}
	}
}

func bigOf(s scalar) *big.Int { return s.big() }

// Every way to a multiple of the base point leads to the same point.
func TestMultiples(t *testing.T) {
	for _, c := range curves {
		w := twinOf(c)
		g := bigPoint{w.gx, w.gy}
		ks := []*big.Int{big.NewInt(1), big.NewInt(2), big.NewInt(3), big.NewInt(15), big.NewInt(16), big.NewInt(17),
			new(big.Int).Sub(w.q, big.NewInt(1)), new(big.Int).Sub(w.q, big.NewInt(2)), new(big.Int).Rsh(w.q, 1)}
		for range 10 {
			k, _ := rand.Int(rand.Reader, w.q)
			ks = append(ks, k)
		}
		for _, k := range ks {
			if k.Sign() == 0 {
				continue
			}
			want := w.times(k, g)
			s := scalarOf(k)
			x, y := c.baseTimes(&s)
			if x.big().Cmp(want.x) != 0 || y.big().Cmp(want.y) != 0 {
				t.Fatalf("%s: %x G is wrong by the comb", c.name, k)
			}
			if !c.onCurve(&x, &y) {
				t.Fatalf("%s: %x G is said not to be on the curve", c.name, k)
			}
		}
		for range 20 { // z1 G + z2 Q
			z1, _ := rand.Int(rand.Reader, w.q)
			z2, _ := rand.Int(rand.Reader, w.q)
			switch mrand.IntN(5) {
			case 0:
				z1.SetInt64(0)
			case 1:
				z2.SetInt64(0)
			case 2:
				z2.Sub(w.q, z1) // with Q = G: infinity
			}
			q := g
			if mrand.IntN(2) == 0 {
				q = w.times(big.NewInt(int64(2+mrand.IntN(1000))), g)
			}
			want := w.add(w.times(z1, g), w.times(z2, q))
			if got := c.combineBig(z1, z2, q); (got.x == nil) != (want.x == nil) || want.x != nil && (got.x.Cmp(want.x) != 0 || got.y.Cmp(want.y) != 0) {
				t.Fatalf("%s: %x G + %x Q differs from the twin", c.name, z1, z2)
			}
		}
	}
}

func (c *Curve) combineBig(z1, z2 *big.Int, q bigPoint) bigPoint {
	s1, s2, x, y := scalarOf(z1), scalarOf(z2), scalarOf(q.x), scalarOf(q.y)
	if c.c256 != nil {
		p := c.c256.combine(&s1, &s2, &aff256{fe256(x[:4]), fe256(y[:4])})
		if p.z.isZero() {
			return bigPoint{}
		}
		var out [1]aff256
		normalize256([]jac256{p}, out[:])
		return bigPoint{big256(&out[0].x), big256(&out[0].y)}
	}
	p := c.c512.combine(&s1, &s2, &aff512{fe512(x), fe512(y)})
	if p.z.isZero() {
		return bigPoint{}
	}
	var out [1]aff512
	normalize512([]jac512{p}, out[:])
	return bigPoint{big512(&out[0].x), big512(&out[0].y)}
}

// Signatures are those of the twin's definition, and refused at the edges.
func TestVerifyAgainstTwin(t *testing.T) {
	for _, c := range curves {
		w := twinOf(c)
		k, err := GenerateKey(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		q := bigPoint{k.public.x.big(), k.public.y.big()}
		for _, d := range [][]byte{make([]byte, c.size), randomBytes(c.size), c.q.m.appendBytes(nil, c.size/8)} {
			sig, err := k.Sign(nil, d)
			if err != nil {
				t.Fatal(err)
			}
			e := c.digest(d)
			r, s := scalarFromBytes(sig[:c.size]), scalarFromBytes(sig[c.size:])
			if !w.verify(q, e.big(), r.big(), s.big()) || !k.public.Verify(d, sig) {
				t.Errorf("%s: a signature of %x is refused", c.name, d)
			}
			zero, order := make([]byte, c.size), c.q.m.appendBytes(nil, c.size/8)
			for name, bad := range map[string][]byte{
				"r zero":        append(append([]byte{}, zero...), sig[c.size:]...),
				"s zero":        append(append([]byte{}, sig[:c.size]...), zero...),
				"r the order":   append(append([]byte{}, order...), sig[c.size:]...),
				"s the order":   append(append([]byte{}, sig[:c.size]...), order...),
				"swapped":       append(append([]byte{}, sig[c.size:]...), sig[:c.size]...),
				"reversed":      reversed(sig),
				"short":         sig[:2*c.size-1],
				"long":          append(append([]byte{}, sig...), 0),
				"halves turned": append(reversed(sig[:c.size]), reversed(sig[c.size:])...),
			} {
				if k.public.Verify(d, bad) {
					t.Errorf("%s: %s is accepted", c.name, name)
				}
			}
		}
	}
}

func randomBytes(n int) []byte { b := make([]byte, n); rand.Read(b); return b }

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i, v := range b {
		out[len(b)-1-i] = v
	}
	return out
}

// Points off the curve, not reduced, or outside the subgroup are not keys.
func TestBadPublicKeys(t *testing.T) {
	for _, c := range curves {
		w := twinOf(c)
		enc := func(x, y *big.Int) []byte {
			sx, sy := scalarOf(x), scalarOf(y)
			return sy.appendBytes(sx.appendBytes(nil, c.size/8), c.size/8)
		}
		top := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*c.size)), big.NewInt(1))
		for name, b := range map[string][]byte{
			"zero":        make([]byte, 2*c.size),
			"off":         enc(w.gx, new(big.Int).Add(w.gy, big.NewInt(1))),
			"not reduced": enc(top, w.gy),
			"short":       enc(w.gx, w.gy)[1:],
		} {
			if _, err := NewPublicKey(c, b); err == nil {
				t.Errorf("%s: a key that is %s is accepted", c.name, name)
			}
		}
		if _, err := NewPublicKey(c, enc(w.gx, w.gy)); err != nil {
			t.Errorf("%s: the base point is refused: %v", c.name, err)
		}
		for name, d := range map[string][]byte{"zero": make([]byte, c.size), "the order": c.q.m.appendBytes(nil, c.size/8), "short": {1}} {
			if _, err := NewPrivateKey(c, d); err == nil {
				t.Errorf("%s: a private key that is %s is accepted", c.name, name)
			}
		}
	}
	// tc26-256-A has a point of order two, (e, 0); x with y = 0 is a root of the
	// cubic. Points of order two or four, alone or added to a good key, are no keys.
	w := twinOf(tc26A256)
	low := w.smallOrderPoint(t)
	for _, p := range []bigPoint{low, w.add(low, bigPoint{w.gx, w.gy})} {
		x, y := scalarOf(p.x), scalarOf(p.y)
		if _, err := NewPublicKey(tc26A256, y.appendBytes(x.appendBytes(nil, 4), 4)); err == nil {
			t.Error("a point outside the subgroup is accepted as a key")
		}
	}
}

// smallOrderPoint gives q P for a random P of the whole group, if that is not infinity.
func (t twin) smallOrderPoint(tt *testing.T) bigPoint {
	for x := int64(2); x < 2000; x++ {
		r := new(big.Int).Exp(big.NewInt(x), big.NewInt(3), t.p)
		r.Add(r, new(big.Int).Mul(t.a, big.NewInt(x))).Add(r, t.b).Mod(r, t.p)
		y := new(big.Int).ModSqrt(r, t.p)
		if y == nil {
			continue
		}
		if p := t.times(t.q, bigPoint{big.NewInt(x), y}); p.x != nil {
			return p
		}
	}
	tt.Fatal("no point of small order found")
	return bigPoint{}
}

// FuzzVerify: the fast and the slow verifier agree on every input, and
// neither accepts a signature that was not made with the key.
func FuzzVerify(f *testing.F) {
	f.Add(uint8(0), []byte("digest"), []byte("signature"))
	f.Add(uint8(2), make([]byte, 64), make([]byte, 128))
	f.Fuzz(func(t *testing.T, which uint8, digest, sig []byte) {
		c := curves[int(which)%len(curves)]
		d, b := make([]byte, c.size), make([]byte, 2*c.size)
		copy(d, digest)
		copy(b, sig)
		key := PublicKey{curve: c}
		w := twinOf(c)
		key.x, key.y = scalarOf(w.gx), scalarOf(w.gy)
		r, s := scalarFromBytes(b[:c.size]), scalarFromBytes(b[c.size:])
		want := false
		if !r.isZero() && !s.isZero() && c.q.below(&r) && c.q.below(&s) {
			e := c.digest(d)
			want = w.verify(bigPoint{w.gx, w.gy}, e.big(), r.big(), s.big())
		}
		if got := key.Verify(d, b); got != want {
			t.Errorf("%s: %v, the twin says %v", c.name, got, want)
		}
	})
}
