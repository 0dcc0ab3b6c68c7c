// Package verdict holds the words in which Kopir says whether a signature may
// be believed. They follow ETSI EN 319 102-1 clause 5 (indications and
// sub-indications); the national reasons IIN_MISMATCH, BIN_MISMATCH and
// KEY_USAGE are added for the checks that the regulations ask for.
//
// The zero value of every type here means "not decided". Nothing in this
// package can turn an undecided thing into a good one.
package verdict

import (
	"crypto/sha256"
	"fmt"
)

// Outcome is the answer to "may we believe it". The zero value is Undetermined.
type Outcome uint8

const (
	// Undetermined: the evidence at hand does not decide. Never treat as Passed.
	Undetermined Outcome = iota
	// Passed: every required check was made and succeeded.
	Passed
	// Failed: a required check was made and did not succeed.
	Failed
)

// String gives the indication of ETSI EN 319 102-1 clause 5.1.3.
func (o Outcome) String() string {
	switch o {
	case Passed:
		return "TOTAL_PASSED"
	case Failed:
		return "TOTAL_FAILED"
	default:
		return "INDETERMINATE"
	}
}

// MarshalText lets JSON print the indication instead of a number.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (o *Outcome) UnmarshalText(b []byte) error {
	switch string(b) {
	case "TOTAL_PASSED":
		*o = Passed
	case "TOTAL_FAILED":
		*o = Failed
	case "INDETERMINATE":
		*o = Undetermined
	default:
		return fmt.Errorf("verdict: unknown outcome %q", b)
	}
	return nil
}

// Reason says why an outcome is not Passed. The list is closed: Reasons holds
// all of them, and every one has a text in mappings/shared.
type Reason string

const (
	// None is the reason of a Passed check.
	None Reason = ""

	// What the message itself shows.
	FormatFailure            Reason = "FORMAT_FAILURE"               // not the document or structure it must be
	NoSignature              Reason = "NO_SIGNATURE"                 // nothing is signed
	HashFailure              Reason = "HASH_FAILURE"                 // a digest differs: content was changed
	SigCryptoFailure         Reason = "SIG_CRYPTO_FAILURE"           // the signature value does not fit
	SigConstraintsFailure    Reason = "SIG_CONSTRAINTS_FAILURE"      // signed, but not what must be signed, or not in an allowed form
	CryptoConstraintsFailure Reason = "CRYPTO_CONSTRAINTS_FAILURE"   // an algorithm or key size that policy refuses
	SignedDataNotFound       Reason = "SIGNED_DATA_NOT_FOUND"        // a reference points to nothing
	NoSigningCertificate     Reason = "NO_SIGNING_CERTIFICATE_FOUND" // the certificate is neither in the message nor known

	// The signer's certificate.
	NoCertificateChain      Reason = "NO_CERTIFICATE_CHAIN_FOUND" // leads to no configured root
	ChainConstraintsFailure Reason = "CHAIN_CONSTRAINTS_FAILURE"  // a chain exists, but one of its links is not allowed to be there
	Expired                 Reason = "EXPIRED"
	NotYetValid             Reason = "NOT_YET_VALID"
	Revoked                 Reason = "REVOKED"
	KeyUsage                Reason = "KEY_USAGE" // not a certificate for signing
	IINMismatch             Reason = "IIN_MISMATCH"
	BINMismatch             Reason = "BIN_MISMATCH"

	// What could not be found out.
	TryLater      Reason = "TRY_LATER" // a source could not be asked, or its answer is too old; ask again
	NoPOE         Reason = "NO_POE"    // no proof of existence at the time in question
	TimestampBad  Reason = "TIMESTAMP_ORDER_FAILURE"
	GenericReason Reason = "GENERIC" // a defect of ours; the detail says what
)

// Reasons is the closed list, in the order of the constants.
func Reasons() []Reason {
	return []Reason{
		FormatFailure, NoSignature, HashFailure, SigCryptoFailure, SigConstraintsFailure,
		CryptoConstraintsFailure, SignedDataNotFound, NoSigningCertificate,
		NoCertificateChain, ChainConstraintsFailure, Expired, NotYetValid, Revoked,
		KeyUsage, IINMismatch, BINMismatch,
		TryLater, NoPOE, TimestampBad, GenericReason,
	}
}

// Check is one question that was asked, and its answer.
type Check struct {
	Name    string  // from the closed list in names.go
	Outcome Outcome // Undetermined when Skipped
	Reason  Reason  // None when Passed
	Detail  string  // for people: what was compared, which source answered; no personal data beyond the subject's own
	Skipped bool    // the caller asked that it not be made; only command-line verification of files can
	Proofs  []Proof // what it relied on besides the document, to make it again later
}

// Proof is a certificate, an OCSP answer or a revocation list on which a check
// relied.
type Proof struct {
	Kind ProofKind
	Sum  [sha256.Size]byte // SHA-256 of Raw
	// Raw gives its DER. Lists are large and lie elsewhere, so it may fail.
	Raw func() ([]byte, error)
}

// ProofKind says what a proof is.
type ProofKind string

// The kinds of proof.
const (
	ProofSigner    ProofKind = "signer"    // the signer's certificate
	ProofAuthority ProofKind = "authority" // the certificate of an authority above it
	ProofOCSP      ProofKind = "ocsp"
	ProofCRL       ProofKind = "crl"       // a list or a delta list
	ProofBeside    ProofKind = "signature" // CMS that stands beside the document
	ProofKey       ProofKind = "key"       // a public key without a certificate (SubjectPublicKeyInfo)
)

// Prove makes a proof of bytes at hand.
func Prove(kind ProofKind, raw []byte) Proof {
	return Proof{Kind: kind, Sum: sha256.Sum256(raw), Raw: func() ([]byte, error) { return raw, nil }}
}

// Pass, Fail and Unsure build the three kinds of answer.
func Pass(name, detail string) Check {
	return Check{Name: name, Outcome: Passed, Detail: detail}
}

// Fail builds a check that decides against.
func Fail(name string, r Reason, detail string) Check {
	return Check{Name: name, Outcome: Failed, Reason: r, Detail: detail}
}

// Unsure builds a check that could not be decided.
func Unsure(name string, r Reason, detail string) Check {
	return Check{Name: name, Outcome: Undetermined, Reason: r, Detail: detail}
}

// Sum is the outcome of a list of checks: the first Failed one decides; else
// the first undecided one; Passed only if there is at least one check, none
// is Failed and none undecided. Skipped checks are not counted.
func Sum(checks []Check) (Outcome, Reason) {
	asked, unsure := false, Reason(None)
	undecided := false
	for _, c := range checks {
		switch {
		case c.Skipped:
		case c.Outcome == Failed:
			return Failed, c.Reason
		case c.Outcome == Passed:
			asked = true
		case !undecided:
			undecided, unsure = true, c.Reason
		}
	}
	switch {
	case undecided:
		return Undetermined, unsure
	case asked:
		return Passed, None
	default:
		return Undetermined, GenericReason
	}
}
