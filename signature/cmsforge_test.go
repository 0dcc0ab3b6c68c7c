package signature

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"slices"
	"testing"

	"kopir/signature/algorithm"
	"kopir/signature/cms"
	"kopir/signature/gost"
	"kopir/signature/keystore"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// asn writes one value. It knows no rule, so that every rule can be broken.
func asn(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	n := len(body)
	switch {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	case n < 0x10000:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	default:
		return append([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
	}
}

// cmsForge is a message with one signer, before it is signed.
type cmsForge struct {
	key                *keystore.Key
	version, sdVersion byte
	sid                []byte
	kind               []byte // content type, OID
	content            []byte
	digest, algorithm  []byte   // AlgorithmIdentifiers
	attributes         [][]byte // nil: none, and the content itself is signed
	certs              [][]byte
	unsigned           []byte
	signers            int // how often the SignerInfo stands there
	value              []byte
}

func oid(t testing.TB, arcs ...int) []byte { return encode(t, asn1.ObjectIdentifier(arcs)) }

func attribute(t testing.TB, kind asn1.ObjectIdentifier, values ...[]byte) []byte {
	return asn(0x30, encode(t, kind), asn(0x31, values...))
}

var (
	atContentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	atDigest      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	atTime        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	atCert        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	atCertV2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	null          = []byte{5, 0}
)

func newForge(t testing.TB, key *keystore.Key) *cmsForge {
	row := key.Algorithm
	f := &cmsForge{
		key: key, version: 1, sdVersion: 1, kind: oid(t, 1, 2, 840, 113549, 1, 7, 1), content: []byte(text),
		sid:    asn(0x30, key.Certificate.RawIssuer, encode(t, key.Certificate.Serial)),
		digest: asn(0x30, encode(t, row.Digest.OIDs[0]), null), algorithm: asn(0x30, encode(t, row.OIDs[0]), null),
		certs: [][]byte{key.Certificate.Raw}, signers: 1,
	}
	f.attributes = [][]byte{attribute(t, atContentType, f.kind), attribute(t, atDigest, asn(4, row.Digest.Sum(f.content)))}
	return f
}

func (f *cmsForge) set(i int, attribute []byte) { f.attributes[i] = attribute }
func (f *cmsForge) add(attribute []byte)        { f.attributes = append(f.attributes, attribute) }

func (f *cmsForge) bytes(t testing.TB) []byte {
	t.Helper()
	signed, octets := []byte(nil), f.content
	if f.attributes != nil {
		octets = asn(0x31, f.attributes...)
		signed = asn(0xa0, f.attributes...)
	}
	value := f.value
	if value == nil {
		value = must2(f.key.Sign(f.key.Algorithm.Digest.Sum(octets)))(t)
	}
	info := asn(0x30, []byte{2, 1, f.version}, f.sid, f.digest, signed, f.algorithm, asn(4, value), f.unsigned)
	return asn(0x30, oid(t, 1, 2, 840, 113549, 1, 7, 2), asn(0xa0, asn(0x30, []byte{2, 1, f.sdVersion}, asn(0x31, f.digest),
		asn(0x30, f.kind, asn(0xa0, asn(4, f.content))), asn(0xa0, f.certs...), asn(0x31, bytes.Repeat(info, f.signers)))))
}

// TestCMSShapes: one trick a row, and the answer.
func TestCMSShapes(t *testing.T) {
	w := newNationalWorld(t)
	rsa, rsa2, g := w.key(t, sigtest.Profile{}), w.key(t, sigtest.Profile{}), w.person(t, gost.CryptoProA())
	sha1, other := algorithm.SHA1(), sha256.Sum256([]byte("another certificate"))
	certV2 := func(parts ...[]byte) []byte {
		return attribute(t, atCertV2, asn(0x30, asn(0x30, asn(0x30, parts...))))
	}
	sum := rsa.Certificate.Fingerprint
	issuerSerial := func(serial []byte) []byte {
		return asn(0x30, asn(0x30, asn(0xa4, rsa.Certificate.RawIssuer)), serial)
	}
	for name, c := range map[string]struct {
		key    *keystore.Key
		change func(f *cmsForge)
		want   verdict.Outcome
		reason verdict.Reason
	}{
		"as it should be":           {rsa, func(f *cmsForge) {}, verdict.Passed, ""},
		"national, bare key":        {g, func(f *cmsForge) { f.algorithm = asn(0x30, oid(t, 1, 2, 398, 3, 10, 1, 1, 1, 1), null) }, verdict.Passed, ""},
		"RSA, bare key":             {rsa, func(f *cmsForge) { f.algorithm = asn(0x30, oid(t, 1, 2, 840, 113549, 1, 1, 1), null) }, verdict.Passed, ""},
		"parameters left out":       {rsa, func(f *cmsForge) { f.digest = asn(0x30, oid(t, 2, 16, 840, 1, 101, 3, 4, 2, 1)) }, verdict.Passed, ""},
		"attributes not in order":   {rsa, func(f *cmsForge) { slices.Reverse(f.attributes) }, verdict.Passed, ""},
		"key identifier":            {rsa, func(f *cmsForge) { f.version, f.sid = 3, asn(0x80, rsa.Certificate.SubjectKeyID) }, verdict.Passed, ""},
		"issuer in capitals":        {rsa, func(f *cmsForge) { f.sid = bytes.Replace(f.sid, []byte("KZ"), []byte("kz"), 1) }, verdict.Passed, ""},
		"an attribute nobody knows": {rsa, func(f *cmsForge) { f.add(attribute(t, asn1.ObjectIdentifier{1, 2, 3}, null, null)) }, verdict.Passed, ""},
		"certificate v2":            {rsa, func(f *cmsForge) { f.add(certV2(asn(4, sum[:]))) }, verdict.Passed, ""},
		"certificate v2, digest named": {rsa, func(f *cmsForge) {
			f.add(certV2(asn(0x30, oid(t, 2, 16, 840, 1, 101, 3, 4, 2, 3), null), asn(4, algorithmSum(t, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, rsa.Certificate.Raw))))
		}, verdict.Passed, ""},
		"certificate v2, issuer": {rsa, func(f *cmsForge) {
			f.add(certV2(asn(4, sum[:]), issuerSerial(encode(t, rsa.Certificate.Serial))))
		}, verdict.Passed, ""},
		"certificate v1": {rsa, func(f *cmsForge) {
			f.add(attribute(t, atCert, asn(0x30, asn(0x30, asn(0x30, asn(4, sha1.Sum(rsa.Certificate.Raw)))))))
		}, verdict.Passed, ""},
		"embedded lists are passed over": {rsa, func(f *cmsForge) {
			f.unsigned = asn(0xa1, attribute(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 24}, asn(0x30)))
		}, verdict.Passed, ""},

		"certificate v2 of another":        {rsa, func(f *cmsForge) { f.add(certV2(asn(4, other[:]))) }, verdict.Failed, verdict.SigConstraintsFailure},
		"certificate v2, serial differs":   {rsa, func(f *cmsForge) { f.add(certV2(asn(4, sum[:]), issuerSerial([]byte{2, 1, 7}))) }, verdict.Failed, verdict.SigConstraintsFailure},
		"certificate v2, digest not known": {rsa, func(f *cmsForge) { f.add(certV2(asn(0x30, oid(t, 1, 2, 3)), asn(4, sum[:]))) }, verdict.Failed, verdict.CryptoConstraintsFailure},
		"certificate v1 of another": {rsa, func(f *cmsForge) {
			f.add(attribute(t, atCert, asn(0x30, asn(0x30, asn(0x30, asn(4, make([]byte, 20)))))))
		}, verdict.Failed, verdict.SigConstraintsFailure},
		"certificate swapped": {rsa, func(f *cmsForge) {
			f.sid, f.certs = asn(0x30, rsa2.Certificate.RawIssuer, encode(t, rsa2.Certificate.Serial)), [][]byte{rsa2.Certificate.Raw}
		}, verdict.Failed, verdict.SigCryptoFailure},
		"certificate missing":                 {rsa, func(f *cmsForge) { f.certs = [][]byte{rsa2.Certificate.Raw} }, verdict.Failed, verdict.NoSigningCertificate},
		"the authority's key as the signer's": {rsa, func(f *cmsForge) { f.version, f.sid = 3, asn(0x80, []byte("nobody")) }, verdict.Failed, verdict.NoSigningCertificate},

		"no attributes":      {rsa, func(f *cmsForge) { f.attributes = nil }, verdict.Failed, verdict.SigConstraintsFailure},
		"no messageDigest":   {rsa, func(f *cmsForge) { f.attributes = f.attributes[:1] }, verdict.Failed, verdict.SigConstraintsFailure},
		"no contentType":     {rsa, func(f *cmsForge) { f.attributes = f.attributes[1:] }, verdict.Failed, verdict.SigConstraintsFailure},
		"other contentType":  {rsa, func(f *cmsForge) { f.set(0, attribute(t, atContentType, oid(t, 1, 2, 3))) }, verdict.Failed, verdict.SigConstraintsFailure},
		"content of another": {rsa, func(f *cmsForge) { f.content = []byte("other") }, verdict.Failed, verdict.HashFailure},
		"a time stamp as a document": {rsa, func(f *cmsForge) {
			f.kind = oid(t, 1, 2, 840, 113549, 1, 9, 16, 1, 4)
			f.set(0, attribute(t, atContentType, f.kind))
		}, verdict.Failed, verdict.SigConstraintsFailure},

		"SHA-1": {rsa, func(f *cmsForge) {
			f.digest = asn(0x30, oid(t, 1, 3, 14, 3, 2, 26), null)
			f.set(1, attribute(t, atDigest, asn(4, sha1.Sum(f.content))))
		}, verdict.Failed, verdict.CryptoConstraintsFailure},
		"SHA-1 with RSA":          {rsa, func(f *cmsForge) { f.algorithm = asn(0x30, oid(t, 1, 2, 840, 113549, 1, 1, 5), null) }, verdict.Failed, verdict.CryptoConstraintsFailure},
		"PSS":                     {rsa, func(f *cmsForge) { f.algorithm = asn(0x30, oid(t, 1, 2, 840, 113549, 1, 1, 10), asn(0x30)) }, verdict.Failed, verdict.CryptoConstraintsFailure},
		"ECDSA":                   {rsa, func(f *cmsForge) { f.algorithm = asn(0x30, oid(t, 1, 2, 840, 10045, 4, 3, 2)) }, verdict.Failed, verdict.CryptoConstraintsFailure},
		"bare key of a curve":     {rsa, func(f *cmsForge) { f.algorithm = asn(0x30, oid(t, 1, 2, 840, 10045, 2, 1)) }, verdict.Failed, verdict.CryptoConstraintsFailure},
		"unknown digest":          {rsa, func(f *cmsForge) { f.digest = asn(0x30, oid(t, 1, 2, 3)) }, verdict.Failed, verdict.CryptoConstraintsFailure},
		"unknown signature":       {rsa, func(f *cmsForge) { f.algorithm = asn(0x30, oid(t, 1, 2, 3)) }, verdict.Failed, verdict.CryptoConstraintsFailure},
		"digest with parameters":  {rsa, func(f *cmsForge) { f.digest = asn(0x30, oid(t, 2, 16, 840, 1, 101, 3, 4, 2, 1), asn(0x30)) }, verdict.Failed, verdict.CryptoConstraintsFailure},
		"digest of another curve": {g, func(f *cmsForge) { f.algorithm = asn(0x30, oid(t, 1, 2, 398, 3, 10, 1, 1, 2, 3, 2), null) }, verdict.Failed, verdict.CryptoConstraintsFailure},
		"national value reversed": {g, func(f *cmsForge) {
			f.value = reversed(must2(g.Sign(g.Algorithm.Digest.Sum(asn(0x31, f.attributes...))))(t))
		}, verdict.Failed, verdict.SigCryptoFailure},
		"no value": {rsa, func(f *cmsForge) { f.value = []byte{} }, verdict.Failed, verdict.SigCryptoFailure},

		"messageDigest twice":       {rsa, func(f *cmsForge) { f.add(f.attributes[1]) }, verdict.Failed, verdict.FormatFailure},
		"messageDigest of two":      {rsa, func(f *cmsForge) { f.set(1, attribute(t, atDigest, asn(4, sum[:]), asn(4, other[:]))) }, verdict.Failed, verdict.FormatFailure},
		"messageDigest of nothing":  {rsa, func(f *cmsForge) { f.set(1, attribute(t, atDigest)) }, verdict.Failed, verdict.FormatFailure},
		"messageDigest empty":       {rsa, func(f *cmsForge) { f.set(1, attribute(t, atDigest, []byte{4, 0})) }, verdict.Failed, verdict.FormatFailure},
		"signingTime of letters":    {rsa, func(f *cmsForge) { f.add(attribute(t, atTime, asn(0x17, []byte("yesterday 12Z")))) }, verdict.Failed, verdict.FormatFailure},
		"attributes of none":        {rsa, func(f *cmsForge) { f.attributes = [][]byte{} }, verdict.Failed, verdict.FormatFailure},
		"version 2":                 {rsa, func(f *cmsForge) { f.version = 2 }, verdict.Failed, verdict.FormatFailure},
		"version 3 with a number":   {rsa, func(f *cmsForge) { f.version = 3 }, verdict.Failed, verdict.FormatFailure},
		"message version 0":         {rsa, func(f *cmsForge) { f.sdVersion = 0 }, verdict.Failed, verdict.FormatFailure},
		"negative serial number":    {rsa, func(f *cmsForge) { f.sid = asn(0x30, rsa.Certificate.RawIssuer, []byte{2, 1, 0xff}) }, verdict.Failed, verdict.FormatFailure},
		"certificate that is none":  {rsa, func(f *cmsForge) { f.certs = append(f.certs, asn(0x30, null)) }, verdict.Failed, verdict.FormatFailure},
		"no signer":                 {rsa, func(f *cmsForge) { f.signers = 0 }, verdict.Failed, verdict.NoSignature},
		"more signers than are let": {rsa, func(f *cmsForge) { f.signers = 17 }, verdict.Failed, verdict.FormatFailure},
		"more certificates than are let": {rsa, func(f *cmsForge) {
			f.certs = slices.Repeat(f.certs, 49)
		}, verdict.Failed, verdict.FormatFailure},
		"something after the unsigned attributes": {rsa, func(f *cmsForge) { f.unsigned = null }, verdict.Failed, verdict.FormatFailure},
		"unsigned attributes of none":             {rsa, func(f *cmsForge) { f.unsigned = asn(0xa1) }, verdict.Failed, verdict.FormatFailure},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t, c.key)
			c.change(f)
			v := w.cms(t, f.bytes(t), nil, now())
			decides(t, v, c.want, c.reason)
			if _, ok := v.Content(); ok != (c.want == verdict.Passed) {
				t.Errorf("content: %v", ok)
			}
		})
	}
}

