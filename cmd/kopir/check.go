package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"kopir/mappings"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// warnDays is how long before its end a certificate begins to be mentioned.
const warnDays = 30

// dialTimeout bounds the question whether an address can be reached.
const dialTimeout = 3 * time.Second

// materials are the things that a configuration names, opened.
type materials struct {
	key             *keystore.Key
	trust           *nuc.Trust
	known           []*nuc.Certificate
	evidence        [][]byte // stored CRLs and OCSP answers
	set             *mappings.Set
	gatewayPassword string
	notes           []string // what is worth knowing and no fault

	senderPasswords    map[string]string // both by sender id
	senderCertificates map[string][]*nuc.Certificate
}

// open opens the files that the configuration names and judges them. All
// faults are found, none stops the others.
func (l *loaded) open(now time.Time) (*materials, []fault) {
	m := &materials{senderPasswords: map[string]string{}, senderCertificates: map[string][]*nuc.Certificate{}}
	var fs []fault
	fs = append(fs, l.openTrust(m)...)
	fs = append(fs, l.openKey(m, now)...)
	fs = append(fs, l.openRevocation(m)...)
	fs = append(fs, l.openMappings(m)...)
	if l.Gateway.PasswordFile != "" {
		m.gatewayPassword = l.secret("gateway.password_file", l.Gateway.PasswordFile, m, &fs)
	}
	for i, s := range l.Senders {
		key := fmt.Sprintf("senders[%d]", i)
		if s.PasswordFile != "" {
			m.senderPasswords[s.ID] = l.secret(key+".password_file", s.PasswordFile, m, &fs)
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
	return m, fs
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
	if len(paths) > 0 {
		t, err := nuc.LoadTrust(paths...)
		for _, e := range each(err) {
			fs = append(fs, l.at("trust", plainFileError(e), "keep PEM or DER certificates only, and the root among them"))
		}
		m.trust = t
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

func (l *loaded) openKey(m *materials, now time.Time) []fault {
	if l.Key.P12 == "" {
		return nil // told by checkValues
	}
	var fs []fault
	data, err := os.ReadFile(l.path(l.Key.P12))
	if err != nil {
		fs = append(fs, l.at("key.p12", fmt.Sprintf("%s: %s", l.Key.P12, plainFileError(err)), "name the PKCS#12 file with which the bridge signs"))
	}
	if l.Key.PasswordFile == "" {
		return fs
	}
	before := len(fs)
	password := l.secret("key.password_file", l.Key.PasswordFile, m, &fs)
	if data == nil || len(fs) > before {
		return fs
	}
	key, err := keystore.Open(data, password)
	if err != nil {
		return append(fs, l.keyFault(err))
	}
	m.key = key
	c := key.Certificate
	switch days := key.DaysLeft(now); {
	case now.Before(c.NotBefore):
		fs = append(fs, l.at("key.p12", fmt.Sprintf("the certificate %s is valid only from %s", c.SerialHex(), c.NotBefore.Format(time.DateOnly)), "check the clock of this machine, or use the key that is valid now"))
	case now.After(c.NotAfter):
		fs = append(fs, l.at("key.p12", fmt.Sprintf("the certificate %s expired on %s", c.SerialHex(), c.NotAfter.Format(time.DateOnly)), "get a new one from the certification authority and name its file"))
	case days <= warnDays:
		m.notes = append(m.notes, fmt.Sprintf("key.p12: the certificate expires in %d days, on %s; ask for the next one now", days, c.NotAfter.Format(time.DateOnly)))
	}
	if u := c.CheckUsage(); u.Outcome != verdict.Passed {
		fs = append(fs, l.at("key.p12", "the certificate is not for signing: "+u.Detail, "use the signing key, not the one for authentication"))
	}
	if m.trust == nil {
		return fs
	}
	if _, checks := m.trust.Chain(c, now); true {
		for _, k := range checks {
			if k.Name == verdict.CheckChain && k.Outcome != verdict.Passed {
				fs = append(fs, l.at("key.p12", "the certificate does not lead to a configured root: "+k.Detail, "add the certificates of its authority to trust"))
			}
		}
	}
	return fs
}

func (l *loaded) keyFault(err error) fault {
	var mismatch *keystore.MismatchError
	var unsupported *keystore.UnsupportedKeyError
	switch {
	case errors.Is(err, keystore.ErrPassword):
		return l.at("key.password_file", "the password does not open "+l.Key.P12, "write the right one on the first line of "+l.Key.PasswordFile)
	case errors.Is(err, keystore.ErrNoKey):
		return l.at("key.p12", "there is no private key in "+l.Key.P12, "name the file with the key, not the certificate alone")
	case errors.As(err, &mismatch):
		return l.at("key.p12", err.Error(), "name a file in which key and certificate belong together")
	case errors.As(err, &unsupported):
		return l.at("key.p12", err.Error(), "use an RSA key")
	default:
		return l.at("key.p12", err.Error(), "the file is damaged or not PKCS#12: copy it afresh")
	}
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
			if err != nil {
				fs = append(fs, l.at(key, filepath.Base(f)+": "+plainFileError(err), "keep CRLs and OCSP answers in DER or PEM only"))
				continue
			}
			m.evidence = append(m.evidence, b)
		}
	}
	return fs
}

func (l *loaded) openMappings(m *materials) []fault {
	dir := ""
	if l.Mappings != "" {
		dir = l.path(l.Mappings)
	}
	set, faults := mappings.LoadDir(dir)
	if len(faults) == 0 {
		m.set = set
		return nil
	}
	var fs []fault
	for _, f := range faults {
		fs = append(fs, l.at("mappings", strings.TrimSuffix(f.In(mappings.English), "."), ""))
	}
	return fs
}

// probe asks what the bridge will need when it runs: databases, its own
// address, the addresses of others.
func (l *loaded) probe(ctx context.Context) []fault {
	var fs []fault
	for _, s := range []struct {
		key string
		c   storeConfig
	}{{"store.path", l.Store}, {"local.path", l.Local}} {
		if s.c.Path == "" || s.c.Driver != "sqlite" {
			continue
		}
		if err := probeSQLite(ctx, l.path(s.c.Path)); err != nil {
			fs = append(fs, l.at(s.key, fmt.Sprintf("%s: %s", s.c.Path, plainFileError(err)), "name a file in a folder that this user may write"))
		}
	}
	if ln, err := net.Listen("tcp", l.Listen); err != nil {
		fs = append(fs, l.listenFault(err))
	} else {
		ln.Close()
	}
	type address struct{ key, url string }
	all := []address{{"gateway.sync", l.Gateway.Sync}, {"gateway.async", l.Gateway.Async}}
	for i, u := range l.Revocation.OCSP {
		all = append(all, address{fmt.Sprintf("revocation.ocsp[%d]", i), u})
	}
	for i, u := range l.Revocation.CRL {
		all = append(all, address{fmt.Sprintf("revocation.crl[%d]", i), u})
	}
	results := make([]*fault, len(all))
	done := make(chan struct{})
	for i, a := range all {
		go func() {
			defer func() { done <- struct{}{} }()
			if a.url == "" {
				return
			}
			if err := reach(ctx, a.url); err != nil {
				f := l.at(a.key, "cannot be reached: "+err.Error(), "check the address, the name service and the firewall")
				results[i] = &f
			}
		}()
	}
	for range all {
		<-done
	}
	for _, f := range results {
		if f != nil {
			fs = append(fs, *f)
		}
	}
	return fs
}

// probeSQLite says whether the file can be opened and written. A file that is
// not there yet is not made: then its folder must be writable.
func probeSQLite(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		dir := filepath.Dir(path)
		for {
			if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
				break
			}
			dir = filepath.Dir(dir) // serve makes missing folders
		}
		f, err := os.CreateTemp(dir, ".kopir-check-*")
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(2000)")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("it cannot be written (%w)", err)
	}
	defer conn.ExecContext(ctx, "ROLLBACK")
	var tables int
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return fmt.Errorf("it is not an SQLite database (%w)", err)
	}
	return nil
}

