// Package sigtest is a certification authority for tests and for the simulator:
// a root and an issuing CA in the profile of the national certification
// authority, which issue certificates to people, employees, operators and
// information systems, revoke them, and answer with CRL, delta CRL and OCSP.
// It also exports PKCS#12 files as the national authority hands them out.
//
// It makes what others must judge, so it shares no code with the judges: it
// stands on the standard library alone (and one PKCS#12 writer); only
// Credential.Key hands over to the bridge's own types. Tests and the
// simulator may import it, production packages may not.
//
// What it follows: RFC 5280 (certificates, CRLs), RFC 6960 (OCSP), RFC 7292
// (PKCS#12), and the profile seen in real objects of the national authority:
// order and string types of the subject, purposes, policies, key identifiers,
// addresses, and the habits of its OCSP responder (no nextUpdate; a serial
// number it never issued is "revoked", 1970-01-01, certificateHold; nonce
// echoed; responder named, its certificate enclosed).
//
// Keys come from a pool of RSA keys under testdata, made once by this project
// for this purpose: they protect nothing and must never be trusted by
// anything. Options.FreshKeys makes new ones instead.
package sigtest
