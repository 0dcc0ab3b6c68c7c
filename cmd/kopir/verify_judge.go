package main

import (
	"context"
	"errors"

	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// judge is a verifier made of the files that the flags name.
type judge struct {
	verifier signature.Verifier
	stored   *revocation.Checker // what -crl and -ocsp name; nil without them
	detached []byte              // what -detached names; nil without it
	o        *verifyOptions
}

func newJudge(o *verifyOptions) (*judge, error) {
	trust, _, err := o.trust.load()
	j, more := newJudgeOver(o, trust)
	return j, errors.Join(err, more)
}

// newJudgeOver is newJudge with a trust that was made elsewhere.
func newJudgeOver(o *verifyOptions, trust *nuc.Trust) (*judge, error) {
	j := &judge{o: o}
	var faults []error
	for _, path := range o.cert {
		certs, err := nuc.LoadCertificates(path)
		if err != nil {
			faults = append(faults, err)
		}
		for _, c := range certs {
			trust.AddKnown(c)
		}
	}
	if err := j.readDetached(); err != nil {
		faults = append(faults, err)
	}
	checker, err := storedEvidence(o)
	if err != nil {
		faults = append(faults, err)
	}
	j.verifier.Trust, j.stored = trust, checker
	if checker != nil {
		j.verifier.Revocation = checker
	}
	switch o.revocation {
	case "chain":
		j.verifier.Revoke = signature.RevokeChain
	case "off":
		j.verifier.Revoke = signature.RevokeOff
	}
	return j, errors.Join(faults...)
}

// formatOf finds out what the bytes are, if it is not said. XML of either kind
// is told apart when it has been read.
func (j *judge) formatOf(src []byte) string {
	if j.o.format != "auto" {
		return j.o.format
	}
	for _, find := range []func([]byte) string{cmsFormat, pkiFormat} {
		if found := find(src); found != "" {
			return found
		}
	}
	return "auto"
}

// fits is an error if a flag means nothing for what the bytes are.
func (j *judge) fits(src []byte) error {
	format := j.formatOf(src)
	switch {
	case j.o.detached != "" && format != "cms" && format != "tsp":
		return errors.New("-detached names the content of a CMS message or of a time stamp, and the file is neither")
	case j.o.want.AtStamp && format != "cms" && format != "xmldsig" && format != "auto":
		return errors.New("-at stamp belongs to CMS messages and XML documents, and the file is neither")
	}
	return nil
}

// judge judges the bytes. Those that are not what they should be are a verdict
// too, not an error.
func (j *judge) judge(ctx context.Context, src []byte) *signature.Verdict {
	format := j.formatOf(src)
	switch format {
	case "cms", "tsp":
		return j.judgeCMS(ctx, format, src)
	case "cert", "crl", "ocsp":
		return j.judgePKI(ctx, format, src)
	}
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		return unreadable(err)
	}
	if format == "auto" {
		format = "xmldsig"
		if looksLikeSOAP(doc.Root()) {
			format = "wsse"
		}
	}
	if format == "wsse" {
		return j.verifier.WSSE(ctx, doc, j.o.want)
	}
	return j.verifier.XMLDSig(ctx, doc, j.o.want)
}

// looksLikeSOAP: an Envelope with a Header or a Body, in whatever namespace.
// One that is not quite a SOAP message must not pass by being judged as
// another kind of document.
func looksLikeSOAP(root xmltree.Node) bool {
	if root.Local() != "Envelope" {
		return false
	}
	for c := range root.Elements() {
		if name := c.Local(); name == "Header" || name == "Body" {
			return true
		}
	}
	return false
}

// unreadable is the verdict about bytes in which no signature can be looked for.
func unreadable(err error) *signature.Verdict {
	detail := oneLine(err)
	return &signature.Verdict{
		Outcome: verdict.Failed, Reason: verdict.FormatFailure, Detail: detail,
		Signatures: []signature.SignatureVerdict{{
			Outcome: verdict.Failed, Reason: verdict.FormatFailure,
			Checks: []verdict.Check{verdict.Fail(verdict.CheckFormat, verdict.FormatFailure, detail)},
		}},
	}
}
