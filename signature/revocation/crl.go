package revocation

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"time"

	"kopir/signature/der"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// MaxCRL is the largest list that is read, in bytes: some three million entries.
const MaxCRL = 128 << 20

// serialSize is the most bytes a serial number may have (RFC 5280 section 4.1.2.2).
const serialSize = 20

// entry is one revoked certificate; 28 bytes, for lists have a million of them.
type entry struct {
	serial [serialSize]byte // big-endian, zeros in front
	at     uint32           // seconds since 1970
	reason int8
}

// CRL is one revocation list. It is read-only after ParseCRL and Verify.
type CRL struct {
	RawIssuer  []byte
	Issuer     nuc.Name
	ThisUpdate time.Time
	NextUpdate time.Time

	AuthorityKeyID []byte
	Number         *big.Int // nil where the list gives none
	Delta          bool
	BaseNumber     *big.Int // of a delta: the oldest base it may be applied to

	// Fingerprint is the SHA-256 of the whole encoding.
	Fingerprint [sha256.Size]byte

	onlyUsers, onlyAuthorities bool
	points                     []string // issuing distribution point: the list is for certificates that name one of these
	partial                    string   // why the list cannot be used at all; empty if it can

	entries []entry // sorted by serial

	algorithm nuc.Algorithm
	tbs, sig  []byte // let go by Compact

	raw  []byte // the whole encoding; nil where file has it
	file string
}

// ParseCRL reads a list from DER (or one PEM block). It is not believed
// before Verify. Errors are *der.Error.
func ParseCRL(raw []byte) (*CRL, error) {
	const object = "CRL"
	if block, _ := pem.Decode(raw); block != nil && block.Type == "X509 CRL" {
		raw = block.Bytes
	}
	if len(raw) > MaxCRL {
		return nil, &der.Error{Object: object, Message: fmt.Sprintf("%d bytes; at most %d are read", len(raw), MaxCRL)}
	}
	whole, err := der.Parse(object, raw, der.Sequence)
	if err != nil {
		return nil, err
	}
	c := &CRL{Fingerprint: sha256.Sum256(raw), raw: raw}
	s := whole.Seq()
	tbs, err := s.Next("tbsCertList", der.Sequence)
	if err != nil {
		return nil, err
	}
	alg, err := s.Next("signatureAlgorithm", der.Sequence)
	if err != nil {
		return nil, err
	}
	sig, err := s.Next("signatureValue", der.BitString)
	if err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	if c.algorithm, err = nuc.ReadAlgorithm(alg); err != nil {
		return nil, err
	}
	if c.sig, err = sig.Bits(); err != nil {
		return nil, err
	}
	c.tbs = tbs.Raw
	return c, c.readTBS(tbs)
}

func (c *CRL) readTBS(tbs der.Value) error {
	s := tbs.Seq()
	version, v2, err := s.Optional("version", der.Integer)
	if err != nil {
		return err
	}
	if v2 {
		if n, err := version.Int(); err != nil || n != 1 {
			return version.Errorf("a list is of version 2, written as 1")
		}
	}
	inner, err := s.Next("signature", der.Sequence)
	if err != nil {
		return err
	}
	if within, err := nuc.ReadAlgorithm(inner); err != nil {
		return err
	} else if !within.Same(c.algorithm) {
		return inner.Errorf("names another algorithm than the signature beside it")
	}
	issuer, err := s.Next("issuer", der.Sequence)
	if err != nil {
		return err
	}
	c.RawIssuer = bytes.Clone(issuer.Raw)
	if c.Issuer, err = nuc.ReadName(issuer); err != nil {
		return err
	}
	from, err := s.Any("thisUpdate")
	if err != nil {
		return err
	}
	if c.ThisUpdate, err = from.Time(); err != nil {
		return err
	}
	if !s.Peek(der.UTCTime) && !s.Peek(der.GeneralizedTime) {
		return from.Errorf("no nextUpdate beside it: such a list would never go stale")
	}
	to, err := s.Any("nextUpdate")
	if err != nil {
		return err
	}
	if c.NextUpdate, err = to.Time(); err != nil {
		return err
	}
	if list, ok, err := s.Optional("revokedCertificates", der.Sequence); err != nil {
		return err
	} else if ok {
		if err := c.readEntries(list); err != nil {
			return err
		}
	}
	if ext, ok, err := s.Optional("crlExtensions", der.ContextConstructed(0)); err != nil {
		return err
	} else if ok {
		if !v2 {
			return ext.Errorf("extensions in a list of version 1")
		}
		if err := c.readExtensions(ext); err != nil {
			return err
		}
	}
	return s.End()
}

