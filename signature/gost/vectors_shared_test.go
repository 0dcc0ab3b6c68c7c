//go:build shared

package gost

import (
	"bytes"
	"encoding/json"
	"hash"
	"os"
	"path/filepath"
	"testing"
)

// The vectors of the national corpus, which OpenSSL's engine confirms: digest,
// public key and, with the stated nonce, the very signature.
func TestCorpusVectors(t *testing.T) {
	root := os.Getenv("KOPIR_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	files, err := filepath.Glob(filepath.Join(root, "nuc", "corpus", "*", "vectors", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors under %s: %v", root, err)
	}
	kinds := map[string]struct {
		curve *Curve
		hash  func() hash.Hash
	}{
		"GOST-2004":     {cryptoProA, NewGOST94},
		"GOST-2015-256": {tc26A256, NewStreebog256},
		"GOST-2015-512": {tc26A512, NewStreebog512},
	}
	seen := map[string]int{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var rows []struct {
			Algorithm string `json:"algorithm"`
			Private   string `json:"private_key_be_hex"`
			SPKI      string `json:"subject_public_key_info_hex"`
			Message   string `json:"message_hex"`
			Digest    string `json:"digest_hex"`
			Nonce     string `json:"nonce_k_be_hex"`
			Signature string `json:"signature_hex"`
		}
		if err := json.Unmarshal(raw, &rows); err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			k, ok := kinds[row.Algorithm]
			if !ok {
				t.Fatalf("%s row %d: unknown algorithm %s", file, i, row.Algorithm)
			}
			seen[row.Algorithm]++
			h := k.hash()
			h.Write(unhex(t, row.Message))
			digest := h.Sum(nil)
			if !bytes.Equal(digest, unhex(t, row.Digest)) {
				t.Errorf("%s row %d: digest %x", row.Algorithm, i, digest)
			}
			key, err := NewPrivateKey(k.curve, reversed(unhex(t, row.Private)))
			if err != nil {
				t.Fatal(err)
			}
			spki, sig := unhex(t, row.SPKI), unhex(t, row.Signature)
			if !bytes.HasSuffix(spki, key.Public().Bytes()) {
				t.Errorf("%s row %d: public key differs", row.Algorithm, i)
			}
			if !key.Public().Verify(digest, sig) {
				t.Errorf("%s row %d: signature refused", row.Algorithm, i)
			}
			e, n := k.curve.digest(digest), scalarFromBytes(reversed(unhex(t, row.Nonce)))
			r, s, ok := key.signWith(&e, &n)
			w := k.curve.size / 8
			if got := s.appendBytes(r.appendBytes(nil, w), w); !ok || !bytes.Equal(got, sig) {
				t.Errorf("%s row %d: signature %x", row.Algorithm, i, got)
			}
		}
	}
	if len(seen) != len(kinds) {
		t.Errorf("vectors of %v only", seen)
	}
}
