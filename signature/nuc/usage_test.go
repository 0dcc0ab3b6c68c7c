package nuc

import (
	"testing"

	"kopir/signature/verdict"
)

// What the extensions say about signing documents.
func TestCheckUsage(t *testing.T) {
	for _, c := range []struct {
		name string
		ext  Extensions
		want verdict.Outcome
	}{
		{"signing", Extensions{HasKeyUsage: true, KeyUsage: DigitalSignature | NonRepudiation}, verdict.Passed},
		{"authentication", Extensions{HasKeyUsage: true, KeyUsage: DigitalSignature | KeyEncipherment, ExtKeyUsage: []string{ekuClientAuth}}, verdict.Failed},
		{"nothing restricted", Extensions{}, verdict.Passed},
		{"nothing restricted, issues certificates", Extensions{HasBasicConstraints: true, IsCA: true}, verdict.Passed},
		{"an authority", Extensions{HasBasicConstraints: true, IsCA: true, HasKeyUsage: true, KeyUsage: KeyCertSign | CRLSign}, verdict.Failed},
		{"an authority that may sign", Extensions{HasBasicConstraints: true, IsCA: true, HasKeyUsage: true, KeyUsage: KeyCertSign | NonRepudiation}, verdict.Failed},
		{"another purpose only", Extensions{ExtKeyUsage: []string{EKUOCSPSigning}}, verdict.Failed},
		{"a purpose without key usage", Extensions{ExtKeyUsage: []string{ekuEmailProtection}}, verdict.Passed},
	} {
		if got := (&Certificate{Extensions: c.ext}).CheckUsage(); got.Outcome != c.want || (got.Outcome == verdict.Failed) != (got.Reason == verdict.KeyUsage) {
			t.Errorf("%s: %v %s", c.name, got.Outcome, got.Reason)
		}
	}
}
