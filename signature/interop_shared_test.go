//go:build shared

package signature

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

type interopCase struct {
	ID         string   `json:"id"`
	File       string   `json:"file"`
	Suite      string   `json:"suite"`
	Profile    string   `json:"profile"`
	Known      string   `json:"known"`
	Needs      []string `json:"needs"`
	Refuse     []string `json:"refuse_because"`
	Algorithms struct {
		Canonicalization string `json:"canonicalization"`
		Signature        string `json:"signature"`
		References       []struct {
			URI     string `json:"uri"`
			Digest  string `json:"digest"`
			Value   string `json:"digest_value"`
			Octets  string `json:"octets"`
			Matches bool   `json:"digest_matches_octets"`
		} `json:"references"`
		SignedInfo string `json:"signed_info_octets"`
	} `json:"algorithms"`
	Key struct {
		Files []struct {
			Role string `json:"role"`
			Path string `json:"path"`
		} `json:"files"`
		At string `json:"at"`
	} `json:"key"`
}

func (c interopCase) needs(what string) bool { return slices.Contains(c.Needs, what) }

func (c interopCase) at(t *testing.T) time.Time {
	if c.Key.At == "" {
		return time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)
	}
	at, err := time.Parse(time.RFC3339, c.Key.At)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestInterop judges the public suites three times over: each digest and
