package main

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"kopir/signature"
	"kopir/signature/verdict"
)

// secondOpinion asks another implementation whether the one signature of a
// document fits the document and the certificate that the verdict names.
// Nothing hangs on the answer: it is there for people who wonder. goxmldsig
// judges enveloped signatures with RSA or ECDSA on the root, of documents of up
// to about a thousand elements, and neither chain nor revocation.
func secondOpinion(src []byte, v *signature.Verdict, at time.Time) string {
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(src); err != nil || doc.Root() == nil {
		return fmt.Sprintf("goxmldsig was not asked: etree does not read the document (%v)", err)
	}
	cert, err := opinionCertificate(doc, v)
	if err != nil {
		return fmt.Sprintf("goxmldsig was not asked: it judges one signature by a certificate, and %v", err)
	}
	ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
	ctx.Clock = dsig.NewFakeClockAt(at)
	_, err = ctx.Validate(doc.Root())
	fits := !failedIn(v, verdict.CheckFormat, verdict.CheckAlgorithms, verdict.CheckReferences, verdict.CheckDigest, verdict.CheckSignature)
	switch {
	case err == nil && fits:
		return "goxmldsig agrees: the signature fits"
	case err == nil:
		return "goxmldsig differs: it finds that the signature fits"
	case fits:
		return fmt.Sprintf("goxmldsig differs: %v", err)
	default:
		return fmt.Sprintf("goxmldsig agrees: %v", err)
	}
}

// opinionCertificate is the certificate of the verdict, or, where the verdict
// ended before one was looked for, the one in the document.
func opinionCertificate(doc *etree.Document, v *signature.Verdict) (*x509.Certificate, error) {
	if len(v.Signatures) != 1 {
		return nil, errors.New("there are several signatures")
	}
	if c := v.Signatures[0].Certificate; c != nil {
		return x509.ParseCertificate(c.Raw)
	}
	e := doc.Root().FindElement(".//X509Certificate")
	if e == nil {
		return nil, errors.New("there is none")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.Text()), ""))
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(raw)
}

// failedIn: one of the named checks failed.
func failedIn(v *signature.Verdict, names ...string) bool {
	for _, c := range v.Signatures[0].Checks {
		for _, name := range names {
			if c.Name == name && c.Outcome == verdict.Failed {
				return true
			}
		}
	}
	return false
}