func algorithmSum(t testing.TB, id asn1.ObjectIdentifier, data []byte) []byte {
	d, ok := algorithm.DigestByOID(id)
	if !ok {
		t.Fatal("no such digest")
	}
	return d.Sum(data)
}

// TestCMSKnownCertificate: a message without certificates needs one that is
// known beforehand, and it is judged as any other.
func TestCMSKnownCertificate(t *testing.T) {
	w := newNationalWorld(t)
	key := w.person(t, gost.TC26A512())
	f := newForge(t, key)
	f.certs = nil
	byNumber := f.bytes(t)
	f.version, f.sid = 3, asn(0x80, key.Certificate.SubjectKeyID)
	byKey := f.bytes(t)
	for _, message := range [][]byte{byNumber, byKey} {
		decides(t, w.cms(t, message, nil, now()), verdict.Failed, verdict.NoSigningCertificate)
	}
	w.trust.AddKnown(key.Certificate)
	for _, message := range [][]byte{byNumber, byKey} {
		decides(t, w.cms(t, message, nil, now()), verdict.Passed, verdict.None)
	}
}

// TestCMSTwoCandidates: an intruder's certificate under the same name does not
// leave the choice to chance.
func TestCMSTwoCandidates(t *testing.T) {
	w := newNationalWorld(t)
	key := w.person(t, gost.TC26A512())
	nationalSerial = key.Certificate.Serial.Int64() - 1
	intruder := issueNational(t, gost.TC26A512(), w.roots[gost.TC26A512()], leafOptions{cn: "ЧУЖОЙ", purposes: []asn1.ObjectIdentifier{purposeMail}}).key
	if intruder.Certificate.Serial.Cmp(key.Certificate.Serial) != 0 {
		t.Fatal("the serial numbers differ")
	}
	f := newForge(t, key)
	f.certs = [][]byte{intruder.Certificate.Raw, key.Certificate.Raw}
	decides(t, w.cms(t, f.bytes(t), nil, now()), verdict.Failed, verdict.NoSigningCertificate)
	f.certs = [][]byte{key.Certificate.Raw, key.Certificate.Raw}
	decides(t, w.cms(t, f.bytes(t), nil, now()), verdict.Passed, verdict.None)
}

