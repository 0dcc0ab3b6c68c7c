// Package nuc reads certificates of the national profile (NUC RK), says whom
// and what they are for, and builds their chains to configured roots.
//
// Rules kept: DER only, every fault named with its field and offset; a field
// that could be read in two ways (two IINs, a repeated extension) is a refusal;
// the subject is taken from attributes, never from a printed name; an issuer
// is matched by the bytes of its name and told from its namesakes by the key
// identifier; nothing a certificate names (addresses, algorithms it was not
// meant to have) is ever followed; a critical extension that is not understood
// refuses the chain; an algorithm that is not in the table leaves the chain
// undecided, it never passes.
//
// Documents: RFC 5280 (sections 4, 6), RFC 4514 (names as text), X.690; the
// certification practice of pki.gov.kz for subject attributes and usages.
package nuc
