package nuc

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"

	"kopir/signature/algorithm"
	"kopir/signature/verdict"
)

// Row finds the algorithm in the table. Parameters other than none or NULL
// have no row: PSS and the like would let the sender choose.
func (a Algorithm) Row() (*algorithm.Signature, bool) {
	if len(a.realParams()) > 0 {
		return nil, false
	}
	return algorithm.SignatureByOID(a.id)
}

// ObjectIdentifier is the algorithm's identifier in the form of encoding/asn1.
func (a Algorithm) ObjectIdentifier() asn1.ObjectIdentifier { return a.id }

// Same tells whether two identifiers name one algorithm with the same
// parameters. No parameters and NULL are the same: the national authority has
// lists that write one inside and the other outside.
func (a Algorithm) Same(b Algorithm) bool {
	return a.OID == b.OID && bytes.Equal(a.realParams(), b.realParams())
}

// Plain tells whether the identifier has no parameters, or NULL.
func (a Algorithm) Plain() bool { return len(a.realParams()) == 0 }

func (a Algorithm) realParams() []byte {
	if bytes.Equal(a.Params, asn1.NullBytes) {
		return nil
	}
	return a.Params
}

// CheckSigned is whether the holder of c signed data, as certificates, lists
// and answers are signed. name is the check's; what names the signed thing in
// the detail. An algorithm or key that the table does not know leaves the
// check undecided; one that policy refuses fails it.
func (c *Certificate) CheckSigned(name, what string, alg Algorithm, data, sig []byte) verdict.Check {
	row, ok := alg.Row()
	if !ok {
		return verdict.Unsure(name, verdict.CryptoConstraintsFailure, fmt.Sprintf("%s is signed with the algorithm %s, which is not known here", what, alg.OID))
	}
	if row.Refusal != verdict.None {
		return verdict.Fail(name, row.Refusal, fmt.Sprintf("%s is signed with %s: %s", what, row.Name, row.Why))
	}
	if c.PublicKey == nil {
		return c.unusableKey(name)
	}
	if err := row.Verify(c.PublicKey, row.Digest.Sum(data), sig); err != nil {
		return verdict.Fail(name, verdict.SigCryptoFailure, fmt.Sprintf("the signature on %s does not fit the key of %s: %v", what, c.SubjectName, err))
	}
	return verdict.Pass(name, fmt.Sprintf("%s is signed with %s by %s", what, row.Name, c.SubjectName))
}

// CheckKey is whether policy accepts the certificate's own key.
func (c *Certificate) CheckKey() verdict.Check {
	if c.PublicKey == nil {
		return c.unusableKey(verdict.CheckKey)
	}
	if reason, why := c.PublicKey.Refusal(); reason != verdict.None {
		return verdict.Fail(verdict.CheckKey, reason, fmt.Sprintf("%s: %s", c.SubjectName, why))
	}
	return verdict.Pass(verdict.CheckKey, fmt.Sprintf("%s, %d bits", c.PublicKey.Kind(), c.PublicKey.Bits()))
}

// unusableKey tells a kind of key that is not in the table (undecided) from a
// key that is too weak or malformed to be read (refused).
func (c *Certificate) unusableKey(name string) verdict.Check {
	detail := fmt.Sprintf("the key of %s cannot be used: %v", c.SubjectName, c.KeyProblem)
	var unknown *algorithm.UnknownKeyError
	if c.KeyProblem == nil || errors.As(c.KeyProblem, &unknown) {
		return verdict.Unsure(name, verdict.CryptoConstraintsFailure, detail)
	}
	return verdict.Fail(name, verdict.CryptoConstraintsFailure, detail)
}
