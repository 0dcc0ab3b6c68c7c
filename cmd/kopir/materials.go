package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"kopir/mappings"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
)

// materials are the things that a configuration names, opened.
type materials struct {
	keys            *keystore.Ring
	turns           []keystore.Turn // what keys was made of
	trust           *nuc.Trust
	bundle          *nuc.Bundle // nil without trust_bundle
	known           []*nuc.Certificate
	lists           []*revocation.CRL      // stored ones
	answers         []*revocation.Response // of OCSP, stored ones
	set             *mappings.Set
	seen            stamps // what all files looked like before they were read
	gatewayPassword string
	storeDSN        string                  // empty with SQLite
	gatewayCA       *x509.CertPool          // nil: the machine's
	authorities     []*nuc.Certificate      // of revocation.authorities, in their order; nil where one is faulty
	shape           *mappings.RegistryShape // of the notaries' registry; nil without
	ticket          *rsa.PrivateKey         // of the consent service; nil without
	notes           []string                // what is worth knowing and no fault

	localDSN           string
	localPassword      string
	senderPasswords    map[string]string // these by sender id
	formerPasswords    map[string]string
	senderCertificates map[string][]*nuc.Certificate
	letters            letterMaterials
	partnerCA          map[string]*x509.CertPool // of senders' rest, by sender id; nil: the machine's
	partnerKeys        map[string][]partnerKey   // of their requests, by sender id
}

// open opens the files that the configuration names and judges them. All
// faults are found, none stops the others.
func (l *loaded) open(now time.Time) (*materials, []fault) {
	m := &materials{}
	return m, l.openRest(m, now)
}

// openRest opens what is not there: keys with trust, and descriptions, may be.
func (l *loaded) openRest(m *materials, now time.Time) []fault {
	m.seen = l.stamps()
	m.senderPasswords, m.formerPasswords, m.senderCertificates = map[string]string{}, map[string]string{}, map[string][]*nuc.Certificate{}
	var fs []fault
	if m.keys == nil {
		fs = append(fs, l.openTrust(m)...)
		fs = append(fs, l.openKey(m, now)...)
	}
	fs = append(fs, l.openRevocation(m)...)
	if m.set == nil {
		fs = append(fs, l.openMappings(m)...)
	}
	fs = append(fs, l.openLocal(m)...)
	fs = append(fs, l.openOutward(m)...)
	if l.Store.DSNFile != "" {
		m.storeDSN = l.secret("store.dsn_file", l.Store.DSNFile, m, &fs)
	}
	fs = append(fs, l.openREST(m)...)
	fs = append(fs, l.openRegistries(m)...)
	fs = append(fs, l.openLetters(m)...)
	l.notePublicURL(m)
	if l.Gateway.PasswordFile != "" {
		m.gatewayPassword = l.secret("gateway.password_file", l.Gateway.PasswordFile, m, &fs)
	}
	for i, s := range l.Senders {
		key := fmt.Sprintf("senders[%d]", i)
		if s.PasswordFile != "" {
			m.senderPasswords[s.ID] = l.secret(key+".password_file", s.PasswordFile, m, &fs)
		}
		if s.FormerPasswordFile != "" {
			m.formerPasswords[s.ID] = l.secret(key+".former_password_file", s.FormerPasswordFile, m, &fs)
		}
		for j, id := range s.Services {
			if m.set == nil {
				break
			}
			if _, ok := m.set.ByGateway(id); !ok {
				fs = append(fs, l.at(fmt.Sprintf("%s.services[%d]", key, j), fmt.Sprintf("no service has the serviceId %q", id), "`kopir mapping list` lists them"))
			}
		}
		for j, p := range s.Certificates {
			certs, err := nuc.LoadCertificates(l.path(p))
			for _, e := range each(err) {
				fs = append(fs, l.at(fmt.Sprintf("%s.certificates[%d]", key, j), plainFileError(e), "name a certificate file"))
			}
			m.senderCertificates[s.ID] = append(m.senderCertificates[s.ID], certs...)
		}
	}
	return fs
}