// TestCMSStreamed: the wrapping may be BER where the outermost length is
// indefinite, what is signed and who signs may not.
func TestCMSStreamed(t *testing.T) {
	w := newNationalWorld(t)
	f := newForge(t, w.person(t, gost.CryptoProA()))
	m := must2(cms.Parse(f.bytes(t)))(t)
	open := func(tag byte, parts ...[]byte) []byte {
		return slices.Concat([]byte{tag, 0x80}, slices.Concat(parts...), []byte{0, 0})
	}
	half := len(f.content) / 2
	stream := func(certs, signers []byte) []byte {
		return open(0x30, oid(t, 1, 2, 840, 113549, 1, 7, 2), open(0xa0, open(0x30, []byte{2, 1, 1}, asn(0x31, f.digest),
			open(0x30, f.kind, open(0xa0, open(0x24, asn(4, f.content[:half]), asn(4, f.content[half:])))), certs, signers)))
	}
	good := stream(asn(0xa0, f.certs[0]), asn(0x31, m.Signers[0].Raw))
	v := w.cms(t, good, nil, now())
	decides(t, v, verdict.Passed, verdict.None)
	if content, ok := v.Content(); !ok || string(content.Bytes()) != text {
		t.Errorf("content %v", ok)
	}
	signer := m.Signers[0].Raw
	long := slices.Concat([]byte{0x30, 0x82, 0}, signer[2:]) // the length in more bytes than it needs
	if signer[1] != 0x81 {
		t.Fatalf("the signer's length has the form %#x", signer[1])
	}
	for name, bad := range map[string][]byte{
		"signer":      stream(asn(0xa0, f.certs[0]), asn(0x31, long)),
		"certificate": stream(asn(0xa0, open(0x30, f.certs[0][4:])), asn(0x31, signer)),
		"after":       append(bytes.Clone(good), 0),
		"cut":         good[:len(good)-2],
	} {
		v := w.cms(t, bad, nil, now())
		if decides(t, v, verdict.Failed, verdict.FormatFailure); v.Detail == "" {
			t.Errorf("%s: no word on what is wrong", name)
		}
	}
	// Under a definite outermost length nothing is BER.
	definite := asn(0x30, oid(t, 1, 2, 840, 113549, 1, 7, 2), good[13:len(good)-2])
	decides(t, w.cms(t, definite, nil, now()), verdict.Failed, verdict.FormatFailure)
}
