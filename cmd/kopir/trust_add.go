package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"kopir/signature/nuc"
)

// trustKey makes an operator's key where there is none, and tells its fingerprint.
func trustKey(args []string, s stdio) int {
	flags := flag.NewFlagSet("trust key", flag.ContinueOnError)
	flags.Usage = func() {
		usageOf(flags, "FILE", "Makes an Ed25519 key for signing trust bundles, unless the file is there, and prints",
			"the fingerprint to pin (trust_bundle.keys). Keep the file away from the bridge.")
	}
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	if flags.NArg() != 1 {
		s.complain("trust key: name one file")
		return exitUsage
	}
	path := flags.Arg(0)
	key, err := readOperatorKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeOperatorKey(path)
	}
	if err != nil {
		s.complain("trust key: %v", err)
		return exitUsage
	}
	fmt.Fprintln(s.out, nuc.PinOf(key.Public().(ed25519.PublicKey)))
	return exitPassed
}

func makeOperatorKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writeNew(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600)
}

// readOperatorKey reads an Ed25519 key in PKCS#8, as `kopir trust key` and
// `openssl genpkey -algorithm ed25519` write it.
func readOperatorKey(path string) (ed25519.PrivateKey, error) {
	raw, err := readFile(path, 1<<16)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s: no private key in PEM (PKCS#8)", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: bundles are signed with an Ed25519 key, this is another kind", path)
	}
	return key, nil
}

// writeNew writes a file that must not be there yet, whole or not at all.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

// trustAddOptions is what the flags of `kopir trust add` say.
type trustAddOptions struct {
	old                                  trustFlags
	sign, out, purpose, comment, because string
	candidate                            bool
	remove                               files
}

func trustAdd(args []string, s stdio) int {
	flags := flag.NewFlagSet("trust add", flag.ContinueOnError)
	var o trustAddOptions
	flags.StringVar(&o.old.bundle, "bundle", "", "`FILE` with the present bundle; without it the first issue is made")
	flags.Var(&o.old.keys, "bundle-key", "`FINGERPRINT` of the key that signed it. Default: that of -sign")
	flags.StringVar(&o.sign, "sign", "", "`FILE` with the operator's key (kopir trust key)")
	flags.StringVar(&o.out, "out", "", "`FILE` to write the next issue into; it must not be there yet")
	flags.BoolVar(&o.candidate, "candidate", false, "add as candidates, for reports alone")
	flags.StringVar(&o.purpose, "purpose", "sign,stamp", "what they are believed for: sign, stamp or both")
	flags.StringVar(&o.comment, "comment", "", "`TEXT` beside each of the certificates: where they came from")
	flags.StringVar(&o.because, "because", "", "`TEXT` about the whole issue")
	flags.Var(&o.remove, "remove", "`SHA256` (16 digits or more) of a certificate to leave out. Repeatable")
	flags.Usage = func() {
		usageOf(flags, "-sign KEY -out NEW [flags] [CERTIFICATE...]", "Writes the next issue of a trust bundle. A certificate that is in it already gets the",
			"status, purpose and comment given now: so a candidate becomes trusted.")
	}
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	if err := o.run(flags.Args(), s); err != nil {
		s.complain("trust add: %s", oneLine(err))
		return exitUsage
	}
	return exitPassed
}

func (o *trustAddOptions) run(paths []string, s stdio) error {
	switch {
	case o.sign == "" || o.out == "":
		return errors.New("name the operator's key with -sign and the new file with -out")
	case len(paths)+len(o.remove) == 0:
		return errors.New("name certificates to add, or one to -remove")
	}
	purpose, err := nuc.ParsePurpose(o.purpose)
	if err != nil {
		return err
	}
	key, err := readOperatorKey(o.sign)
	if err != nil {
		return err
	}
	b := &nuc.Bundle{}
	if o.old.bundle != "" {
		if len(o.old.keys) == 0 {
			o.old.keys = files{nuc.PinOf(key.Public().(ed25519.PublicKey)).String()}
		}
		if b, err = readBundle(o.old.bundle, o.old.keys); err != nil {
			return err
		}
	}
	b.Issue, b.Date, b.Comment = b.Issue+1, time.Now().UTC().Truncate(time.Second), o.because
	var changes []string
	for _, path := range paths {
		certs, err := nuc.LoadCertificates(path)
		if err != nil {
			return err
		}
		for _, c := range certs {
			e := nuc.Entry{Certificate: c, Root: c.SelfIssued(), Candidate: o.candidate, Purpose: purpose, Comment: o.comment}
			changes = append(changes, put(b, e))
		}
	}
	for _, sum := range o.remove {
		change, err := takeOut(b, sum)
		if err != nil {
			return err
		}
		changes = append(changes, change)
	}
	raw, err := b.Sign(key)
	if err != nil {
		return err
	}
	if err := writeNew(o.out, raw, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "issue %d with %d certificates, signed by the key %s: %s\n", b.Issue, len(b.Entries), b.Signer, o.out)
	for _, c := range changes {
		fmt.Fprintln(s.out, c)
	}
	return nil
}

// put adds an entry or changes the one that is there, and says what it did.
func put(b *nuc.Bundle, e nuc.Entry) string {
	what := func(e nuc.Entry) string { return fmt.Sprintf("%s %s (%s)", e.Status(), e.Kind(), e.Purpose) }
	name := fmt.Sprintf("%x %s", e.Certificate.Fingerprint[:8], e.Certificate.SubjectName)
	i := slices.IndexFunc(b.Entries, func(o nuc.Entry) bool { return o.Certificate.Fingerprint == e.Certificate.Fingerprint })
	if i < 0 {
		b.Entries = append(b.Entries, e)
		return "+ " + name + ": " + what(e)
	}
	old := b.Entries[i]
	if e.Comment == "" {
		e.Comment = old.Comment
	}
	b.Entries[i] = e
	return "~ " + name + ": " + what(old) + " -> " + what(e)
}

func takeOut(b *nuc.Bundle, sum string) (string, error) {
	sum = strings.ToLower(sum)
	if len(sum) < 16 {
		return "", fmt.Errorf("-remove %s: at least 16 digits of the SHA-256", sum)
	}
	for i, e := range b.Entries {
		if strings.HasPrefix(fmt.Sprintf("%x", e.Certificate.Fingerprint), sum) {
			b.Entries = slices.Delete(b.Entries, i, i+1)
			return fmt.Sprintf("- %x %s", e.Certificate.Fingerprint[:8], e.Certificate.SubjectName), nil
		}
	}
	return "", fmt.Errorf("-remove %s: no such certificate in the bundle", sum)
}
