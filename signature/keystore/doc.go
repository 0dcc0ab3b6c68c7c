// Package keystore opens key files and signs with the key inside.
//
// It reads PKCS#12 as the national authority hands it out (DER outside, BER
// of indefinite lengths inside, triple DES for the key, RC2 of 40 bits for
// the certificate, a SHA-1 MAC) and as OpenSSL and Java write it today (PBES2
// with AES, SHA-2 MAC), and PEM files of key and certificate. The old ciphers
// serve to open files only; nothing is ever protected with them here.
//
// Rules kept: a wrong password is told from a damaged file; a key is handed
// out only together with the certificate of that very key; two keys in a file
// are a refusal; work that a file asks for (iterations) has a ceiling. A key
// of a kind that cannot sign here yet is named, with its certificate.
//
// Documents: RFC 7292 (PKCS#12), RFC 8018 (PBES2), RFC 9579 (PBMAC1),
// RFC 2268 (RC2), RFC 5958 (private keys).
package keystore
