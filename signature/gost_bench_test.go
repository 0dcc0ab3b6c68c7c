//go:build unix

package signature

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// BenchmarkVerifyWSSENational reads and judges a message of 4 KB with national
// keys; chain and list are known. Reported beside it: the bare verification of
// one signature value, taken in turns with the whole, and how many of those
// the whole takes.
func BenchmarkVerifyWSSENational(b *testing.B) {
	for _, alg := range nationalAlgorithms {
		b.Run(alg.String(), func(b *testing.B) {
			w := benchWorldWith(b, alg)
			src := attachment(b, w, 4<<10)
			key := w.key(b, sigtest.Profile{})
			digest := key.Algorithm.Digest.Sum(src)
			value, err := key.Sign(digest)
			if err != nil {
				b.Fatal(err)
			}
			whole := func() {
				doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
				if err != nil {
					b.Fatal(err)
				}
				if v := w.verifier.WSSE(context.Background(), doc, now()); v.Outcome != verdict.Passed {
					b.Fatal(explain(v))
				}
			}
			bare := func() {
				if err := key.Algorithm.Verify(key.Certificate.PublicKey, digest, value); err != nil {
					b.Fatal(err)
				}
			}
			whole() // chain and list are remembered from here on
			wholeTime, bareTime := inTurns(whole, bare)
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				whole()
			}
			b.ReportMetric(float64(wholeTime.Nanoseconds())/1e3, "whole-us")
			b.ReportMetric(float64(bareTime.Nanoseconds())/1e3, "bare-us")
			b.ReportMetric(float64(wholeTime)/float64(bareTime), "x-bare")
		})
	}
}

// inTurns gives the processor's best time for one call of each, measured in
// turns so that what else the machine does burdens both.
func inTurns(f, g func()) (of, og time.Duration) {
	const batch = 50
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	each := func(f func()) time.Duration {
		start := used()
		for range batch {
			f()
		}
		return (used() - start) / batch
	}
	of, og = 1<<62, 1<<62
	for range 20 {
		of, og = min(of, each(f)), min(og, each(g))
	}
	return of, og
}

// BenchmarkSignNational signs a message of 4 KB, and judges it before it leaves.
func BenchmarkSignNational(b *testing.B) {
	for _, alg := range nationalAlgorithms {
		w := newWorldWith(b, alg)
		key := w.key(b, sigtest.Profile{})
		src := []byte(strings.Replace(envelope, "&lt;a&gt;", strings.Repeat("QUJD", 800)+"&lt;a&gt;", 1))
		b.Run(alg.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := SignWSSE(src, key, SignOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
