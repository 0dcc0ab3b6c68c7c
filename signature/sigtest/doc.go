// Package sigtest is a certification authority for tests and for the simulator:
// a root and an issuing CA in the profile of the national certification
// authority, which issue certificates to people, employees, operators and
// information systems, revoke them, and answer with CRL, delta CRL and OCSP:
// with RSA, GOST R 34.10-2015 or GOST 34.310-2004. It also exports PKCS#12
// files as the national authority hands them out.
//
// It makes what others must judge, so it shares no code with the judges: it
// stands on the standard library alone and, for the national algorithms, on
// the arithmetic of package gost, which OpenSSL's gost engine checks; only
// Credential.Key hands over to the bridge's own types. Tests and the
// simulator may import it, production packages may not.
//
// What it follows: RFC 5280 (certificates, CRLs), RFC 6960 (OCSP), RFC 7292
// (PKCS#12), and the profile seen in real objects of the national authority:
// order and string types of the subject, purposes, policies, key identifiers,
// serial numbers, addresses, the order of extensions, how national keys and
// signatures are written, and the habits of its OCSP responder (no nextUpdate;
// a serial number it never issued is "revoked", 1970-01-01, certificateHold;
// nonce echoed; responder named, its certificate enclosed).
//
// RSA keys come from a pool under testdata, made once by this project for this
// purpose; national keys are derived from their numbers. They protect nothing
// and must never be trusted by anything. Options.FreshKeys makes new ones
// instead.
package sigtest
