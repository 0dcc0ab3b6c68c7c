package signature

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// answers gives one prepared answer after the other.
type answers struct {
	list  []verdict.Check
	asked []string
}

func (a *answers) Check(_ context.Context, leaf, issuer *nuc.Certificate, _ time.Time) verdict.Check {
	a.asked = append(a.asked, leaf.SubjectName.String()+" by "+issuer.SubjectName.String())
	return a.list[min(len(a.asked), len(a.list))-1]
}

func signed(t *testing.T, key *keystore.Key) []byte {
	t.Helper()
	out, err := SignWSSE([]byte(envelope), key, SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRevocation(t *testing.T) {
	w := newWorld(t)
	src := signed(t, w.key(t, sigtest.Profile{}))
	pass := verdict.Pass(verdict.CheckRevocation, "good")
	revoked := verdict.Fail(verdict.CheckRevocation, verdict.Revoked, "revoked")
	later := verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, "the responder is down")
	for name, c := range map[string]struct {
		scope   Scope
		list    []verdict.Check
		outcome verdict.Outcome
		reason  verdict.Reason
		asked   int
	}{
		"good":                     {RevokeLeaf, []verdict.Check{pass}, verdict.Passed, verdict.None, 1},
		"revoked":                  {RevokeLeaf, []verdict.Check{revoked}, verdict.Failed, verdict.Revoked, 1},
		"not known":                {RevokeLeaf, []verdict.Check{later}, verdict.Undetermined, verdict.TryLater, 1},
		"chain good":               {RevokeChain, []verdict.Check{pass, pass}, verdict.Passed, verdict.None, 2},
		"chain, authority revoked": {RevokeChain, []verdict.Check{pass, revoked}, verdict.Failed, verdict.Revoked, 2},
		"chain, authority unknown": {RevokeChain, []verdict.Check{pass, later}, verdict.Undetermined, verdict.TryLater, 2},
		"chain, signer unknown":    {RevokeChain, []verdict.Check{later}, verdict.Undetermined, verdict.TryLater, 1},
		"off":                      {RevokeOff, nil, verdict.Passed, verdict.None, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answers{list: c.list}
			w := &world{verifier: &Verifier{Trust: w.trust, Revocation: a, Revoke: c.scope}}
			v := w.wsse(t, src, now())
			if v.Outcome != c.outcome || v.Reason != c.reason || len(a.asked) != c.asked {
				t.Errorf("asked %v: %s", a.asked, explain(v))
			}
			if _, ok := v.Content(); ok != (c.outcome == verdict.Passed) {
				t.Errorf("content: %v", ok)
			}
		})
	}
	t.Run("no source", func(t *testing.T) {
		w := &world{verifier: &Verifier{Trust: w.trust}}
		if v := w.wsse(t, src, now()); v.Outcome != verdict.Undetermined || v.Reason != verdict.TryLater {
			t.Error(explain(v))
		}
	})
	t.Run("not asked when it cannot help", func(t *testing.T) {
		a := &answers{list: []verdict.Check{pass}}
		w := &world{verifier: &Verifier{Trust: w.trust, Revocation: a}}
		for _, want := range []Want{
			{At: now().At, IIN: "850505400454"}, {At: now().At, BIN: "990140000008"},
			{At: now().At.AddDate(5, 0, 0)}, {},
		} {
			if v := w.wsse(t, src, want); v.Outcome != verdict.Failed {
				t.Errorf("%+v: %s", want, explain(v))
			}
		}
		if len(a.asked) > 0 {
			t.Errorf("asked about %v", a.asked)
		}
	})
}

func TestZeroVerifierTrustsNobody(t *testing.T) {
	w := newWorld(t)
	src := signed(t, w.key(t, sigtest.Profile{}))
	nobody := &world{verifier: &Verifier{}}
	if v := nobody.wsse(t, src, now()); v.Outcome == verdict.Passed || v.Reason != verdict.NoCertificateChain {
		t.Error(explain(v))
	}
	var zero Verdict
	if _, ok := zero.Content(); ok || zero.Outcome == verdict.Passed {
		t.Error("the zero verdict hands something out")
	}
	raw, err := zero.MarshalJSON()
	if err != nil || !strings.Contains(string(raw), `"INDETERMINATE"`) || !strings.Contains(string(raw), `"signatures":[]`) {
		t.Errorf("%s %v", raw, err)
	}
}

