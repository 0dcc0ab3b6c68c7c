package gost

import (
	"runtime"
	"sync/atomic"
)

// Multiples of a key that is met again and again are worth keeping: with them a
// verification is a third of its work, and making them costs as much as eight.
// They are of public values, and what is done with them is not secret either.
const (
	knownBits   = 6 // of a window
	knownDigits = 1 << (knownBits - 1)
	// maxKnown bounds the keys whose multiples are kept, of up to 350 KB each.
	maxKnown = 64
)

// known are the multiples of one key: those of its curve are set.
type known struct {
	of256 known256
	of512 known512
}

var knownKeys atomic.Int64

// Expect says that the key will verify many signatures, and lets it do so
// faster, while fewer than maxKnown others do. What is verified stays the same.
func (k *PublicKey) Expect() {
	if k.known.Load() != nil {
		return
	}
	if knownKeys.Add(1) > maxKnown {
		knownKeys.Add(-1)
		return
	}
	m := &known{}
	m.make(k)
	if !k.known.CompareAndSwap(nil, m) {
		knownKeys.Add(-1) // another was faster
		return
	}
	runtime.AddCleanup(k, func(struct{}) { knownKeys.Add(-1) }, struct{}{})
}

func (m *known) make(k *PublicKey) {
	if c := k.curve.c256; c != nil {
		m.of256 = c.know(&aff256{fe256(k.x[:4]), fe256(k.y[:4])})
	} else {
		m.of512 = k.curve.c512.know(&aff512{fe512(k.x), fe512(k.y)})
	}
}

// knownWindows are the digits of a number to the base 2^knownBits, the least
// significant first, none above half the base in size.
type knownWindows [512/knownBits + 1]int8

func (d *knownWindows) set(k *scalar) {
	carry := uint64(0)
	for i := range d {
		v := k.window(i*knownBits, knownBits) + carry
		carry = 0
		if v > knownDigits {
			d[i], carry = int8(int(v)-2*knownDigits), 1
		} else {
			d[i] = int8(v)
		}
	}
}
