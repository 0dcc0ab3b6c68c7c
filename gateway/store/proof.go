package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"kopir/signature/verdict"
)

// Proof is a certificate, an OCSP answer or a revocation list on which a
// verdict relied. What says something about a person has its content beside the
// verdict and goes with it when the application is erased; lists and
// authorities are kept once for all.
type Proof struct {
	Kind    verdict.ProofKind `json:"kind"`
	SHA256  string            `json:"sha256"`
	Content []byte            `json:"content,omitempty"`
}

// ProofMapping is the kind under which the text of a service description is kept.
const ProofMapping verdict.ProofKind = "mapping"

// keepProofs writes what is shared, and gives the list that stands beside the
// verdict. A list that its keeper has replaced meanwhile is named without its
// content: losing the application over it would be worse.
func (t *tx) keepProofs(all []verdict.Proof) (string, error) {
	var kept []Proof
	seen := map[[sha256.Size]byte]bool{}
	for _, p := range all {
		if seen[p.Sum] {
			continue
		}
		seen[p.Sum] = true
		k := Proof{Kind: p.Kind, SHA256: hex.EncodeToString(p.Sum[:])}
		var err error
		switch p.Kind {
		case verdict.ProofSigner, verdict.ProofOCSP, verdict.ProofBeside:
			k.Content, err = p.Raw()
		default:
			err = t.keepProof(k, p.Raw)
		}
		if err != nil {
			return "", fmt.Errorf("store: proof: %w", err)
		}
		kept = append(kept, k)
	}
	if len(kept) == 0 {
		return "", nil
	}
	b, err := json.Marshal(kept)
	return string(b), err
}

// keepProof writes one that is shared, if it is not there.
func (t *tx) keepProof(k Proof, raw func() ([]byte, error)) error {
	if t.w.proofs[k.SHA256] {
		return nil
	}
	content, err := raw()
	if err != nil {
		return nil
	}
	if len(t.w.proofs) >= maxKeys {
		clear(t.w.proofs)
	}
	t.w.proofs[k.SHA256] = true
	return t.later("proof", nil, `INSERT INTO proofs (sha256, kind, content) VALUES (?, ?, ?) ON CONFLICT (sha256) DO NOTHING`, k.SHA256, string(k.Kind), blob(content))
}

// KeepMappings keeps the texts of service descriptions for good.
func (s *Store) KeepMappings(ctx context.Context, sources [][]byte) error {
	return s.writer.write(ctx, func(t *tx) error {
		for _, source := range sources {
			sum := sha256.Sum256(source)
			if err := t.keepProof(Proof{Kind: ProofMapping, SHA256: hex.EncodeToString(sum[:])}, func() ([]byte, error) { return source, nil }); err != nil {
				return fmt.Errorf("store: description: %w", err)
			}
		}
		return nil
	})
}

// Shared gives a proof that is kept for all; nil if it is not there.
func (s *Store) Shared(ctx context.Context, sha256 string) (content []byte, err error) {
	err = s.row(ctx, `SELECT content FROM proofs WHERE sha256 = ?`, sha256).Scan(&content)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: proof: %w", err)
	}
	return content, nil
}