func (c *CRL) readExtensions(ext der.Value) error {
	list, err := ext.Inner("crlExtensions", der.Sequence)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	s := list.Seq()
	for !s.Empty() {
		x, err := nuc.ReadExtension(&s)
		if err != nil {
			return err
		}
		if seen[x.OID] || len(seen) > 32 {
			return x.Value.Errorf("extension %s occurs twice, or there are too many", x.OID)
		}
		seen[x.OID] = true
		if err := c.readExtension(x); err != nil {
			return err
		}
	}
	return nil
}

func (c *CRL) readExtension(x nuc.Extension) (err error) {
	switch x.OID {
	case "2.5.29.35":
		if c.AuthorityKeyID, err = nuc.ReadAuthorityKeyID(x.Value); err == nil {
			c.AuthorityKeyID = bytes.Clone(c.AuthorityKeyID)
		}
	case "2.5.29.20":
		c.Number, err = readNumber(x.Value, "cRLNumber")
	case "2.5.29.27":
		c.Delta = true
		if !x.Critical {
			return x.Value.Errorf("the delta indicator must be critical")
		}
		c.BaseNumber, err = readNumber(x.Value, "baseCRLNumber")
	case "2.5.29.28":
		err = c.readScope(x.Value)
	case "2.5.29.46": // where deltas are: configured, not followed
	default:
		if x.Critical {
			c.partial = "it has the critical extension " + x.OID + ", which is not understood"
		}
	}
	return err
}

func readNumber(v der.Value, field string) (*big.Int, error) {
	n, err := v.Inner(field, der.Integer)
	if err != nil {
		return nil, err
	}
	number, err := n.BigInt()
	if err == nil && (number.Sign() < 0 || len(n.Body) > 21) {
		err = n.Errorf("a list's number is not negative and has at most 20 bytes")
	}
	return number, err
}

// readScope reads the issuing distribution point (RFC 5280 section 5.2.5).
func (c *CRL) readScope(v der.Value) error {
	seq, err := v.Inner("issuingDistributionPoint", der.Sequence)
	if err != nil {
		return err
	}
	s := seq.Seq()
	for !s.Empty() {
		f, err := s.Any("field")
		if err != nil {
			return err
		}
		on := false
		if f.Tag&0x20 == 0 && f.Tag != der.Context(3) {
			if on, err = f.ImplicitBool(); err != nil {
				return err
			}
		}
		switch f.Tag {
		case der.ContextConstructed(0):
			if c.points, err = nuc.ReadPointName(f); err != nil {
				return err
			}
			if len(c.points) == 0 {
				c.partial = "it is for a distribution point without an address"
			}
		case der.Context(1):
			c.onlyUsers = on
		case der.Context(2):
			c.onlyAuthorities = on
		case der.Context(3):
			c.partial = "it covers some reasons only"
		case der.Context(4):
			if on {
				c.partial = "it is an indirect list"
			}
		case der.Context(5):
			if on {
				c.partial = "it covers attribute certificates only"
			}
		default:
			return f.Errorf("tag %#02x is not known here", f.Tag)
		}
	}
	return nil
}

// Algorithm is the identifier of the signature's algorithm.
func (c *CRL) Algorithm() string { return c.algorithm.OID }

// Len is the number of revoked certificates on the list.
func (c *CRL) Len() int { return len(c.entries) }

// String names the list for people.
func (c *CRL) String() string {
	kind, number := "CRL", ""
	if c.Delta {
		kind = "delta CRL"
	}
	if c.Number != nil {
		number = " " + c.Number.String()
	}
	return fmt.Sprintf("%s%s of %s from %s", kind, number, c.Issuer, stamp(c.ThisUpdate))
}

// Find looks a serial number up. The reason is -1 where the entry gives none.
func (c *CRL) Find(serial *big.Int) (at time.Time, reason int, ok bool) {
	if serial.Sign() < 0 || serial.BitLen() > serialSize*8 {
		return time.Time{}, 0, false
	}
	var key [serialSize]byte
	serial.FillBytes(key[:])
	i, ok := slices.BinarySearchFunc(c.entries, key, func(e entry, k [serialSize]byte) int {
		return compareSerials(&e.serial, &k)
	})
	if !ok {
		return time.Time{}, 0, false
	}
	return time.Unix(int64(c.entries[i].at), 0).UTC(), int(c.entries[i].reason), true
}