// issue is that of the bundle in use, for the metrics.
func (m *materials) issue() uint64 {
	if m.bundle == nil {
		return 0
	}
	return m.bundle.Issue
}

// close ends the sessions of keys on tokens.
func (m *materials) close() {
	for _, t := range m.turns {
		t.Key.Close()
	}
}

// secret reads the first line of a file that holds a secret.
func (l *loaded) secret(key, path string, m *materials, fs *[]fault) string {
	file := l.path(path)
	b, err := os.ReadFile(file)
	if err != nil {
		*fs = append(*fs, l.at(key, fmt.Sprintf("%s: %s", path, plainFileError(err)), "put the secret into this file, alone on its first line"))
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		*fs = append(*fs, l.at(key, path+": the first line is empty", "put the secret into this file, alone on its first line"))
	}
	if info, err := os.Stat(file); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		m.notes = append(m.notes, fmt.Sprintf("%s: %s can be read by other users of this machine; chmod 600 closes it", key, path))
	}
	return line
}

func (l *loaded) openTrust(m *materials) []fault {
	var fs []fault
	var paths []string
	for i, p := range l.Trust {
		if _, err := os.Stat(l.path(p)); err != nil {
			fs = append(fs, l.at(fmt.Sprintf("trust[%d]", i), fmt.Sprintf("%s: %s", p, plainFileError(err)), "name a certificate file or a folder of them"))
			continue
		}
		paths = append(paths, l.path(p))
	}
	m.trust = nuc.NewTrust()
	err := m.trust.Load(paths...)
	for _, e := range each(err) {
		fs = append(fs, l.at("trust", plainFileError(e), "keep PEM or DER certificates only, and the root among them"))
	}
	more := l.openBundle(m)
	if fs = append(fs, more...); err == nil && len(more) == 0 && len(paths) == len(l.Trust) && len(paths)+len(l.TrustBundle.File) > 0 && len(m.trust.Roots()) == 0 {
		fs = append(fs, l.at("trust", "there is no self-signed certificate: without a root nothing can be trusted", "keep PEM or DER certificates only, and the root among them"))
	}
	if len(paths) == 0 && m.bundle == nil {
		m.trust = nil // nothing is trusted, and that was told above: what hangs on it would only add noise
	}
	for i, p := range l.Known {
		key := fmt.Sprintf("known[%d]", i)
		certs, err := nuc.LoadCertificates(l.path(p))
		for _, e := range each(err) {
			fs = append(fs, l.at(key, plainFileError(e), "name a certificate file or a folder of them"))
		}
		m.known = append(m.known, certs...)
		for _, c := range certs {
			if m.trust != nil {
				m.trust.AddKnown(c)
			}
		}
	}
	return fs
}

// each takes a joined error apart.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

// openKey opens the key that signs, the one that follows, and the
// certificates of those that went before.
func (l *loaded) openKey(m *materials, now time.Time) []fault {
	first, next := l.Key.source(), l.Key.Next.source()
	key, fs := l.openKeySource(first, m)
	if key != nil {
		m.turns = append(m.turns, keystore.Turn{Key: key})
	}
	follows, more := l.openKeySource(next, m)
	fs = append(fs, more...)
	if follows != nil {
		from, _ := time.Parse(time.RFC3339, l.Key.Next.From) // judged by checkValues; empty is nought
		m.turns = append(m.turns, keystore.Turn{Key: follows, From: from})
	}
	m.keys = keystore.NewRing(m.turns...)
	fs = append(fs, l.openPrevious(m)...)
	signs := m.keys.Signing(now)
	if key != nil && signs == key {
		fs = append(fs, l.keyDates(first.main(), key, now)...)
	}
	if follows != nil && (signs == follows || now.After(follows.Certificate.NotAfter)) {
		fs = append(fs, l.keyDates(next.main(), follows, now)...)
	}
	if m.trust != nil {
		for _, s := range m.keys.Standing(now) {
			m.trust.AddKnown(s.Certificate)
		}
	}
	return fs
}

