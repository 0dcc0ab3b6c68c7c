// Package cms reads and writes signed messages in the Cryptographic Message
// Syntax, and the time stamps that are such messages. It knows the form only:
// what is signed by whom, and whether to believe it, is for package signature.
//
// Rules kept:
//   - DER throughout, read over the original bytes; nothing after the message.
//     One exception: a message whose outermost length is indefinite, as
//     programs write that do not know the content's length beforehand. Its
//     wrapping and its content may then be BER, but every certificate and
//     every SignerInfo must stand in it in DER, byte for byte.
//   - The bytes that were signed are the attributes as they stand, under the
//     tag of a SET. Nothing is sorted or written anew before it is verified.
//   - Two signed attributes of one type are refused, and so is an attribute
//     that must have one value and has another number of them.
//   - Counts and sizes are bounded before anything is done with what is counted.
//   - What we write is DER: sets are in order.
//
// Documents: RFC 5652 (CMS), RFC 5035 and RFC 2634 (ESS certificate
// identifiers), ETSI EN 319 122-1 (CAdES), RFC 3161 and RFC 5816 (time stamps),
// X.690 (encodings).
package cms

// Object identifiers of content types and attributes.
const (
	TypeData       = "1.2.840.113549.1.7.1"
	TypeSignedData = "1.2.840.113549.1.7.2"
	TypeTSTInfo    = "1.2.840.113549.1.9.16.1.4"

	AttrContentType          = "1.2.840.113549.1.9.3"
	AttrMessageDigest        = "1.2.840.113549.1.9.4"
	AttrSigningTime          = "1.2.840.113549.1.9.5"
	AttrSigningCertificate   = "1.2.840.113549.1.9.16.2.12"
	AttrSigningCertificateV2 = "1.2.840.113549.1.9.16.2.47"
	AttrSignatureTimeStamp   = "1.2.840.113549.1.9.16.2.14"
)

// Bounds of what is read. Real messages have one to five signers.
const (
	// MaxMessage: as much as an XML document may have.
	MaxMessage = 48 << 20
	// MaxToken bounds a time stamp; real ones have 1 to 3 KB.
	MaxToken = 128 << 10

	maxSigners      = 16
	maxCertificates = 48
	maxDigests      = 32
	maxAttributes   = 32 // of one signer, signed or unsigned
	maxValues       = 8  // of one attribute
	maxCertIDs      = 16
	maxExtensions   = 16
)
