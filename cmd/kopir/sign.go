package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

const signUsage = `usage: kopir sign [flags] FILE|-

Signs a file and prints the signed document on standard output. The bytes that
are there stay as they are.

  -format F      wsse (SOAP 1.1 message, the default), xmldsig (XML document,
                 enveloped, as the national tools sign) or cms (CAdES message over
                 any bytes, DER)
  -detached      cms: leave the content outside the message
  -add FILE      cms: add a signer to this message (DER, PEM or base64) over the same
                 content; without a file after the flags if it carries its content
  -p12 FILE      key file: PKCS#12, or PEM with key and certificate
  -pkcs11 URI    key on a token instead (RFC 7512; binaries built with -tags hsm), as in
                 "pkcs11:token=bridge;object=signing?module-path=/usr/lib/softhsm/libsofthsm2.so";
                 id and slot-id name key and slot too
  -cert FILE     with -pkcs11: its certificate; without it the one on the token
  -pass-file F   file whose first line is the password, or the PIN; without it the
                 variable KOPIR_PASS
  -keyinfo K     how the signature names its certificate:
                 keyidentifier (usual in messages), bst, issuerserial (the
                 receiver must know the certificate), x509data (usual in documents)

Exit status: 0 signed; 2 wrong use, a file that cannot be read or opened, or a
document that cannot be signed.
`

// signFlags is what the flags say.
type signFlags struct {
	format, p12, pkcs11, cert, passFile, word, add string
	detached                                       bool
}

func runSign(_ context.Context, args []string, s stdio) int {
	var o signFlags
	flags := flag.NewFlagSet("sign", flag.ContinueOnError)
	flags.StringVar(&o.format, "format", "wsse", "")
	flags.StringVar(&o.p12, "p12", "", "")
	flags.StringVar(&o.pkcs11, "pkcs11", "", "")
	flags.StringVar(&o.cert, "cert", "", "")
	flags.StringVar(&o.passFile, "pass-file", "", "")
	flags.StringVar(&o.word, "keyinfo", "", "")
	flags.StringVar(&o.add, "add", "", "")
	flags.BoolVar(&o.detached, "detached", false, "")
	flags.Usage = func() { fmt.Fprint(flags.Output(), signUsage) }
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	out, err := signFile(o, flags.Args(), s)
	if err == nil {
		_, err = s.out.Write(out)
	}
	if err != nil {
		s.complain("%v", err)
		return exitUsage
	}
	return exitPassed
}

func signFile(o signFlags, args []string, s stdio) ([]byte, error) {
	form, err := signature.ParseKeyInfo(o.word)
	if err != nil {
		return nil, fmt.Errorf("sign: -keyinfo: %w", err)
	}
	xml := o.format == "wsse" || o.format == "xmldsig"
	switch {
	case !xml && o.format != "cms":
		return nil, fmt.Errorf("sign: unknown format %q; it is wsse, xmldsig or cms", o.format)
	case xml && (o.detached || o.add != ""):
		return nil, errors.New("sign: -detached and -add belong to -format cms")
	case !xml && o.word != "":
		return nil, errors.New("sign: -keyinfo belongs to XML; a CMS message carries its certificate")
	case o.detached && o.add != "":
		return nil, errors.New("sign: with -add the message stays as it is, attached or detached; leave -detached out")
	case (o.p12 == "") == (o.pkcs11 == ""):
		return nil, errors.New("sign: name the key, either its file by -p12 or the one on a token by -pkcs11")
	case o.cert != "" && o.pkcs11 == "":
		return nil, errors.New("sign: -cert belongs to -pkcs11; a key file holds its certificate")
	case len(args) != 1 && (len(args) > 1 || o.add == ""):
		return nil, errors.New("sign: name one file, or - for standard input")
	}
	key, err := openKey(o, s)
	if err != nil {
		return nil, err
	}
	defer key.Close()
	var src []byte
	if len(args) == 1 {
		if src, err = readXML(args[0], s.in); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
	}
	switch {
	case o.format == "wsse":
		return signature.SignWSSE(src, key, signature.SignOptions{KeyInfo: form})
	case o.format == "xmldsig":
		return signature.SignEnveloped(src, key, signature.SignOptions{KeyInfo: form})
	case o.add != "":
		message, err := readFile(o.add, 2*cms.MaxMessage) // base64 takes more
		if err != nil {
			return nil, fmt.Errorf("sign: -add: %w", err)
		}
		if len(args) == 0 {
			src = nil
		}
		return signature.AddCMS(cms.Unwrap(message), src, key, signature.CMSOptions{SigningTime: time.Now()})
	case len(src) > cms.MaxMessage:
		return nil, fmt.Errorf("sign: %s: more than %d bytes", args[0], cms.MaxMessage)
	default:
		return signature.SignCMS(src, key, signature.CMSOptions{Detached: o.detached, SigningTime: time.Now()})
	}
}

func openKey(o signFlags, s stdio) (*keystore.Key, error) {
	password, err := readPassword(o.passFile, s)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if o.pkcs11 != "" {
		key, err := openToken(o.pkcs11, o.cert, password)
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		return key, nil
	}
	raw, err := readFile(o.p12, keystore.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	key, err := keystore.Open(raw, password)
	if err != nil {
		return nil, fmt.Errorf("sign: %s", about(o.p12, err))
	}
	return key, nil
}

// openToken opens the key that a PKCS#11 URI names. The certificate's file may
// be empty: the token keeps it then.
func openToken(uri, certificate, pin string) (*keystore.Key, error) {
	t, err := keystore.ParseTokenURI(uri)
	if err != nil {
		return nil, err
	}
	t.PIN = pin
	if certificate != "" {
		if t.Certificates, err = nuc.LoadCertificates(certificate); err != nil {
			return nil, err
		}
	}
	return keystore.OpenToken(t)
}
