// Package httpsig signs and verifies HTTP requests, and answers to them, by RFC
// 9421 (HTTP Message Signatures), with the digest of the body by RFC 9530
// (Content-Digest). The bridge signs its call-backs to partners that speak REST
// with it, and knows those partners by it when they call.
//
// Rules it keeps:
//
//   - A message is signed once: two signatures, or one that is not in both
//     fields, are a refusal, never "the first".
//   - The verifier says what must be covered (Policy); what is not covered is
//     not signed. Parameters of components other than req, and name of
//     @query-param, are refused instead of guessed.
//   - The algorithm is that of the key. An alg that says otherwise is a refusal.
//   - Times are compared with the receiver's clock, and a nonce is required where
//     the policy says so; remembering it is the caller's work.
//   - Structured fields (RFC 9651, first RFC 8941) are read strictly, and only
//     the kinds that these headers need (field.go).
//
// National algorithms have no registered names; ours begin with "x-" (key.go).
package httpsig
