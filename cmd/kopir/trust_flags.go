package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"

	"kopir/signature/nuc"
)

// trustFlags say what is trusted: plain certificate files, a signed bundle, or both.
type trustFlags struct {
	plain  files
	bundle string
	keys   files // fingerprints
}

func (f *trustFlags) register(flags *flag.FlagSet) {
	flags.Var(&f.plain, "trust", "`PATH` of certificates, file or folder; self-signed ones are roots. Repeatable")
	flags.StringVar(&f.bundle, "bundle", "", "`FILE` with a signed trust bundle")
	flags.Var(&f.keys, "bundle-key", "`FINGERPRINT` of a key that may sign the bundle. Repeatable")
}

// load makes a trust store of it; one without anything named trusts nothing.
// The bundle is nil if none is named.
func (f *trustFlags) load() (*nuc.Trust, *nuc.Bundle, error) {
	t := nuc.NewTrust()
	var faults []error
	var b *nuc.Bundle
	if f.bundle != "" {
		var err error
		if b, err = readBundle(f.bundle, f.keys); err == nil {
			err = b.AddTo(t)
		}
		if err != nil {
			faults = append(faults, err)
		}
	} else if len(f.keys) > 0 {
		faults = append(faults, errors.New("-bundle-key without -bundle"))
	}
	switch {
	case len(f.plain) == 0:
	case b != nil:
		faults = append(faults, t.Load(f.plain...))
	default:
		var err error
		t, err = nuc.LoadTrust(f.plain...)
		faults = append(faults, err)
	}
	return t, b, errors.Join(faults...)
}

// readBundle reads a bundle and verifies it under keys given as fingerprints.
func readBundle(path string, keys []string) (*nuc.Bundle, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: name the fingerprint of the key that signs it with -bundle-key", path)
	}
	var pins []nuc.Pin
	for _, k := range keys {
		pin, err := nuc.ParsePin(k)
		if err != nil {
			return nil, err
		}
		pins = append(pins, pin)
	}
	raw, err := readFile(path, nuc.MaxBundle)
	if err != nil {
		return nil, err
	}
	b, err := nuc.OpenBundle(raw, pins...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// isBundle tells a bundle from certificate files.
func isBundle(path string) bool {
	raw, err := readFile(path, nuc.MaxBundle)
	return err == nil && bytes.HasPrefix(raw, []byte("kopir trust bundle"))
}
