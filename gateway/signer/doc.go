// Package signer is a door for the clients of NCANode: its HTTP interface of
// version 3, served by our own judges and signers, so that an organisation can
// put one static binary in the place of a Java server and a closed library.
//
// The door takes private keys and their passwords in its requests. It belongs
// on the loopback address, or behind something that encrypts and asks who
// calls; it does neither itself, as the original does not.
//
// The way of a request, with the file of each step:
//
//	limits, log, defects of ours        signer.go, limit.go
//	reading the JSON object             request.go
//	opening key files                   key.go
//	documents, messages, CMS            xml.go, wsse.go, cms.go
//	certificates and key files          info.go, certificate.go
//	revocation                          inquiry.go
//	time stamps from an authority       tsa.go
//	the answer                          answer.go
//
// Names, nesting and statuses are NCANode's. Where its answers were wrong, ours
// are not the same:
//
//   - Revocation that could not be found out is never "not revoked": valid is
//     false, and the entry, whose field is a boolean, says revoked with a
//     reason that begins with UNKNOWN and no time (as RFC 6960 section 2.2 does
//     for certificates that were never issued). Both methods asked for must
//     say good.
//   - What stored evidence says is revoked is not valid, asked for or not.
//   - wsse/verify: the one soap:Body must be signed, elements are known by
//     namespace, the certificate is the one of this signature's KeyInfo, and a
//     signed Timestamp must not have expired. Two of anything is a refusal.
//   - xml/verify: valid means the whole document. A signature over a part
//     leaves the rest open to anybody, and the answer has no place to say which.
//   - Only canonicalization and the enveloped signature are transforms. A DTD
//     is refused.
//   - valid means a chain to a configured root in which every link may be
//     there, and, of signatures, a certificate for signing.
//   - Lists and OCSP answers count only verified, of this authority and in
//     their time; an old or broken one replaces nothing.
//   - tsp is told only if a configured root vouches for its authority.
//   - Roots come from files, never from the network; every question has an end.
//
// Rules kept: a key and its password live as long as their request, and are
// neither logged nor repeated in an answer; only configured addresses are
// asked; the answers to an unread request and to a defect of ours have the same
// form as all others.
//
// Documents: NCANode's public interface description (openapi.yml of version 3),
// RFC 3161 section 3.4 (time stamps over HTTP), and those of package signature.
package signer
