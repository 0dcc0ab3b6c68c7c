// Package xmltree reads XML that someone else wrote, once, strictly, over the
// original bytes, and gives its canonical form. Everything that Kopir believes
// about a signature rests on it: what is digested and what is read afterwards
// come from the same tree.
//
// Rules kept:
//   - What the standards call an error is an error here. Refused besides: any
//     document type declaration, XML 1.1, encodings other than UTF-8 and
//     UTF-16 with a byte order mark, relative namespace names (Canonical XML
//     has no canonical form for them), and whatever exceeds the Limits.
//   - The tree is read-only and may be used by several goroutines. It refers
//     to the bytes given to Parse, which must not be changed afterwards.
//   - Reading and canonicalising cost time linear in the input, times a
//     logarithm where attributes or declarations must be sorted.
//   - Nothing is expanded: there are no entities but the five predefined ones.
//   - Errors name a place and a rule; they never quote the content.
//
// Documents followed: Extensible Markup Language (XML) 1.0, fifth edition;
// Namespaces in XML 1.0, third edition; Canonical XML 1.0 (2001) and 1.1
// (2008); Exclusive XML Canonicalization 1.0 (2002); xml:id 1.0; Web Services
// Security 1.1 section 4 (wsu:Id).
package xmltree