func (l *loaded) listenFault(err error) fault {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return l.at("listen", l.Listen+" is in use by another program", "stop that one (perhaps a running kopir), or choose another port")
	case errors.Is(err, syscall.EACCES):
		return l.at("listen", l.Listen+" needs more rights than this user has", "choose a port from 1024 up")
	default:
		return l.at("listen", fmt.Sprintf("cannot listen on %s: %s", l.Listen, lastError(err)), "use an address of this machine")
	}
}

// reach opens a connection to the host of an address and closes it.
func reach(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil // told by checkValues
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return lastError(err)
	}
	return c.Close()
}

// lastError is the innermost cause: "connection refused", "no such host".
func lastError(err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return errors.New("there is no host " + dns.Name)
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		if s, ok := err.(*os.SyscallError); ok {
			return s.Err
		}
		err = inner
	}
}

// runCheck prints every fault of a configuration and of what it names.
// Exit status: 0 none, 1 some, 2 the file cannot be read or wrong use.
func runCheck(ctx context.Context, args []string, s stdio) int {
	file, ok := configFlag("check", args, s)
	if !ok {
		return exitUsage
	}
	l, faults := loadConfig(file)
	if l == nil {
		s.complain("%s", faults[0].format(file))
		return exitUsage
	}
	now := time.Now()
	m, more := l.open(now)
	faults = append(append(faults, more...), l.probe(ctx)...)
	slices.SortStableFunc(faults, func(a, b fault) int { return a.Line - b.Line })
	for _, n := range m.notes {
		fmt.Fprintf(s.err, "note: %s: %s\n", file, n)
	}
	if len(faults) > 0 {
		for _, f := range faults {
			fmt.Fprintln(s.err, f.format(file))
		}
		s.complain("%d fault%s", len(faults), plural(len(faults)))
		return exitFailed
	}
	c := m.key.Certificate
	fmt.Fprintf(s.out, "%s: no fault\n", file)
	fmt.Fprintf(s.out, "key       %s, %d days left (until %s)\n", c.Subject.CN, m.key.DaysLeft(now), c.NotAfter.Format(time.DateOnly))
	fmt.Fprintf(s.out, "trust     %d roots, %d authorities, %d known certificates\n", len(m.trust.Roots()), len(m.trust.Authorities()), len(m.known))
	for _, v := range m.set.Services() {
		fmt.Fprintf(s.out, "service   %s (%s)\n", v.ID, v.Edition)
	}
	fmt.Fprintf(s.out, "senders   %d\n", len(l.Senders))
	fmt.Fprintf(s.out, "api keys  %d\n", len(l.APIKeys))
	return exitPassed
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// configFlag reads the flags of the verbs that take a configuration alone.
func configFlag(verb string, args []string, s stdio) (string, bool) {
	f := flag.NewFlagSet(verb, flag.ContinueOnError)
	f.SetOutput(s.err)
	file := f.String("config", "", "`FILE` with the configuration; testdata/config/kopir.yaml is a commented example")
	if f.Parse(args) != nil {
		return "", false
	}
	switch {
	case *file == "":
		s.complain("%s needs -config FILE", verb)
	case f.NArg() > 0:
		s.complain("%s takes no arguments beside its flags", verb)
	default:
		return *file, true
	}
	return "", false
}
