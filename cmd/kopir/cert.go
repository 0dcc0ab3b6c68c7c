package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// certReport is what `kopir cert` prints for one certificate. The fields
// after the signer are there for key files only.
type certReport struct {
	nuc.Signer
	Key *keyReport
}

type keyReport struct {
	Matches   *bool  `json:"matches_certificate"` // null where it cannot be found out
	Algorithm string `json:"algorithm,omitempty"`
	Problem   string `json:"problem,omitempty"`
}

// MarshalJSON prints the signer object with "key" at its end.
func (r certReport) MarshalJSON() ([]byte, error) {
	type signer nuc.Signer // without its own MarshalJSON, which would hide the key
	if r.Roles == nil {
		r.Roles = []string{}
	}
	return json.Marshal(struct {
		signer
		Key *keyReport `json:"key,omitempty"`
	}{signer(r.Signer), r.Key})
}

// runCert says what certificate and key files hold.
func runCert(_ context.Context, args []string, s stdio) int {
	flags := flag.NewFlagSet("cert", flag.ContinueOnError)
	passFile := flags.String("pass-file", "", "file with the password of key files")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), `usage: kopir cert [-pass-file FILE] FILE|URI...

Prints what each certificate (DER or PEM) says as JSON: one object, or an array
for several. A key file (PKCS#12, or PEM with a private key) is opened with the
first line of -pass-file, or with the variable KOPIR_PASS; its object says in
"key" whether key and certificate belong together. A PKCS#11 URI in the place of
a file is the key of a token, as of kopir sign -pkcs11; the PIN is the password.

Exit status: 0; 1 if a key does not belong to its certificate or cannot sign
here; 2 if a file cannot be read or opened.
`)
	}
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	if flags.NArg() == 0 {
		s.complain("cert: name the files of certificates or keys")
		return exitUsage
	}
	password, err := readPassword(*passFile, s)
	if err != nil {
		s.complain("cert: %v", err)
		return exitUsage
	}
	var reports []certReport
	code := exitPassed
	for _, path := range flags.Args() {
		found, err := certReports(path, password)
		if err != nil {
			s.complain("cert: %s", about(path, err))
			code = exitUsage
			continue
		}
		for _, r := range found {
			if code == exitPassed && r.Key != nil && r.Key.Problem != "" {
				code = exitFailed
			}
		}
		reports = append(reports, found...)
	}
	if len(reports) == 0 {
		return code
	}
	var value any = reports
	if len(reports) == 1 {
		value = reports[0]
	}
	if err := printJSON(s.out, value); err != nil {
		s.complain("cert: %v", err)
		return exitUsage
	}
	return code
}

// about puts the file's name before an error that does not have it.
func about(path string, err error) string {
	if strings.Contains(err.Error(), path) {
		return err.Error()
	}
	return path + ": " + err.Error()
}

// readPassword takes the first line of a file, or the variable KOPIR_PASS. An
// argument would be seen by every user of the machine.
func readPassword(file string, s stdio) (string, error) {
	if file == "" {
		return s.env("KOPIR_PASS"), nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	return string(bytes.TrimSuffix(line, []byte("\r"))), nil
}

// certReports reads one file, whichever kind it is, or the key of a token.
func certReports(path, password string) ([]certReport, error) {
	if strings.HasPrefix(path, keystore.TokenScheme) {
		return keyReports(openToken(path, "", password))
	}
	data, err := readFile(path, keystore.MaxFile)
	if err != nil {
		return nil, err
	}
	if !isKeyFile(data) {
		certs, err := nuc.ParsePEMOrDER(data)
		if err != nil {
			return nil, err
		}
		var out []certReport
		for _, c := range certs {
			out = append(out, certReport{Signer: c.Signer()})
		}
		return out, nil
	}
	return keyReports(keystore.Open(data, password))
}

// keyReports says what came of opening a key.
func keyReports(key *keystore.Key, err error) ([]certReport, error) {
	yes, no := true, false
	var mismatch *keystore.MismatchError
	var unsupported *keystore.UnsupportedKeyError
	switch {
	case err == nil:
		defer key.Close()
		return []certReport{{Signer: key.Certificate.Signer(), Key: &keyReport{Matches: &yes, Algorithm: key.Algorithm.Name}}}, nil
	case errors.As(err, &mismatch) && mismatch.Certificate != nil:
		return []certReport{{Signer: mismatch.Certificate.Signer(), Key: &keyReport{Matches: &no, Problem: err.Error()}}}, nil
	case errors.As(err, &unsupported) && unsupported.Certificate != nil:
		return []certReport{{Signer: unsupported.Certificate.Signer(), Key: &keyReport{Algorithm: unsupported.Name, Problem: err.Error()}}}, nil
	default:
		return nil, err
	}
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: more than %d bytes", path, limit)
	}
	return data, nil
}

// isKeyFile tells PKCS#12 (a sequence that starts with the number 3, where a
// certificate has another sequence) and PEM with a private key from
// certificate files.
func isKeyFile(data []byte) bool {
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return true
	}
	if len(data) < 3 || data[0] != 0x30 {
		return false
	}
	head := 2
	if data[1] > 0x80 {
		head += int(data[1] & 0x7f)
	}
	return len(data) >= head+3 && bytes.Equal(data[head:head+3], []byte{2, 1, 3})
}

// printJSON writes one value, indented, without escaping what HTML would.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
