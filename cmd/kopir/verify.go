package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"kopir/signature"
	"kopir/signature/verdict"
)

const verifyUsage = `usage: kopir verify [flags] FILE|-

Judges the signatures of a file and prints the verdict as JSON on standard output.

  -format F      auto (the default), wsse (SOAP message with WS-Security),
                 xmldsig (signed XML document), cms (CMS or CAdES message), tsp (time
                 stamp, or the answer with one), cert, crl, ocsp. CMS and time stamps
                 in DER, PEM or base64
  -detached FILE what is signed, of a CMS message that does not carry it; or what
                 a time stamp is over
  -trust PATH    file or folder of certificates, PEM or DER; self-signed ones are
                 roots, the others intermediates. Repeatable; without it nothing passes
  -bundle FILE   a signed trust bundle (kopir trust -h), believed under -bundle-key
  -bundle-key F  fingerprint of the key that signs the bundle. Repeatable
  -cert FILE     certificates known beforehand, for messages that only name
                 theirs (issuer and serial number, key identifier, thumbprint). Repeatable
  -crl FILE      a stored revocation list. Repeatable
  -ocsp FILE     a stored OCSP answer. Repeatable
  -revocation R  leaf: the signer's status must be known (the default); chain:
                 the intermediates' too; off: not asked, shown as skipped
  -at TIME       time of judgement, RFC 3339 (2026-11-25T06:00:00Z); default: now.
                 stamp: each signature of CMS or of an XML document (XAdES-T) at the time
                 of the trusted time stamp over it; without one it stays INDETERMINATE
  -iin N, -bin N the number that the signer's certificate must have
  -content FILE  on a pass, write the verified bytes there, and nothing else
  -explain       say in words on standard error what was checked
  -lang L        of these words: ru, kk or en; default: that of the locale, else en
  -second-opinion
                 say on standard error what goxmldsig finds (enveloped
                 signatures only); the verdict does not hang on it

Nothing is fetched from the network.

Exit status: 0 TOTAL_PASSED, 1 TOTAL_FAILED, 3 INDETERMINATE, 2 wrong use or a
file that cannot be read.
`

// files is a flag that may be given several times.
type files []string

func (f *files) String() string     { return strings.Join(*f, ",") }
func (f *files) Set(s string) error { *f = append(*f, s); return nil }

// verifyOptions is what the flags say.
type verifyOptions struct {
	format, revocation, at, content, detached string
	trust                                     trustFlags
	cert, crl, ocsp                           files
	want                                      signature.Want
	explain, opinion                          bool
	lang                                      string
}

func runVerify(ctx context.Context, args []string, s stdio) int {
	o, name, code := readVerifyFlags(args, s)
	if o == nil {
		return code
	}
	j, err := newJudge(o)
	if err != nil {
		s.complain("verify: %v", oneLine(err))
		return exitUsage
	}
	src, err := readXML(name, s.in)
	if err != nil {
		s.complain("verify: %v", err)
		return exitUsage
	}
	if err := j.fits(src); err != nil {
		s.complain("verify: %v", err)
		return exitUsage
	}
	v := j.judge(ctx, src)
	if err := printJSON(s.out, v); err != nil {
		s.complain("verify: %v", err)
		return exitUsage
	}
	if o.explain {
		if err := explainVerdict(s.err, v, o.lang); err != nil {
			s.complain("verify: %v", err)
			return exitUsage
		}
	}
	if o.opinion {
		fmt.Fprintln(s.err, "kopir: second opinion:", secondOpinion(src, v, o.want.At))
	}
	if o.content != "" && v.Outcome == verdict.Passed {
		if err := writeContent(o.content, v); err != nil {
			s.complain("verify: %v", err)
			return exitUsage
		}
	}
	return exitOf(v.Outcome)
}

func exitOf(o verdict.Outcome) int {
	switch o {
	case verdict.Passed:
		return exitPassed
	case verdict.Failed:
		return exitFailed
	default:
		return exitIndeterminate
	}
}

// readVerifyFlags gives nil and the exit status when there is nothing to judge.
func readVerifyFlags(args []string, s stdio) (*verifyOptions, string, int) {
	var o verifyOptions
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.StringVar(&o.format, "format", "auto", "")
	flags.StringVar(&o.revocation, "revocation", "leaf", "")
	flags.StringVar(&o.at, "at", "", "")
	flags.StringVar(&o.content, "content", "", "")
	flags.StringVar(&o.detached, "detached", "", "")
	flags.StringVar(&o.want.IIN, "iin", "", "")
	flags.StringVar(&o.want.BIN, "bin", "", "")
	flags.BoolVar(&o.explain, "explain", false, "")
	flags.StringVar(&o.lang, "lang", "", "")
	flags.BoolVar(&o.opinion, "second-opinion", false, "")
	o.trust.register(flags)
	flags.Var(&o.cert, "cert", "")
	flags.Var(&o.crl, "crl", "")
	flags.Var(&o.ocsp, "ocsp", "")
	flags.Usage = func() { fmt.Fprint(flags.Output(), verifyUsage) }
	if code, ok := parseFlags(flags, args, s); !ok {
		return nil, "", code
	}
	err := o.check(flags.NArg())
	if err == nil {
		o.lang, err = langOf(o.lang, s.env)
	}
	if err != nil {
		s.complain("verify: %v", err)
		return nil, "", exitUsage
	}
	return &o, flags.Arg(0), 0
}

func (o *verifyOptions) check(files int) error {
	switch o.format {
	case "auto", "wsse", "xmldsig", "cms", "tsp", "cert", "crl", "ocsp":
	default:
		return fmt.Errorf("unknown format %q; it is auto, wsse, xmldsig, cms, tsp, cert, crl or ocsp", o.format)
	}
	switch o.revocation {
	case "leaf", "chain", "off":
	default:
		return fmt.Errorf("-revocation is leaf, chain or off, not %q", o.revocation)
	}
	o.want.At = time.Now()
	if o.want.AtStamp = o.at == "stamp"; o.at != "" && !o.want.AtStamp {
		at, err := time.Parse(time.RFC3339, o.at)
		if err != nil {
			return fmt.Errorf("-at %q is neither a time as 2026-11-25T06:00:00Z nor stamp", o.at)
		}
		o.want.At = at
	}
	for _, n := range []struct{ flag, value string }{{"iin", o.want.IIN}, {"bin", o.want.BIN}} {
		if n.value != "" && (len(n.value) != 12 || strings.Trim(n.value, "0123456789") != "") {
			return fmt.Errorf("-%s has 12 digits", n.flag)
		}
	}
	if files != 1 {
		return errors.New("name one file, or - for standard input")
	}
	return nil
}

// writeContent writes the verified bytes beside the file's place and moves
// them there whole.
func writeContent(path string, v *signature.Verdict) error {
	content, ok := v.Content()
	if !ok {
		return errors.New("the signatures cover several parts, so there is no one content to write")
	}
	tmp := path + ".part"
	if err := os.WriteFile(tmp, content.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// oneLine makes one sentence of several errors.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