// value by itself over the stored octets; as the bridge would; and with what
// the row needs switched on, to see that the rest is right.
func TestInterop(t *testing.T) {
	dir := shared(t, "vectors", "interop")
	var manifest struct {
		Cases []interopCase `json:"cases"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(dir, "MANIFEST.json")), &manifest); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, c := range manifest.Cases {
		t.Run(c.ID, func(t *testing.T) {
			src := read(t, filepath.Join(dir, c.File))
			doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
			if err != nil {
				if !slices.Contains(c.Refuse, "document type declaration") {
					t.Fatalf("does not read: %v", err)
				}
				count["document type declaration"]++
				interopParts(t, dir, c, nil, count)
				return
			}
			interopParts(t, dir, c, doc, count)
			interopPolicy(t, dir, c, doc, count)
			interopOpen(t, dir, c, doc, count)
		})
	}
	t.Logf("%v", count)
}

// interopParts checks every digest, canonical SignedInfo and signature value
// that the table knows, one at a time.
func interopParts(t *testing.T, dir string, c interopCase, doc *xmltree.Document, count map[string]int) {
	for i, r := range c.Algorithms.References {
		d, ok := algorithm.DigestByURI(r.Digest)
		if !ok || d.New == nil || r.Octets == "" || !r.Matches {
			continue
		}
		want, err := decodeBase64(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(d.Sum(read(t, filepath.Join(dir, r.Octets))), want) {
			t.Errorf("reference %d: %s of the octets is another", i, d.Name)
		}
		count["digests"]++
	}
	if doc == nil || c.Algorithms.SignedInfo == "" {
		return
	}
	sig := firstSignature(doc)
	info, _, _ := sig.Child(nsDS, "SignedInfo")
	method, _, _ := info.Child(nsDS, "CanonicalizationMethod")
	form, bad := readForm(method, "canonicalization method")
	if bad != nil {
		t.Fatal(bad.Detail)
	}
	stored := read(t, filepath.Join(dir, c.Algorithms.SignedInfo))
	if got := doc.Canonical(nil, info, form); !bytes.Equal(got, stored) {
		t.Errorf("SignedInfo is\n%s\nnot\n%s", got, stored)
	}
	count["signed infos"]++
	row, ok := algorithm.SignatureByURI(c.Algorithms.Signature)
	key := interopKey(t, dir, c, sig)
	if !ok || key == nil || row.Digest.New == nil || key.Kind() != row.Key || strings.Contains(strings.Join(c.Refuse, ";"), "DER, not") {
		return
	}
	valueNode, _, _ := sig.Child(nsDS, "SignatureValue")
	value, err := decodeBase64(valueNode.Text())
	if err != nil {
		t.Fatal(err)
	}
	err = row.VerifyXML(key, row.Digest.Sum(stored), value)
	switch damaged := strings.Contains(c.ID, "/bad-signature"); {
	case damaged && err == nil:
		t.Error("a damaged value fits")
	case !damaged && err != nil:
		t.Errorf("%s: %v", row.Name, err)
	}
	count["values"]++
}

// refusals are the reasons that fit each ground of the manifest.
var refusals = map[string][]verdict.Reason{
	"HMAC":      {verdict.CryptoConstraintsFailure},
	"DSA":       {verdict.CryptoConstraintsFailure},
	"digest":    {verdict.CryptoConstraintsFailure},
	"signature": {verdict.CryptoConstraintsFailure},
	"XPath":     {verdict.SigConstraintsFailure},
	"XPointer":  {verdict.SigConstraintsFailure},
	"XSLT":      {verdict.SigConstraintsFailure},
	"base64":    {verdict.SigConstraintsFailure},
	"transform": {verdict.SigConstraintsFailure},
	"reference": {verdict.SigConstraintsFailure},
	"ECDSA":     {verdict.SigCryptoFailure},
	"RFC":       {verdict.NoSigningCertificate},
	// Needs: what is off, and why it says no.
	"sha1":                    {verdict.CryptoConstraintsFailure},
	"sha224":                  {verdict.CryptoConstraintsFailure},
	"rsa-1024":                {verdict.CryptoConstraintsFailure},
	"rsa-pss":                 {verdict.CryptoConstraintsFailure},
	"ecdsa":                   {verdict.CryptoConstraintsFailure},
	"gost-r":                  {verdict.CryptoConstraintsFailure},
	"md5-signed-certificates": {verdict.CryptoConstraintsFailure},
	"keyvalue":                {verdict.NoSigningCertificate},
	"der-encoded-key-value":   {verdict.NoSigningCertificate},
	"keyinfo-reference":       {verdict.NoSigningCertificate},
	"retrieval-method":        {verdict.NoSigningCertificate},
	"manifest-not-followed":   {verdict.SigConstraintsFailure},
	"xpath-not-signature":     {verdict.SigConstraintsFailure},
}

// mustFail gives the reason of each twin that fails.
var mustFail = map[string]verdict.Reason{
	"bad-comment": verdict.HashFailure, "bad-content": verdict.HashFailure, "bad-digest": verdict.HashFailure,
	"bad-extra-namespace": verdict.HashFailure, "bad-whitespace": verdict.HashFailure, "bad-signature": verdict.SigCryptoFailure,
}

// interopPolicy judges as the bridge would, revocation left out.
func interopPolicy(t *testing.T, dir string, c interopCase, doc *xmltree.Document, count map[string]int) {
	v := &Verifier{Trust: interopTrust(t, dir, c), Revoke: RevokeOff}
	got := v.XMLDSig(context.Background(), doc, Want{At: c.at(t)})
	if c.Profile == "must-verify" && len(c.Needs) == 0 {
		// The suites' certificates are not of the national profile: their usage
		// may say nothing about signing documents. All else must hold.
		for _, s := range got.Signatures {
			for _, check := range s.Checks {
				if check.Outcome != verdict.Passed && !check.Skipped && check.Name != verdict.CheckUsage {
					t.Errorf("%s: %s %s", check.Name, check.Reason, check.Detail)
				}
			}
		}
		count["verified"]++
		return
	}
	if got.Outcome == verdict.Passed {
		t.Fatalf("passes, but is %s", c.Profile)
	}
	fits := map[verdict.Reason]bool{}
	for _, ground := range append(slices.Clone(c.Refuse), c.Needs...) {
		word, _, _ := strings.Cut(ground, " ")
		reasons, ok := refusals[word]
		if !ok {
			t.Fatalf("no reason is known for %q", ground)
		}
		for _, r := range reasons {
			fits[r] = true
		}
	}
	name := filepath.Base(c.ID)
	for prefix, r := range mustFail {
		if strings.HasPrefix(name, prefix) {
			fits[r] = true
		}
	}
	if c.Profile == "must-fail" && len(fits) == 0 { // nobody trusts the signer
		fits[verdict.NoCertificateChain] = true
	}
	if !fits[got.Reason] {
		t.Errorf("%s (%s); expected one of %v", got.Reason, detail(got), fits)
	}
	count[string(got.Reason)]++
}

// interopOpen judges with what the row needs switched on.
func interopOpen(t *testing.T, dir string, c interopCase, doc *xmltree.Document, count map[string]int) {
	if len(c.Needs) == 0 || c.needs("gost-r") || c.Profile == "must-fail" && !strings.HasPrefix(filepath.Base(c.ID), "bad-") {
		return
	}
	words := map[string]string{"sha1": "SHA-1", "sha224": "SHA-224", "rsa-pss": "PSS", "ecdsa": "ECDSA"}
	digested := map[int][]byte{}
	var signed []byte
	v := &Verifier{Trust: interopTrust(t, dir, c), Revoke: RevokeOff}
	v.lab = &lab{
		allow: func(row string) bool {
			if strings.HasPrefix(row, "DSA") || strings.HasPrefix(row, "HMAC") {
				return false
			}
			all := false // every weak part of the row must be switched on
			for need, word := range words {
				if strings.Contains(row, word) {
					if !c.needs(need) {
						return false
					}
					all = true
				}
			}
			return all
		},
		manifest: func(m xmltree.Node) bool { return c.needs("manifest-not-followed") && harmlessManifest(m) },
		key: func(xmltree.Node) (algorithm.PublicKey, bool) {
			key := interopKey(t, dir, c, firstSignature(doc))
			return key, key != nil
		},
		digested: func(i int, octets []byte) { digested[i] = bytes.Clone(octets) },
		signed:   func(octets []byte) { signed = octets },
	}
	got := v.XMLDSig(context.Background(), doc, Want{At: c.at(t)})
	if passed := got.Outcome == verdict.Passed; passed != (c.Profile == "must-verify") {
		t.Errorf("with %v on: %s %s (%s)", c.Needs, got.Outcome, got.Reason, detail(got))
		return
	}
	count["with switches: "+got.Outcome.String()]++
	for i, r := range c.Algorithms.References {
		if octets, ok := digested[i]; ok && r.Octets != "" && !bytes.Equal(octets, read(t, filepath.Join(dir, r.Octets))) {
			t.Errorf("reference %d digests\n%s", i, octets)
		}
	}
	if signed != nil && c.Algorithms.SignedInfo != "" && !bytes.Equal(signed, read(t, filepath.Join(dir, c.Algorithms.SignedInfo))) {
		t.Errorf("SignedInfo is %s", signed)
	}
}

func harmlessManifest(m xmltree.Node) bool {
	for n := range m.Descendants() {
		if n.Is(nsDS, "Transform") {
			if uri, _ := n.Attr("", "Algorithm"); uri == uriXPath || uri == uriXSLT {
				return false
			}
		}
	}
	return true
}

func firstSignature(doc *xmltree.Document) xmltree.Node {
	if doc.Root().Is(nsDS, "Signature") {
		return doc.Root()
	}
	for n := range doc.Root().Descendants() {
		if n.Is(nsDS, "Signature") {
			return n
		}
	}
	return xmltree.Node{}
}

func interopTrust(t *testing.T, dir string, c interopCase) *nuc.Trust {
	trust := nuc.NewTrust()
	for _, f := range c.Key.Files {
		if f.Role != "trusted" && f.Role != "untrusted" && f.Role != "signer-certificate" {
			continue
		}
		raw := read(t, filepath.Join(dir, f.Path))
		certs, err := nuc.ParsePEMOrDER(raw)
		if err != nil {
			t.Logf("%s: %v", f.Path, err)
			continue
		}
		for _, cert := range certs {
			if f.Role == "trusted" {
				if err := trust.AddRoot(cert); err != nil {
					t.Logf("%s: %v", f.Path, err)
				}
			} else {
				trust.AddIntermediate(cert)
			}
		}
	}
	return trust
}

// interopKey finds the public key of a case wherever it is given: in the
// document (also where the bridge would not look), or in the files.
func interopKey(t *testing.T, dir string, c interopCase, sig xmltree.Node) algorithm.PublicKey {
	if info, ok, _ := sig.Child(nsDS, "KeyInfo"); ok {
		var certs []*nuc.Certificate
		for n := range sig.Descendants() {
			if key := keyOf(n); key != nil && (n.Within(info) || c.needs("keyinfo-reference") || c.needs("retrieval-method")) {
				return key
			}
			if n.Is(nsDS, "X509Certificate") {
				if raw, err := decodeBase64(n.Text()); err == nil {
					if cert, err := nuc.ParseCertificate(raw); err == nil {
						certs = append(certs, cert)
					}
				}
			}
		}
		if leaf := onlyLeaf(certs); leaf != nil {
			return leaf.PublicKey
		}
	}
	for _, role := range []string{"signer-certificate", "untrusted"} {
		for _, f := range c.Key.Files {
			if f.Role != role {
				continue
			}
			raw, err := os.ReadFile(filepath.Join(dir, f.Path))
			if err != nil {
				t.Fatal(err)
			}
			if certs, err := nuc.ParsePEMOrDER(raw); err == nil && certs[0].PublicKey != nil {
				return certs[0].PublicKey
			}
		}
	}
	return nil
}

// keyOf reads RSAKeyValue, ECKeyValue (XML Signature 1.1) and DEREncodedKeyValue.
func keyOf(n xmltree.Node) algorithm.PublicKey {
	bytesOf := func(space, local string) []byte {
		child, _, _ := n.Child(space, local)
		raw, _ := decodeBase64(child.Text())
		return raw
	}
	switch {
	case n.Is(nsDS, "RSAKeyValue"):
		e := new(big.Int).SetBytes(bytesOf(nsDS, "Exponent"))
		key, err := algorithm.NewRSAPublicKey(new(big.Int).SetBytes(bytesOf(nsDS, "Modulus")), int(e.Int64()))
		if err != nil {
			return nil
		}
		return key
	case n.Is(nsDS11, "DEREncodedKeyValue"):
		raw, _ := decodeBase64(n.Text())
		key, err := algorithm.ParsePublicKey(raw)
		if err != nil {
			return nil
		}
		return key
	case n.Is(nsDS11, "ECKeyValue"):
		curve, _, _ := n.Child(nsDS11, "NamedCurve")
		uri, _ := curve.Attr("", "URI")
		var oid asn1.ObjectIdentifier
		for _, arc := range strings.Split(strings.TrimPrefix(uri, "urn:oid:"), ".") {
			var number int
			if _, err := fmt.Sscan(arc, &number); err != nil {
				return nil
			}
			oid = append(oid, number)
		}
		point := bytesOf(nsDS11, "PublicKey")
		type identifier struct{ Algorithm, Curve asn1.ObjectIdentifier }
		spki, err := asn1.Marshal(struct {
			A identifier
			K asn1.BitString
		}{identifier{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, oid}, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
		if err != nil {
			return nil
		}
		key, err := algorithm.ParsePublicKey(spki)
		if err != nil {
			return nil
		}
		return key
	}
	return nil
}
