package bundle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// Seals judges what the bridge signed: checkpoints, and the manifest of a
// bundle. It believes an organisation whose certificate leads to a root.
// Whether it was revoked since does not matter to what was signed before; what
// has no time stamp is judged at the time that its signer states.
type Seals struct {
	verifier signature.Verifier
	bin      string
	// Signers names, for people, who has signed.
	Signers []string
	// BINs are their organisations.
	BINs []string
}

// NewSeals believes seals of the organisation with a BIN; of any when it is empty.
func NewSeals(trust *nuc.Trust, bin string) *Seals {
	return &Seals{verifier: signature.Verifier{Trust: trust, Revoke: signature.RevokeOff}, bin: bin}
}

// Judge is a journal.Judge.
func (s *Seals) Judge(signed []byte) ([]byte, time.Time, error) {
	v, stamp, err := s.judge(signed, nil)
	if err != nil {
		return nil, stamp, err
	}
	content, _ := v.Content()
	return content.Bytes(), stamp, nil
}

// judge gives the verdict on a seal and the time that its stamp proves; zero
// without one. detached is what it stands beside, if it does.
func (s *Seals) judge(signed, detached []byte) (v *signature.Verdict, stamp time.Time, err error) {
	ctx := context.Background()
	want := signature.Want{At: time.Now(), AtStamp: true, BIN: s.bin}
	v = s.verifier.CMS(ctx, signed, detached, want)
	if _, ok := v.Content(); ok {
		stamp = v.Signatures[0].Stamp.At
	} else if len(v.Signatures) == 1 {
		want.AtStamp = false
		v = s.verifier.CMS(ctx, signed, detached, want)
		if at, stated := v.Signatures[0].SignedAt(); stated {
			want.At = at
			v = s.verifier.CMS(ctx, signed, detached, want)
		}
	}
	if _, ok := v.Content(); !ok || len(v.Signatures) != 1 {
		return v, stamp, &sealError{v}
	}
	who := v.Signatures[0].Signer()
	name := who.CN + " " + who.BIN + ", certificate " + who.Serial
	s.Signers, s.BINs = once(s.Signers, name), once(s.BINs, who.BIN)
	return v, stamp, nil
}

// sealError is a seal that is not to be believed.
type sealError struct{ verdict *signature.Verdict }

func (e *sealError) Error() string { return fmt.Sprintf("%s %s", e.verdict.Outcome, e.verdict.Reason) }

func once(all []string, one string) []string {
	for _, have := range all {
		if have == one {
			return all
		}
	}
	return append(all, one)
}

// unvouched believes whoever signed, as long as the signature itself holds: for
// following a chain after it is clear that no root vouches for its signer.
func unvouched(s *Seals) func([]byte) ([]byte, time.Time, error) {
	return func(signed []byte) ([]byte, time.Time, error) {
		content, stamp, err := s.Judge(signed)
		var bad *sealError
		if !errors.As(err, &bad) || bad.verdict.Reason != verdict.NoCertificateChain {
			return content, stamp, err
		}
		m, err := cms.Parse(signed)
		if err != nil {
			return nil, stamp, err
		}
		return m.Content, stamp, nil
	}
}
