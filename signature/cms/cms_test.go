package cms

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"kopir/signature/der"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
)

func certificate(t testing.TB) *nuc.Certificate {
	t.Helper()
	a, err := sigtest.NewAuthority("", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := nuc.ParseCertificate(a.Issuing())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var sha256OID = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}

// draft is a message whose signature value is nonsense, which this package
// does not look at.
func draft(t testing.TB, kind string, content []byte) []byte {
	t.Helper()
	d := Draft{
		Certificate: certificate(t), Digest: sha256OID, Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11},
		ContentType: kind, MessageDigest: make([]byte, 32), CertDigest: make([]byte, 32),
		SigningTime: time.Date(2050, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	attributes, err := d.Attributes()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := d.SignerInfo(attributes, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := d.Marshal(content, signer)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestWriteAndRead(t *testing.T) {
	for _, content := range [][]byte{nil, {}, []byte("content"), make([]byte, 70000), make([]byte, 1<<24)} {
		m, err := Parse(draft(t, TypeData, content))
		if err != nil {
			t.Fatal(err)
		}
		s := m.Signers[0]
		if m.Attached != (content != nil) || !bytes.Equal(m.Content, content) || m.Version != 1 || len(m.Certificates) != 1 {
			t.Errorf("%d bytes: attached %v, version %d", len(content), m.Attached, m.Version)
		}
		if s.ContentType != TypeData || !s.SigningTime.Equal(time.Date(2050, 1, 2, 3, 4, 5, 0, time.UTC)) || len(s.CertIDsV2) != 1 || string(s.Value) != "value" {
			t.Errorf("%+v", s)
		}
		if s.SignedBytes[0] != der.Set || len(s.Tokens()) != 0 {
			t.Errorf("signed bytes %x", s.SignedBytes[:2])
		}
	}
}

// TestFaultsSayWhere: which object, which field, which offset.
func TestFaultsSayWhere(t *testing.T) {
	good := draft(t, TypeData, []byte("content"))
	change := func(old, new []byte) []byte {
		t.Helper()
		if bytes.Count(good, old) == 0 || len(old) != len(new) {
			t.Fatalf("%x is not there", old)
		}
		return bytes.Replace(bytes.Clone(good), old, new, 1)
	}
	content := []byte("\x04\x07content")
	for name, c := range map[string]struct {
		raw   []byte
		where string // of the message
	}{
		"nothing":            {nil, "CMS message: offset 0: missing"},
		"bytes after":        {append(bytes.Clone(good), 7), "1 bytes follow"},
		"not signed data":    {change([]byte{0x0d, 1, 7, 2}, []byte{0x0d, 1, 7, 3}), "contentType at offset 4: 1.2.840.113549.1.7.3 is not signed data"},
		"content tag":        {change(content, []byte("\x05\x07content")), "eContent at offset"},
		"length not minimal": {change([]byte("\xa0\x09\x04\x07content"), []byte("\xa0\x81\x09\x04\x07conten")), "length is not in its shortest form"},
		"length too long":    {change(content, []byte("\x04\x0acontent")), "says 10 bytes"},
	} {
		_, err := Parse(c.raw)
		var fault *der.Error
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), c.where) {
			t.Errorf("%s: %v, want %s", name, err, c.where)
		}
	}
	for i := range good {
		if _, err := Parse(good[:i]); err == nil {
			t.Fatalf("reads when cut at %d", i)
		}
	}
	if _, err := Parse(make([]byte, MaxMessage+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too large: %v", err)
	}
}

// stamp is a TSTInfo with one part replaced.
func stamp(t testing.TB, parts map[string][]byte, more ...[]byte) []byte {
	t.Helper()
	pick := func(name string, usual []byte) []byte {
		if p, ok := parts[name]; ok {
			return p
		}
		return usual
	}
	alg, err := algorithmDER(sha256OID)
	if err != nil {
		t.Fatal(err)
	}
	list := [][]byte{
		pick("version", []byte{2, 1, 1}), pick("policy", []byte{6, 2, 0x2a, 3}),
		pick("imprint", tlv(der.Sequence, alg, tlv(der.OctetString, make([]byte, 32)))),
		pick("serial", []byte{2, 1, 9}), pick("time", tlv(der.GeneralizedTime, []byte("20261125060000Z"))),
	}
	return tlv(der.Sequence, append(list, more...)...)
}

func TestTSTInfo(t *testing.T) {
	at := func(text string) map[string][]byte {
		return map[string][]byte{"time": tlv(der.GeneralizedTime, []byte(text))}
	}
	no := map[string][]byte(nil)
	extension := func(critical byte) []byte {
		return tlv(der.ContextConstructed(1), tlv(der.Sequence, []byte{6, 1, 0x2a, 1, 1, critical}, []byte{4, 0}))
	}
	for name, c := range map[string]struct {
		raw  []byte
		good bool
	}{
		"as it should be":      {stamp(t, no), true},
		"fraction":             {stamp(t, at("20261125060000.123456789Z")), true},
		"one digit":            {stamp(t, at("20261125060000.5Z")), true},
		"zero behind":          {stamp(t, at("20261125060000.50Z")), false},
		"no digit":             {stamp(t, at("20261125060000.Z")), false},
		"a letter":             {stamp(t, at("20261125060000.5xZ")), false},
		"ten digits":           {stamp(t, at("20261125060000.1234567891Z")), false},
		"no zone":              {stamp(t, at("20261125060000")), false},
		"another zone":         {stamp(t, at("20261125060000+0500")), false},
		"no such day":          {stamp(t, at("20260231060000.1Z")), false},
		"UTCTime":              {stamp(t, map[string][]byte{"time": tlv(der.UTCTime, []byte("261125060000Z"))}), false},
		"accuracy":             {stamp(t, no, tlv(der.Sequence, []byte{2, 1, 1}, []byte{0x80, 2, 1, 0xf4}, []byte{0x81, 1, 100})), true},
		"accuracy of 1000 ms":  {stamp(t, no, tlv(der.Sequence, []byte{0x80, 2, 3, 0xe8})), false},
		"accuracy of nothing":  {stamp(t, no, tlv(der.Sequence, []byte{0x80, 1, 0})), false},
		"ordered":              {stamp(t, no, []byte{1, 1, 0xff}), true},
		"default written out":  {stamp(t, no, []byte{1, 1, 0}), false},
		"negative nonce":       {stamp(t, no, []byte{2, 1, 0x85}), true},
		"nonce not minimal":    {stamp(t, no, []byte{2, 2, 0, 5}), false},
		"nonce not minimal, −": {stamp(t, no, []byte{2, 2, 0xff, 0x85}), false},
		"nonce of 22 bytes":    {stamp(t, no, tlv(der.Integer, bytes.Repeat([]byte{1}, 22))), false},
		"nonce before order":   {stamp(t, no, []byte{2, 1, 5}, []byte{1, 1, 0xff}), false},
		"extension":            {stamp(t, no, extension(0)), true},
		"critical extension":   {stamp(t, no, extension(0xff)), true}, // read, and refused by the judge
		"no extension":         {stamp(t, no, tlv(der.ContextConstructed(1))), false},
		"name":                 {stamp(t, no, tlv(der.ContextConstructed(0), tlv(der.ContextConstructed(4), certificate(t).RawSubject))), true},
		"name of another kind": {stamp(t, no, tlv(der.ContextConstructed(0), []byte{0x82, 1, 'a'})), true},
		"two names":            {stamp(t, no, tlv(der.ContextConstructed(0), []byte{0x82, 1, 'a', 0x82, 1, 'a'})), false},
		"version 2":            {stamp(t, map[string][]byte{"version": {2, 1, 2}}), false},
		"imprint of nothing":   {stamp(t, map[string][]byte{"imprint": tlv(der.Sequence, []byte{0x30, 3, 6, 1, 0x2a}, []byte{4, 0})}), false},
		"something after":      {stamp(t, no, []byte{5, 0}), false},
		"bytes after":          {append(stamp(t, no), 0), false},
	} {
		_, err := ParseToken(draft(t, TypeTSTInfo, c.raw))
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "TSTInfo") {
			t.Errorf("%s: does not say what is wrong: %v", name, err)
		}
	}
	for name, raw := range map[string][]byte{"document": draft(t, TypeData, stamp(t, no)), "detached": draft(t, TypeTSTInfo, nil)} {
		if _, err := ParseToken(raw); err == nil {
			t.Errorf("%s: taken for a time stamp", name)
		}
	}
	token, err := ParseToken(draft(t, TypeTSTInfo, stamp(t, at("20261125060000.000001Z"))))
	if err != nil || token.Info.Time.Nanosecond() != 1000 {
		t.Errorf("%v %v", token, err)
	}
}

func TestResponses(t *testing.T) {
	token := draft(t, TypeTSTInfo, stamp(t, nil))
	granted := []byte{0x30, 3, 2, 1, 0}
	for name, c := range map[string]struct {
		raw  []byte
		good bool
	}{
		"granted":               {MarshalGranted(token), true},
		"with changes":          {tlv(der.Sequence, []byte{0x30, 3, 2, 1, 1}, token), true},
		"rejected":              {MarshalRejected("busy"), true},
		"rejected, with reason": {tlv(der.Sequence, tlv(der.Sequence, []byte{2, 1, 2}, []byte{3, 2, 5, 0x20})), true},
		"granted, no token":     {tlv(der.Sequence, granted), false},
		"rejected, with token":  {tlv(der.Sequence, []byte{0x30, 3, 2, 1, 2}, token), false},
		"negative status":       {tlv(der.Sequence, []byte{0x30, 3, 2, 1, 0xff}), false},
		"bytes after":           {append(MarshalGranted(token), 0), false},
		"something after":       {tlv(der.Sequence, granted, token, []byte{5, 0}), false},
		"two texts":             {tlv(der.Sequence, tlv(der.Sequence, []byte{2, 1, 2}, tlv(der.Sequence, []byte{12, 1, 'a', 12, 1, 'b'}))), true},
		"text of another kind":  {tlv(der.Sequence, tlv(der.Sequence, []byte{2, 1, 2}, tlv(der.Sequence, []byte{4, 1, 'a'}))), false},
	} {
		r, err := ParseResponse(c.raw)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		if name == "rejected" && (r.Text != "busy" || r.Status.Granted()) || name == "rejected, with reason" && r.Failures != 1<<2 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if IsResponse(token) || !IsResponse(MarshalGranted(token)) {
		t.Error("a token and an answer are not told apart")
	}
	request := Request{Imprint: Imprint{Hash: nuc.NewAlgorithm(sha256OID), Digest: make([]byte, 32)}, Nonce: big.NewInt(-1)}
	raw, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := ParseRequest(raw); err != nil || r.Nonce.Sign() >= 0 || r.Certificate || r.Policy != "" {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := ParseRequest(append(raw, 0)); err == nil {
		t.Error("a request with bytes after it")
	}
}
