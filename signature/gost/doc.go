// Package gost computes the digests and signatures of the national standards:
//
//   - GOST 34.311-95 (the text of GOST R 34.11-94, RFC 5831) with the S-boxes of
//     id-GostR3411-94-TestParamSet (RFC 4357 section 11.2), start value zero;
//   - GOST R 34.11-2012 (Streebog, RFC 6986), 256 and 512 bit;
//   - GOST 34.310-2004 on the curve CryptoPro-A (RFC 4357 section 11.4) and
//     GOST R 34.10-2015 (RFC 7091) on tc26-256-A and tc26-512-A (RFC 7836).
//
// Bytes go in and bytes come out; no object identifier, URI or ASN.1 is known
// here. In everything national the least significant byte comes first: a digest
// is read as a little-endian number, a public key is x then y, a signature is r
// then s, each of the curve's width and little-endian. That is the whole
// reversal of the Russian layout (RFC 4491, RFC 9215), which is refused.
//
// Signing runs in time that does not depend on secrets; verification need not.
package gost

//go:generate go run gen.go
