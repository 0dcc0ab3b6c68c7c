package signature

import (
	"context"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// Holder judges who signed something in a form that this package does not
// read, such as an HTTP request: may the holder of this certificate sign? found
// are the checks that were made of the signature itself, which must not be empty.
func (v *Verifier) Holder(ctx context.Context, c *nuc.Certificate, algorithm string, found []verdict.Check, want Want) *Verdict {
	out := SignatureVerdict{Algorithm: algorithm, Certificate: c, Checks: append([]verdict.Check{}, found...)}
	if len(found) == 0 || c == nil {
		return failed(refuse(verdict.CheckSignature, verdict.SigConstraintsFailure, "there is no signature, or no certificate"))
	}
	out.Checks = append(out.Checks, verdict.Pass(verdict.CheckCertificate, c.SerialHex()))
	v.checkStatus(ctx, &out, v.checkPerson(&out, want, want.At), want.At)
	out.settle()
	return sum([]SignatureVerdict{out}, []int{0})
}