func TestWant(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		profile sigtest.Profile
		want    Want
		reason  verdict.Reason
	}{
		"both":       {sigtest.Profile{}, Want{IIN: testIIN, BIN: testBIN}, verdict.None},
		"other IIN":  {sigtest.Profile{}, Want{IIN: "850505400454"}, verdict.IINMismatch},
		"other BIN":  {sigtest.Profile{}, Want{BIN: "990140000008"}, verdict.BINMismatch},
		"no BIN":     {sigtest.Profile{Kind: sigtest.Person}, Want{BIN: testBIN}, verdict.BINMismatch},
		"system":     {sigtest.Profile{Kind: sigtest.System, CommonName: "ИС"}, Want{BIN: testBIN}, verdict.None},
		"system IIN": {sigtest.Profile{Kind: sigtest.System, CommonName: "ИС"}, Want{IIN: testIIN}, verdict.IINMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.At = now().At
			v := w.wsse(t, signed(t, w.key(t, c.profile)), c.want)
			if v.Reason != c.reason || (v.Outcome == verdict.Passed) != (c.reason == verdict.None) {
				t.Error(explain(v))
			}
		})
	}
}

// impostor makes a certificate with the names of another, signed by whom one likes.
func impostor(t *testing.T, victim *nuc.Certificate, issuerName []byte, ca bool, signer *rsa.PrivateKey, key *rsa.PrivateKey) *nuc.Certificate {
	t.Helper()
	parent := &x509.Certificate{RawSubject: issuerName}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: victim.Serial, RawSubject: victim.RawSubject, NotBefore: victim.NotBefore, NotAfter: victim.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment, BasicConstraintsValid: true, IsCA: ca,
	}, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return certificate(t, der)
}

func TestImpostors(t *testing.T) {
	w := newWorld(t)
	honest := w.key(t, sigtest.Profile{})
	mine, err := sigtest.PoolKey(30)
	if err != nil {
		t.Fatal(err)
	}
	leafKey, err := sigtest.PoolKey(29)
	if err != nil {
		t.Fatal(err)
	}
	leaf := w.key(t, sigtest.Profile{Key: leafKey})
	for name, c := range map[string]*nuc.Certificate{
		"self-signed with the same subject":   impostor(t, honest.Certificate, honest.Certificate.RawSubject, false, mine, mine),
		"the authority's name, another key":   impostor(t, honest.Certificate, honest.Certificate.RawIssuer, false, mine, mine),
		"issued by a signer, not authority":   impostor(t, honest.Certificate, leaf.Certificate.RawSubject, false, leafKey, mine),
		"calls itself authority, not chained": impostor(t, honest.Certificate, honest.Certificate.RawSubject, true, mine, mine),
	} {
		t.Run(name, func(t *testing.T) {
			key, err := keystore.NewKey(c, mine)
			if err != nil {
				t.Fatal(err)
			}
			// As it comes, and with the honest signer's and its authority's beside it.
			src := signed(t, key)
			v := w.wsse(t, src, now())
			if v.Outcome == verdict.Passed {
				t.Fatal("passes")
			}
			t.Log(explain(v))
			f := forger{t, key, mine}
			more := f.x509()
			for _, extra := range []*nuc.Certificate{leaf.Certificate, certificate(t, w.authority.Issuing())} {
				more = strings.Replace(more, "</ds:X509Data>", certificateText(extra)+"</ds:X509Data>", 1)
			}
			doc := f.sign("<a>" + signatureText(info(methodRSA, ref("", transform(uriEnveloped))), more) + "</a>")
			if v := w.xmldsig(t, []byte(doc), now()); v.Outcome == verdict.Passed {
				t.Fatalf("passes with others beside it: %s", doc)
			}
		})
	}
}

