// Package revocation finds out whether a certificate was revoked: from
// revocation lists with their deltas and from OCSP answers, stored or asked
// for at configured addresses.
//
// Rules kept: the answer has three values, and "could not find out" is never
// good. Evidence counts only if the certificate's own authority made it (the
// list signed by it, the answer by it or by a responder it appointed), if it
// is about exactly this certificate, and if it covers the time of judgement.
// A list or answer whose time has passed proves nothing good; a revocation it
// names stays a revocation. Addresses come from the configuration, never from
// a certificate or an answer; redirects are not followed; every wait has an
// end and every answer a largest size. What is kept on disk is replaced only
// by something that verifies and is newer.
//
// Documents: RFC 5280 section 5 (lists), RFC 6960 and RFC 9654 (OCSP, nonce),
// RFC 5019 where it says how old an answer may be. The national responder
// gives no nextUpdate, so an age of our own applies, and answers "revoked
// 1970-01-01, on hold" for a number it never issued, which is read as unknown.
package revocation
