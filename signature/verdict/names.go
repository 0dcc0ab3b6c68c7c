package verdict

// The names of the checks, in the order in which they are made: everything
// that needs no network first.
const (
	CheckFormat      = "format"      // readable, and the structure that its kind asks for
	CheckAlgorithms  = "algorithms"  // every algorithm known and allowed
	CheckReferences  = "references"  // what must be signed is referenced, once
	CheckDigest      = "digest"      // every digest equals
	CheckCertificate = "certificate" // the signer's certificate was found and reads
	CheckSignature   = "signature"   // the signature value fits certificate and bytes
	CheckKey         = "key"         // key kind and size are allowed
	CheckChain       = "chain"       // leads to a configured root
	CheckValidity    = "validity"    // within the certificate's dates at the time of judgement
	CheckUsage       = "usage"       // a certificate for signing
	CheckIIN         = "iin"         // the signer's IIN is the expected one
	CheckBIN         = "bin"         // the signer's BIN is the expected one
	CheckTimestamp   = "timestamp"   // a time stamp over the right bytes
	CheckRevocation  = "revocation"  // not revoked
	CheckFreshness   = "freshness"   // a revocation answer or a list is recent enough
)

// Names is the closed list of checks, in the order of the constants. Every one
// has a text in mappings/shared.
func Names() []string {
	return []string{
		CheckFormat, CheckAlgorithms, CheckReferences, CheckDigest, CheckCertificate, CheckSignature, CheckKey, CheckChain,
		CheckValidity, CheckUsage, CheckIIN, CheckBIN, CheckTimestamp, CheckRevocation, CheckFreshness,
	}
}
