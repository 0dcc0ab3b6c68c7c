package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)

// plain is a checkpoint without a signature: what is tried here is the chain.
func plain(signed []byte) ([]byte, time.Time, error) {
	content, found := bytes.CutPrefix(signed, []byte("signed:"))
	if !found {
		return nil, time.Time{}, errors.New("not signed")
	}
	return content, t0, nil
}

// archive makes one of n records with a checkpoint at every tenth.
func archive(t testing.TB, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	key := bytes.Repeat([]byte{7}, KeySize)
	var prev Hash
	for i := range n {
		r := Record{At: t0.Add(time.Duration(i) * time.Second), Kind: Change, Owner: fmt.Sprintf("UC-2026-%06d", i/3),
			Parts: []Part{
				{What: "message", ID: fmt.Sprint("m-", i), Note: "SendMessage <&>", Digest: Digest(key, []byte("raw"), []byte{byte(i)})},
				{What: "application", ID: "1", Note: "received", Digest: Digest(key, []byte("row"))},
			}}
		body, err := r.Body()
		if err != nil {
			t.Fatal(err)
		}
		seq := int64(i) + 1
		prev = Link(seq, prev, Sum(body))
		if err := w.Record(seq, body, prev); err != nil {
			t.Fatal(err)
		}
		if i%10 == 9 {
			m, err := json.Marshal(Mark{Seq: seq, Hash: prev, At: r.At})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Checkpoint(append([]byte("signed:"), m...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func verify(b []byte) (Report, error) { return Verify(bytes.NewReader(b), nil, plain, nil) }

func TestAnArchiveVerifies(t *testing.T) {
	rep, err := verify(archive(t, 35))
	if err != nil || rep.Chain.Seq != 35 || rep.Chain.Sealed != 30 || rep.Checkpoints != 3 || rep.First != 1 {
		t.Errorf("%+v %v", rep, err)
	}
	if rep, err := verify(archive(t, 0)); err != nil || rep.Chain.Seq != 0 {
		t.Errorf("an empty one: %+v %v", rep, err)
	}
}

// TestEveryChangeIsFound: flips of bits, deletions, swaps, repetitions and cuts
// at 10,000 places.
func TestEveryChangeIsFound(t *testing.T) {
	whole := archive(t, 40)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines = lines[:len(lines)-1]
	rnd := rand.New(rand.NewPCG(1, 2))
	join := func(l ...[]byte) []byte { return bytes.Join(l, nil) }
	for i := range 10000 {
		var bad []byte
		var what string
		switch i % 5 {
		case 0:
			at, bit := rnd.IntN(len(whole)), rnd.IntN(8)
			bad, what = bytes.Clone(whole), fmt.Sprintf("bit %d of byte %d", bit, at)
			bad[at] ^= 1 << bit
		case 1:
			n := rnd.IntN(len(lines))
			bad, what = join(join(lines[:n]...), join(lines[n+1:]...)), fmt.Sprintf("without line %d", n)
		case 2:
			a, b := rnd.IntN(len(lines)), rnd.IntN(len(lines))
			if a == b {
				continue
			}
			l := append([][]byte{}, lines...)
			l[a], l[b] = l[b], l[a]
			bad, what = join(l...), fmt.Sprintf("lines %d and %d swapped", a, b)
		case 3:
			n := rnd.IntN(len(whole))
			bad, what = whole[:n], fmt.Sprintf("cut at %d", n)
		case 4:
			n := rnd.IntN(len(lines))
			bad, what = join(join(lines[:n+1]...), join(lines[n:]...)), fmt.Sprintf("line %d twice", n)
		}
		var f *Fault
		if _, err := verify(bad); !errors.As(err, &f) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// TestTheFirstBadRecordIsNamed, also when whoever changed it made the hashes of
// all that follow anew: then the next checkpoint tells.
func TestTheFirstBadRecordIsNamed(t *testing.T) {
	whole := archive(t, 35)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines[4] = bytes.Replace(lines[4], []byte("SendMessage"), []byte("SendNothing"), 1)
	var f *Fault
	if _, err := verify(bytes.Join(lines, nil)); !errors.As(err, &f) || f.Seq != 5 {
		t.Errorf("%v", err)
	}

	var forged bytes.Buffer
	w := NewWriter(&forged)
	var prev Hash
	for _, l := range bytes.SplitAfter(whole, []byte("\n")) {
		var read line
		if json.Unmarshal(l, &read) != nil || read.End != nil {
			continue
		}
		if read.Checkpoint != nil {
			w.Checkpoint(read.Checkpoint)
			continue
		}
		var r Record
		if err := json.Unmarshal(read.Record, &r); err != nil {
			t.Fatal(err)
		}
		if read.Seq == 5 {
			r.Parts[0].Note = "SendNothing"
		}
		body, err := r.Body()
		if err != nil {
			t.Fatal(err)
		}
		prev = Link(read.Seq, prev, Sum(body))
		w.Record(read.Seq, body, prev)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(forged.Bytes()); !errors.As(err, &f) || f.Seq != 10 {
		t.Errorf("%v", err)
	}
}

func TestTwoArchivesJoin(t *testing.T) {
	whole := archive(t, 20)
	var parts [2]bytes.Buffer
	w := [2]*Writer{NewWriter(&parts[0]), NewWriter(&parts[1])}
	at := 0
	for _, l := range bytes.SplitAfter(whole, []byte("\n")) {
		var read line
		if json.Unmarshal(l, &read) != nil || read.End != nil {
			continue
		}
		if read.Checkpoint != nil {
			w[at].Checkpoint(read.Checkpoint)
			at = 1
			continue
		}
		w[at].Record(read.Seq, read.Record, read.Hash)
	}
	for _, one := range w {
		if err := one.Close(); err != nil {
			t.Fatal(err)
		}
	}
	first, err := Verify(&parts[0], nil, plain, nil)
	if err != nil || first.Chain.Seq != 10 {
		t.Fatalf("%+v %v", first, err)
	}
	second := parts[1].Bytes()
	if rep, err := Verify(bytes.NewReader(second), &first.Chain, plain, nil); err != nil || rep.Chain.Seq != 20 || rep.First != 11 {
		t.Errorf("%+v %v", rep, err)
	}
	var f *Fault
	if _, err := Verify(bytes.NewReader(second), nil, plain, nil); !errors.As(err, &f) || f.Seq != 1 {
		t.Errorf("a piece passed for the whole: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(archive(f, 12))
	f.Add([]byte(`{"end":{"seq":0}}` + "\n"))
	whole := archive(f, 12)
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, err := verify(b)
		if err == nil && rep.Chain.Sealed > 0 && !bytes.Equal(b, whole) {
			t.Errorf("another archive than the one that was signed: %+v", rep)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	const records = 10000
	whole := archive(b, records)
	b.SetBytes(int64(len(whole)))
	for b.Loop() {
		if _, err := Verify(bytes.NewReader(whole), nil, plain, nil); err != nil && !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
