package signature

import (
	"context"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// Scope says of which certificates the revocation must be known.
type Scope uint8

// The scopes. The zero value asks for the signer's certificate.
const (
	RevokeLeaf  Scope = iota // the signer's
	RevokeChain              // the signer's and those of the authorities below the root
	// RevokeOff asks nothing and shows the check as skipped: for judging files
	// by hand. The bridge has no way to set it.
	RevokeOff
)

// Revocation answers whether a certificate is revoked. It is asked last, and
// only about certificates whose chain holds.
type Revocation interface {
	// Check gives a check named CheckRevocation or CheckFreshness: passed only
	// if the certificate is known not to be revoked at the time.
	Check(ctx context.Context, leaf, issuer *nuc.Certificate, at time.Time) verdict.Check
}

// Verifier judges signatures. It is safe for concurrent use; its fields must
// not be changed after the first judgement. The zero Verifier trusts nobody.
type Verifier struct {
	Trust      *nuc.Trust // roots, authorities, certificates known beforehand
	Revocation Revocation // nil: nothing can be found out, so nothing passes unless Revoke is RevokeOff
	Revoke     Scope

	lab *lab // tests of this package only
}

// lab holds what tests may change to judge the suites of others. Nothing
// outside this package can set it.
type lab struct {
	// key gives the key where a document only names it; the certificate's
	// checks are then left out.
	key func(keyInfo xmltree.Node) (algorithm.PublicKey, bool)
	// allow lets an algorithm through that policy refuses, by the row's name.
	allow func(row string) bool
	// manifest lets a reference to a ds:Manifest pass, unfollowed.
	manifest func(xmltree.Node) bool
	// digested is told the octets of each reference, signed those of SignedInfo.
	digested func(index int, octets []byte)
	signed   func(octets []byte)
}

// Want is what the caller needs to be true of the signer.
type Want struct {
	At time.Time // time of judgement; required
	// AtStamp: each signature (CMS, XAdES-T) is judged at the time of a time stamp over it
	// by an authority that a configured root vouches for. A signature without
	// one stays undetermined. At is then when the stamps themselves are judged.
	AtStamp bool
	IIN     string // 12 digits; empty: any
	BIN     string // 12 digits; empty: any
}

var nobody = nuc.NewTrust()

func (v *Verifier) trust() *nuc.Trust {
	if v.Trust == nil {
		return nobody
	}
	return v.Trust
}