// An authority that comes with the message may stand between, and nothing is
// remembered of it.
func TestAuthorityInMessage(t *testing.T) {
	w := newWorld(t)
	f := w.forger(t, sigtest.Profile{})
	trust := nuc.NewTrust()
	if err := trust.AddRoot(certificate(t, w.authority.Root())); err != nil {
		t.Fatal(err)
	}
	rootOnly := &world{verifier: &Verifier{Trust: trust, Revocation: &good{}}}
	with := strings.Replace(f.x509(), "</ds:X509Data>", certificateText(certificate(t, w.authority.Issuing()))+"</ds:X509Data>", 1)
	make := func(keyInfo string) []byte {
		return []byte(f.sign("<a>" + signatureText(info(methodRSA, ref("", transform(uriEnveloped))), keyInfo) + "</a>"))
	}
	for i := 0; i < 2; i++ {
		if v := rootOnly.xmldsig(t, make(with), now()); v.Outcome != verdict.Passed {
			t.Error(explain(v))
		}
		if v := rootOnly.xmldsig(t, make(f.x509()), now()); v.Outcome == verdict.Passed || v.Reason != verdict.NoCertificateChain {
			t.Error(explain(v))
		}
	}
	// The other way round: all in the wrong order, still one leaf.
	swapped := x509DataText(certificateText(certificate(t, w.authority.Root())))
	for _, c := range []*nuc.Certificate{certificate(t, w.authority.Issuing()), f.key.Certificate} {
		swapped = strings.Replace(swapped, "</ds:X509Data>", certificateText(c)+"</ds:X509Data>", 1)
	}
	if v := rootOnly.xmldsig(t, make(swapped), now()); v.Outcome != verdict.Passed {
		t.Error(explain(v))
	}
}

// Names of a certificate that the receiver knows beforehand, and names beside
// the certificate itself.
func TestNamesOfCertificates(t *testing.T) {
	w := newWorld(t)
	f := w.forger(t, sigtest.Profile{})
	w.trust.AddKnown(f.key.Certificate)
	other := w.key(t, sigtest.Profile{IIN: "850505400454", Surname: "ДРУГОЙ"})
	w.trust.AddKnown(other.Certificate)
	c := f.key.Certificate
	sum := c.Thumbprint()
	str := func(valueType string, raw []byte) string {
		return `<wsse:SecurityTokenReference xmlns:wsse="` + nsWSSE + `"><wsse:KeyIdentifier ValueType="` + valueType + `">` + strictBase64.EncodeToString(raw) + `</wsse:KeyIdentifier></wsse:SecurityTokenReference>`
	}
	serial := func(issuer, number string) string {
		return "<ds:X509IssuerSerial><ds:X509IssuerName>" + escapeText(issuer) + "</ds:X509IssuerName><ds:X509SerialNumber>" + number + "</ds:X509SerialNumber></ds:X509IssuerSerial>"
	}
	ski := "<ds:X509SKI>" + strictBase64.EncodeToString(c.SubjectKeyID) + "</ds:X509SKI>"
	subject := "<ds:X509SubjectName>" + escapeText(c.SubjectName.RFC4514()) + "</ds:X509SubjectName>"
	carried := strings.TrimSuffix(strings.TrimPrefix(f.x509(), "<ds:X509Data>"), "</ds:X509Data>")
	data := func(s string) string { return "<ds:X509Data>" + s + "</ds:X509Data>" }
	for name, k := range map[string]struct {
		keyInfo string
		reason  verdict.Reason
	}{
		"key identifier":                {str(typeSKI, c.SubjectKeyID), verdict.None},
		"thumbprint":                    {str(typeThumbprint, sum[:]), verdict.None},
		"unknown thumbprint":            {str(typeThumbprint, make([]byte, 20)), verdict.NoSigningCertificate},
		"unknown type":                  {str("urn:x", c.Raw), verdict.NoSigningCertificate},
		"serial":                        {data(serial(c.IssuerName.RFC4514(), c.Serial.String())), verdict.None},
		"serial, as encoded":            {data(serial(c.IssuerName.String(), c.Serial.String())), verdict.None},
		"serial, with white space":      {data(serial(c.IssuerName.RFC4514(), "\n "+c.Serial.String()+" ")), verdict.None},
		"serial in hex":                 {data(serial(c.IssuerName.RFC4514(), "0x10")), verdict.FormatFailure},
		"serial of another":             {data(serial(c.IssuerName.RFC4514(), other.Certificate.Serial.String())), verdict.SigCryptoFailure},
		"serial, unknown":               {data(serial(c.IssuerName.RFC4514(), new(big.Int).Add(c.Serial, big.NewInt(1)).String())), verdict.NoSigningCertificate},
		"SKI":                           {data(ski), verdict.None},
		"subject":                       {data(subject), verdict.None},
		"all names":                     {data(serial(c.IssuerName.RFC4514(), c.Serial.String()) + ski + subject), verdict.None},
		"all and the certificate":       {data(carried + serial(c.IssuerName.RFC4514(), c.Serial.String()) + ski + subject), verdict.None},
		"the certificate twice":         {data(carried + carried), verdict.None},
		"certificate, another's serial": {data(carried + serial(c.IssuerName.RFC4514(), "1")), verdict.NoSigningCertificate},
		"serial of two":                 {data(serial(c.IssuerName.RFC4514(), c.Serial.String()) + "<ds:X509SKI>" + strictBase64.EncodeToString(other.Certificate.SubjectKeyID) + "</ds:X509SKI>"), verdict.NoSigningCertificate},
		"with its own key value":        {data(carried) + ownKeyValue(f), verdict.None},
		"with a name for people":        {"<ds:KeyName>signer</ds:KeyName>" + data(carried), verdict.None},
		"with a list":                   {data(carried + "<ds:X509CRL>AAAA</ds:X509CRL>"), verdict.None},
		"nothing in it":                 {data(""), verdict.NoSigningCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			src := f.sign(message(security(signatureText(info(methodRSA, bodyRef()), k.keyInfo)), body("id-body", payload)))
			v := w.wsse(t, []byte(src), now())
			if v.Reason != k.reason || (v.Outcome == verdict.Passed) != (k.reason == verdict.None) {
				t.Error(explain(v))
			}
		})
	}
}

