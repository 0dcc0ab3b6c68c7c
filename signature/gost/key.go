package gost

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// PublicKey is a checked point: on the curve, in the subgroup of prime order.
type PublicKey struct {
	curve *Curve
	x, y  scalar
	known atomic.Pointer[known] // nil: not yet
}

// NewPublicKey reads x then y, each little-endian and of the curve's size.
func NewPublicKey(c *Curve, b []byte) (*PublicKey, error) {
	if len(b) != 2*c.size {
		return nil, fmt.Errorf("gost: a public key on %s has %d bytes, not %d", c.name, 2*c.size, len(b))
	}
	k := &PublicKey{curve: c, x: scalarFromBytes(b[:c.size]), y: scalarFromBytes(b[c.size:])}
	if !c.onCurve(&k.x, &k.y) {
		return nil, fmt.Errorf("gost: the public key is not a point of %s", c.name)
	}
	return k, nil
}

// Curve is the curve of the key.
func (k *PublicKey) Curve() *Curve { return k.curve }

// Bytes gives what NewPublicKey reads.
func (k *PublicKey) Bytes() []byte {
	n := k.curve.size / 8
	return k.y.appendBytes(k.x.appendBytes(make([]byte, 0, 2*k.curve.size), n), n)
}

// Equal tells whether both are the same point of the same curve.
func (k *PublicKey) Equal(o *PublicKey) bool {
	return o != nil && k.curve == o.curve && k.x == o.x && k.y == o.y
}

// Verify tells whether sig, r then s, each little-endian, is a signature of
// the digest, which has the curve's size. Any other layout or length is refused.
func (k *PublicKey) Verify(digest, sig []byte) bool {
	c := k.curve
	if len(digest) != c.size || len(sig) != 2*c.size {
		return false
	}
	r, s := scalarFromBytes(sig[:c.size]), scalarFromBytes(sig[c.size:])
	if r.isZero() || s.isZero() || !c.q.below(&r) || !c.q.below(&s) {
		return false
	}
	e := c.digest(digest)
	multiples := k.known.Load()
	if multiples == nil {
		multiples = &known{}
	}
	return c.verify(&k.x, &k.y, multiples, &e, &r, &s)
}

// PrivateKey is a number d with 0 < d < q and its point.
type PrivateKey struct {
	public PublicKey
	d      scalar
}

var errScalar = errors.New("gost: the private key is not between zero and the order of the curve")

// NewPrivateKey reads d, little-endian and of the curve's size.
func NewPrivateKey(c *Curve, d []byte) (*PrivateKey, error) {
	if len(d) != c.size {
		return nil, fmt.Errorf("gost: a private key on %s has %d bytes, not %d", c.name, c.size, len(d))
	}
	k := &PrivateKey{d: scalarFromBytes(d)}
	if k.d.isZero() || !c.q.below(&k.d) {
		return nil, errScalar
	}
	x, y := c.baseTimes(&k.d)
	k.public.curve, k.public.x, k.public.y = c, x, y
	return k, nil
}

// GenerateKey makes a new key from random, or from crypto/rand if that is nil.
func GenerateKey(c *Curve, random io.Reader) (*PrivateKey, error) {
	if random == nil {
		random = rand.Reader
	}
	b := make([]byte, c.size)
	for {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("gost: no randomness for a key: %w", err)
		}
		if c == tc26A256 {
			b[c.size-1] &= 0x7f // the order has 255 bits
		}
		k, err := NewPrivateKey(c, b)
		if !errors.Is(err, errScalar) {
			return k, err
		}
	}
}

// Public is the other half of the key.
func (k *PrivateKey) Public() *PublicKey {
	return &PublicKey{curve: k.public.curve, x: k.public.x, y: k.public.y}
}

// Bytes gives what NewPrivateKey reads. It is the secret itself.
func (k *PrivateKey) Bytes() []byte {
	return k.d.appendBytes(make([]byte, 0, k.public.curve.size), k.public.curve.size/8)
}

// Equal compares in constant time.
func (k *PrivateKey) Equal(o *PrivateKey) bool {
	return o != nil && k.public.curve == o.public.curve && subtle.ConstantTimeCompare(k.Bytes(), o.Bytes()) == 1
}

// Sign gives r then s, each little-endian, for a digest of the curve's size
// (RFC 7091 section 6.1). The nonce is derived from key, digest and 32 random
// bytes together: a weak source of randomness alone does not give the key away,
// nor does a fault that repeats a computation. random may be nil for
// crypto/rand. The time taken depends on neither key nor nonce.
func (k *PrivateKey) Sign(random io.Reader, digest []byte) ([]byte, error) {
	c := k.public.curve
	if len(digest) != c.size {
		return nil, fmt.Errorf("gost: a digest for %s has %d bytes, not %d", c.name, c.size, len(digest))
	}
	if random == nil {
		random = rand.Reader
	}
	var hedge [32]byte
	if _, err := io.ReadFull(random, hedge[:]); err != nil {
		return nil, fmt.Errorf("gost: no randomness for a signature: %w", err)
	}
	e := c.digest(digest)
	for attempt := byte(0); attempt < 8; attempt++ {
		n := k.nonce(hedge[:], digest, attempt)
		if n.isZero() {
			continue
		}
		if r, s, ok := k.signWith(&e, &n); ok {
			w := c.size / 8
			return s.appendBytes(r.appendBytes(make([]byte, 0, 2*c.size), w), w), nil
		}
	}
	return nil, errors.New("gost: eight nonces in a row were useless: the source of randomness or the processor is broken")
}

// signWith makes a signature with a given nonce; ok is false for the nonces,
// never met in practice, that give zero. A fault of the processor that took the
// nonce's point off its curve makes no signature.
func (k *PrivateKey) signWith(e, n *scalar) (r, s scalar, ok bool) {
	c := k.public.curve
	x, y := c.baseTimes(n)
	if !c.contains(&x, &y) {
		return r, s, false
	}
	r = c.q.reduceWide(&x, &scalar{})
	rd := c.q.mul(&r, &k.d)
	ke := c.q.mul(n, e)
	s = c.q.add(&rd, &ke)
	return r, s, !r.isZero() && !s.isZero()
}

// nonce derives a number below the order from twice as many bits as it has, so
// that its bias is not measurable.
func (k *PrivateKey) nonce(hedge, digest []byte, attempt byte) scalar {
	c := k.public.curve
	var wide [128]byte
	for half := range byte(2) {
		m := hmac.New(sha512.New, k.Bytes())
		m.Write([]byte{'n', attempt, half})
		m.Write(hedge)
		m.Write(digest)
		m.Sum(wide[64*int(half) : 64*int(half)])
	}
	lo, hi := scalarFromBytes(wide[:c.size]), scalarFromBytes(wide[64:64+c.size])
	return c.q.reduceWide(&lo, &hi)
}
