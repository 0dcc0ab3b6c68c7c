// Package signature answers three questions about a message: is it signed, by
// whom, and may we believe it. And it signs.
//
// Four shapes are judged, two of them, XML Signature and CMS, by one call where
// either may come (document.go). WS-Security (wsse.go): the system's signature in the
// header of a SOAP 1.1 envelope over the Body. XML Signature (xmldsig.go): a
// person's signature within or around a document, or several of them. CMS
// (cms.go): the same beside or around any bytes. Time stamps (tsp.go): over
// the signatures of CMS and of XML (xmlstamp.go), or alone.
//
// The way of one judgement, with the file of each step:
//
//	where the signatures stand       wsse.go, xmldsig.go
//	the shape of one signature       shape.go
//	the shape of CMS                 package cms
//	which algorithms                 policy.go, package algorithm
//	what is referenced, its digest   reference.go
//	which certificate                keyinfo.go, x509data.go
//	the value, the chain, the person judge.go, packages nuc and revocation
//	the answer                       verdict.go, content.go
//	signing                          sign.go, signwsse.go, signenveloped.go, splice.go
//
// Rules kept:
//   - Everything that needs no network comes first; revocation is asked last.
//   - Nothing is fetched because a message names it: no URL, no file.
//   - Exactly one of each thing; two of anything is a refusal, never "the first".
//   - Content is handed out only by a verdict that Passed, as the very octets
//     that were digested. What was not signed is not in it.
//   - No setting weakens a check. The zero Verifier trusts nobody.
//
// Documents: XML Signature Syntax and Processing 1.1 and its second edition's
// section 4.4.3; Exclusive XML Canonicalization 1.0; SOAP 1.1 section 4; OASIS
// Web Services Security: SOAP Message Security 1.1.1 and X.509 Token Profile
// 1.1.1; XML Signature Best Practices; those of package cms; ETSI EN 319 132-1
// for time stamps in XML, EN 319 102-1 for the words.
package signature