func ownKeyValue(f forger) string {
	return "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>" + strictBase64.EncodeToString(f.raw.N.Bytes()) + "</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
}

// Parts within each other: the outermost is the content. Parts beside each
// other: none is.
func TestContentOfSeveralReferences(t *testing.T) {
	w := newWorld(t)
	f := w.forger(t, sigtest.Profile{})
	src := func(references ...string) []byte {
		return []byte(f.sign(`<r><a Id="a"><b Id="b">1</b></a><c Id="c">2</c>` + signatureText(info(methodRSA, references...), f.x509()) + "</r>"))
	}
	a, b, c, whole := ref("#a", transform(uriExc)), ref("#b", transform(uriExc)), ref("#c", transform(uriExc)), ref("", transform(uriEnveloped))
	for name, k := range map[string]struct {
		src     []byte
		content string // empty: none
	}{
		"inner first":  {src(b, a), `<a Id="a"><b Id="b">1</b></a>`},
		"outer first":  {src(a, b), `<a Id="a"><b Id="b">1</b></a>`},
		"twice":        {src(a, a), `<a Id="a"><b Id="b">1</b></a>`},
		"whole last":   {src(c, b, whole), `<r><a Id="a"><b Id="b">1</b></a><c Id="c">2</c></r>`},
		"whole first":  {src(whole, b, c), `<r><a Id="a"><b Id="b">1</b></a><c Id="c">2</c></r>`},
		"beside":       {src(a, c), ""},
		"beside, more": {src(b, c, a), ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.xmldsig(t, k.src, now())
			if v.Outcome != verdict.Passed {
				t.Fatal(explain(v))
			}
			content, ok := v.Content()
			if ok != (k.content != "") || string(content.Bytes()) != k.content {
				t.Errorf("%v %s", ok, content.Bytes())
			}
		})
	}
}
