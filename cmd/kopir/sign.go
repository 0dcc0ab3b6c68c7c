package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"kopir/signature"
	"kopir/signature/keystore"
)

const signUsage = `usage: kopir sign [flags] FILE|-

Signs a file and prints the signed document on standard output. The bytes that
are there stay as they are.

  -format F      wsse (SOAP 1.1 message, the default) or xmldsig (XML document,
                 enveloped, as the national tools sign)
  -p12 FILE      key file: PKCS#12, or PEM with key and certificate
  -pass-file F   file whose first line is the password; without it the variable
                 KOPIR_PASS
  -keyinfo K     how the signature names its certificate:
                 keyidentifier (usual in messages), bst, issuerserial (the
                 receiver must know the certificate), x509data (usual in documents)

Exit status: 0 signed; 2 wrong use, a file that cannot be read or opened, or a
document that cannot be signed.
`

func runSign(_ context.Context, args []string, s stdio) int {
	flags := flag.NewFlagSet("sign", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	format := flags.String("format", "wsse", "")
	p12 := flags.String("p12", "", "")
	passFile := flags.String("pass-file", "", "")
	word := flags.String("keyinfo", "", "")
	detached := flags.Bool("detached", false, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(s.out, signUsage)
			return exitPassed
		}
		s.complain("sign: %v; `kopir sign -h` explains the flags", err)
		return exitUsage
	}
	out, err := signFile(*format, *p12, *passFile, *word, *detached, flags.Args(), s)
	if err == nil {
		_, err = s.out.Write(out)
	}
	if err != nil {
		s.complain("%v", err)
		return exitUsage
	}
	return exitPassed
}

func signFile(format, p12, passFile, word string, detached bool, args []string, s stdio) ([]byte, error) {
	sign := signature.SignWSSE
	switch format {
	case "wsse":
	case "xmldsig":
		sign = signature.SignEnveloped
	case "cms":
		return nil, errors.New("sign: -format cms is not built yet; wsse and xmldsig are")
	default:
		return nil, fmt.Errorf("sign: unknown format %q; it is wsse or xmldsig", format)
	}
	form, err := signature.ParseKeyInfo(word)
	switch {
	case err != nil:
		return nil, fmt.Errorf("sign: -keyinfo: %w", err)
	case detached:
		return nil, errors.New("sign: -detached belongs to -format cms, which is not built yet")
	case p12 == "":
		return nil, errors.New("sign: -p12 must name the key file")
	case len(args) != 1:
		return nil, errors.New("sign: name one file, or - for standard input")
	}
	password, err := readPassword(passFile, s)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	raw, err := readFile(p12, keystore.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	key, err := keystore.Open(raw, password)
	if err != nil {
		return nil, fmt.Errorf("sign: %s", about(p12, err))
	}
	src, err := readXML(args[0], s.in)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	out, err := sign(src, key, signature.SignOptions{KeyInfo: form})
	if err != nil {
		return nil, err
	}
	return out, nil
}