// keyDates is whether a key may sign now by its certificate's dates.
func (l *loaded) keyDates(name string, key *keystore.Key, now time.Time) []fault {
	c := key.Certificate
	switch {
	case now.Before(c.NotBefore):
		return []fault{l.at(name, fmt.Sprintf("the certificate %s is valid only from %s", c.SerialHex(), c.NotBefore.Format(time.DateOnly)), "check the clock of this machine, or use the key that is valid now")}
	case now.After(c.NotAfter):
		return []fault{l.at(name, fmt.Sprintf("the certificate %s expired on %s", c.SerialHex(), c.NotAfter.Format(time.DateOnly)), "get a new one from the certification authority and name it here")}
	}
	return nil
}

// openKeySource opens one key and judges everything but its dates.
func (l *loaded) openKeySource(s keySource, m *materials) (*keystore.Key, []fault) {
	key, fs := l.openSource(s, m)
	if key == nil {
		return nil, fs
	}
	c := key.Certificate
	if u := c.CheckUsage(); u.Outcome != verdict.Passed {
		fs = append(fs, l.at(s.main(), "the certificate is not for signing: "+u.Detail, "use the signing key, not the one for authentication"))
	}
	if m.trust == nil {
		return key, fs
	}
	_, checks := m.trust.Chain(c, c.NotBefore)
	for _, k := range checks {
		if k.Name == verdict.CheckChain && k.Outcome != verdict.Passed {
			fs = append(fs, l.at(s.main(), "the certificate does not lead to a configured root: "+k.Detail, "add the certificates of its authority to trust"))
		}
	}
	return key, fs
}

// openRevocation reads stored CRLs and OCSP answers, files or folders.
func (l *loaded) openRevocation(m *materials) []fault {
	var fs []fault
	for i, p := range l.Revocation.Files {
		key := fmt.Sprintf("revocation.files[%d]", i)
		files := []string{l.path(p)}
		info, err := os.Stat(files[0])
		if err == nil && info.IsDir() {
			files, err = filepath.Glob(filepath.Join(files[0], "*"))
		}
		if err != nil || len(files) == 0 {
			problem := "the folder is empty"
			if err != nil {
				problem = plainFileError(err)
			}
			fs = append(fs, l.at(key, p+": "+problem, "name a CRL or an OCSP answer, or a folder of them"))
			continue
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err == nil {
				err = m.keepEvidence(b)
			}
			if err != nil {
				fs = append(fs, l.at(key, filepath.Base(f)+": "+plainFileError(err), "keep CRLs and OCSP answers in DER or PEM only"))
			}
		}
	}
	return fs
}

// keepEvidence reads one stored list or answer.
func (m *materials) keepEvidence(b []byte) error {
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	if list, err := revocation.ParseCRL(b); err == nil {
		m.lists = append(m.lists, list)
		return nil
	}
	answer, err := revocation.ParseOCSP(b)
	if err != nil {
		return errors.New("neither a CRL nor an OCSP answer")
	}
	m.answers = append(m.answers, answer)
	return nil
}

func (l *loaded) openMappings(m *materials) []fault {
	dir := ""
	if l.Mappings != "" {
		dir = l.path(l.Mappings)
	}
	set, faults := mappings.LoadDir(dir)
	var fs []fault
	if len(faults) == 0 {
		m.set = set
		if len(l.Services) > 0 {
			only, unknown := set.Only(l.Services)
			m.set = only
			for _, id := range unknown {
				fs = append(fs, l.at("services", fmt.Sprintf("there is no service %q", id), "`kopir mapping list` lists them"))
			}
		}
		return fs
	}
	for _, f := range faults {
		fs = append(fs, l.at("mappings", strings.TrimSuffix(f.In(mappings.English), "."), ""))
	}
	return fs
}