// IssuedBy tells whether the list bears the name and, where both give one, the
// key identifier of an authority.
func (c *CRL) IssuedBy(issuer *nuc.Certificate) bool {
	return bytes.Equal(c.RawIssuer, issuer.RawSubject) &&
		(len(c.AuthorityKeyID) == 0 || len(issuer.SubjectKeyID) == 0 || bytes.Equal(c.AuthorityKeyID, issuer.SubjectKeyID))
}

// Verify is whether the authority made this list and may, and whether it is of
// a kind that can be used. Time is not looked at.
func (c *CRL) Verify(issuer *nuc.Certificate) verdict.Check {
	const name = verdict.CheckSignature
	switch {
	case !c.IssuedBy(issuer):
		return verdict.Fail(name, verdict.ChainConstraintsFailure, fmt.Sprintf("the list is of %s, not of %s", c.Issuer, issuer.SubjectName))
	case issuer.HasKeyUsage && issuer.KeyUsage&nuc.CRLSign == 0:
		return verdict.Fail(name, verdict.ChainConstraintsFailure, fmt.Sprintf("%s may not sign lists by its key usage", issuer.SubjectName))
	case c.partial != "":
		return verdict.Unsure(name, verdict.ChainConstraintsFailure, "the list cannot be used: "+c.partial)
	case c.tbs == nil:
		return verdict.Unsure(name, verdict.GenericReason, "the list was compacted before it was verified")
	}
	if key := issuer.CheckKey(); key.Outcome == verdict.Failed {
		return key
	}
	return issuer.CheckSigned(name, "the list", c.algorithm, c.tbs, c.sig)
}

// Compact lets go of the encoding once the list is verified. file, if there is
// one, keeps it.
func (c *CRL) Compact(file string) {
	c.tbs, c.sig = nil, nil
	if c.file = file; file != "" {
		c.raw = nil
	}
}

// Raw gives the encoding. It fails when the file that keeps it has another list
// by now.
func (c *CRL) Raw() ([]byte, error) {
	if c.raw != nil {
		return c.raw, nil
	}
	raw, err := os.ReadFile(c.file)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(raw); block != nil && block.Type == "X509 CRL" {
		raw = block.Bytes
	}
	if sha256.Sum256(raw) != c.Fingerprint {
		return nil, fmt.Errorf("%s is not kept any more", c)
	}
	return raw, nil
}

func (c *CRL) proof() verdict.Proof {
	return verdict.Proof{Kind: verdict.ProofCRL, Sum: c.Fingerprint, Raw: c.Raw}
}

// covers tells whether a certificate is within the list's scope.
func (c *CRL) covers(leaf *nuc.Certificate) (bool, string) {
	switch {
	case c.onlyUsers && leaf.IsCA:
		return false, "it does not cover authorities"
	case c.onlyAuthorities && !leaf.IsCA:
		return false, "it covers authorities only"
	case len(c.points) > 0 && !slices.ContainsFunc(c.points, func(p string) bool { return slices.Contains(leaf.CRLURLs, p) }):
		return false, "it is for certificates of the distribution point " + strings.Join(c.points, " ")
	default:
		return true, ""
	}
}

// applies tells whether a delta may be laid over a base. Their own numbers are
// not compared: the national authority counts deltas separately.
func (c *CRL) applies(base *CRL) bool {
	return c.Delta && !base.Delta && bytes.Equal(c.RawIssuer, base.RawIssuer) &&
		base.Number != nil && c.BaseNumber != nil && base.Number.Cmp(c.BaseNumber) >= 0 &&
		!c.ThisUpdate.Before(base.ThisUpdate) && slices.Equal(c.points, base.points) &&
		c.onlyUsers == base.onlyUsers && c.onlyAuthorities == base.onlyAuthorities
}

// findIn says what a base and its delta (which may be nil) have on a certificate.
func findIn(base, delta *CRL, leaf *nuc.Certificate) finding {
	f := finding{source: base.String(), thisUpdate: base.ThisUpdate, nextUpdate: base.NextUpdate, until: base.NextUpdate, proofs: []verdict.Proof{base.proof()}}
	at, reason, listed := base.Find(leaf.Serial)
	if delta != nil {
		f.proofs = append(f.proofs, delta.proof())
		f.source, f.thisUpdate = f.source+" with "+delta.String(), delta.ThisUpdate
		if delta.NextUpdate.Before(f.until) {
			f.nextUpdate, f.until = delta.NextUpdate, delta.NextUpdate
		}
		if dAt, dReason, ok := delta.Find(leaf.Serial); ok && dReason == reasonRemove {
			listed = false
		} else if ok {
			at, reason, listed = dAt, dReason, true
		}
	}
	f.listed, f.revokedAt, f.reason = listed, at, reason
	return f
}
