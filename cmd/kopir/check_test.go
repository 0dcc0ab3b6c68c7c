package main

import (
	"bytes"
	"database/sql"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
)

// site is a folder with the example configuration and everything that it names.
type site struct {
	t         *testing.T
	dir       string
	authority *sigtest.Authority
}

func newSite(t *testing.T) *site {
	t.Helper()
	a, err := sigtest.NewAuthority("", sigtest.Options{Day: time.Now().UTC().Truncate(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir(), authority: a}
	partner := s.serve(a)
	example, err := os.ReadFile("../../testdata/config/kopir.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("127.0.0.1:8090", partner, "listen: 127.0.0.1:8080", "listen: 127.0.0.1:0").Replace(string(example))
	s.write("kopir.yaml", []byte(text))
	s.write("trust/authority.pem", a.ChainPEM())
	s.key("keys/bridge.p12", sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "BRIDGE"}, "Qwerty12")
	for _, name := range []string{"bridge", "gateway", "portal", "csc"} {
		s.write("keys/"+name+".password", []byte("Qwerty12\n"))
	}
	return s
}

// TestCheckNotesWhatApplicantsLack: without an address of ours there is neither
// QR code nor questionnaire, and it is said.
func TestCheckNotesWhatApplicantsLack(t *testing.T) {
	s := newSite(t)
	code, _, errs := kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
	if code != exitPassed || !strings.Contains(errs, "note: ") || !strings.Contains(errs, "public_url is not set") || !strings.Contains(errs, "QR code") || !strings.Contains(errs, "questionnaire") {
		t.Errorf("%d %s", code, errs)
	}
}

// serve is the gateway and the authority's responder and lists, at one address.
func (s *site) serve(a *sigtest.Authority) string {
	lists := http.NewServeMux()
	now := time.Now()
	give := func(b []byte, err error) http.HandlerFunc {
		if err != nil {
			s.t.Fatal(err)
		}
		return func(w http.ResponseWriter, _ *http.Request) { w.Write(b) }
	}
	lists.HandleFunc("GET /ca/crl/nca.crl", give(a.CRL(now, now.Add(time.Hour))))
	lists.HandleFunc("GET /ca/crl/nca_d.crl", give(a.DeltaCRL(now, now, now.Add(time.Hour))))
	lists.HandleFunc("GET /ca/crl/ended.crl", give(a.CRL(now.Add(-2*time.Hour), now.Add(-time.Hour))))
	lists.HandleFunc("POST /ca/ocsp", func(w http.ResponseWriter, r *http.Request) {
		question, err := io.ReadAll(r.Body)
		if err != nil {
			s.t.Error(err)
		}
		answer, err := a.OCSP(question, time.Now(), sigtest.OCSPOptions{})
		if err != nil {
			s.t.Error(err)
		}
		w.Write(answer)
	})
	server := httptest.NewServer(lists)
	s.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// listen gives an address at which something answers.
func (s *site) listen() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

func (s *site) write(name string, b []byte) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) key(name string, p sigtest.Profile, password string) {
	s.t.Helper()
	c, err := s.authority.Issue(p)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := c.PKCS12(password)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(name, b)
}

// other is a second authority that is trusted too.
func (s *site) other() *sigtest.Authority {
	s.t.Helper()
	a, err := sigtest.NewAuthority("OTHER", sigtest.Options{Day: time.Now().UTC().Truncate(24 * time.Hour)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("trust/other.pem", a.ChainPEM())
	s.write("other.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Issuing()}))
	return a
}

// local makes the local database by a statement.
func (s *site) local(q string) {
	s.t.Helper()
	file := filepath.Join(s.dir, "data/mio.db")
	s.write("data/mio.db", nil)
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.t.Context(), q); err != nil {
		s.t.Fatal(err)
	}
}

// edit replaces a piece of the configuration, which must be there.
func (s *site) edit(old, new string) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "kopir.yaml"))
	if err != nil || !strings.Contains(string(b), old) {
		s.t.Fatalf("no %q in the example: %v", old, err)
	}
	s.write("kopir.yaml", []byte(strings.Replace(string(b), old, new, 1)))
}

// kopir runs a verb and gives its exit status and what it printed.
func kopir(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, stdio{in: strings.NewReader(""), out: &out, err: &errs, env: func(string) string { return "" }})
	return code, out.String(), errs.String()
}

func TestCheckPassesOverTheExample(t *testing.T) {
	s := newSite(t)
	s.edit("# public_url:", "public_url:")
	code, out, errs := kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
	if code != exitPassed || errs != "" {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	for _, want := range []string{"no fault", " days left", "almaty-unemployed-certificate", "senders   2", "1 roots, 1 authorities"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "data")); err == nil {
		t.Error("check made a database")
	}
}

// Each of these breaks one thing that the configuration names; check must say
// it in one sentence and nothing else.
func TestCheckFindsWhatIsNamedAndWrong(t *testing.T) {
	year := 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		change func(*site)
		want   string
	}{
		"wrong password": {func(s *site) { s.write("keys/bridge.password", []byte("hunter2\n")) }, "key.password_file: the password does not open keys/bridge.p12; write the right one"},
		"no key file":    {func(s *site) { os.Remove(filepath.Join(s.dir, "keys/bridge.p12")) }, "key.p12: keys/bridge.p12: no such file"},
		"damaged key":    {func(s *site) { s.write("keys/bridge.p12", []byte("not a key")) }, "key.p12: "},
		"empty password": {func(s *site) { s.write("keys/bridge.password", []byte("\n")) }, "key.password_file: keys/bridge.password: the first line is empty"},
		"expired key": {func(s *site) {
			s.key("keys/bridge.p12", sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "OLD", NotBefore: time.Now().Add(-year), NotAfter: time.Now().Add(-time.Hour)}, "Qwerty12")
		}, "expired on"},
		"key of tomorrow": {func(s *site) {
			s.key("keys/bridge.p12", sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "NEW", NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(year)}, "Qwerty12")
		}, "is valid only from"},
		"key for authentication": {func(s *site) {
			s.key("keys/bridge.p12", sigtest.Profile{Kind: sigtest.System, Usage: sigtest.Auth, BIN: sigtest.BIN(1), CommonName: "AUTH"}, "Qwerty12")
		}, "the certificate is not for signing"},
		"another authority's key": {func(s *site) {
			other, err := sigtest.NewAuthority("OTHER", sigtest.Options{Day: time.Now().UTC().Truncate(24 * time.Hour)})
			if err != nil {
				s.t.Fatal(err)
			}
			s.authority = other
			s.key("keys/bridge.p12", sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "OTHER"}, "Qwerty12")
		}, "does not lead to a configured root"},
		"no trust folder":   {func(s *site) { s.edit("trust: [trust]", "trust: [nowhere]") }, "trust[0]: nowhere: no such file"},
		"trust is no trust": {func(s *site) { s.write("trust/authority.pem", []byte("hello")) }, "trust: "},
		"no such service":   {func(s *site) { s.edit("services: [ALMATY_UNEMPLOYED_CERTIFICATE]", "services: [NOTHING]") }, `senders[1].services[0]: no service has the serviceId "NOTHING"`},
		"service of nobody": {func(s *site) { s.edit("services: [almaty-unemployed-certificate]", "services: [nothing]") }, `services: there is no service "nothing"`},
		"no secret":         {func(s *site) { os.Remove(filepath.Join(s.dir, "keys/csc.password")) }, "senders[1].password_file: keys/csc.password: no such file"},
		"port in use":       {func(s *site) { a := s.listen(); s.edit("listen: 127.0.0.1:0", "listen: "+a) }, "is in use by another program; stop that one"},
		"address of nobody": {func(s *site) { s.edit("listen: 127.0.0.1:0", "listen: 203.0.113.1:80") }, "cannot listen on 203.0.113.1:80"},
		"partner is away": {func(s *site) {
			s.edit("/bip-async/", "/bip-async/\n  sync: http://127.0.0.1:1/")
			s.edit("  sync: http", "  # sync: http")
		}, "gateway.sync: cannot be reached: connection refused"},
		"list of nobody": {func(s *site) { s.edit("/ca/crl/nca.crl", "/ca/nothing") }, "revocation.crl[0]: gives no list that can be believed: HTTP status 404"},
		"ended list":     {func(s *site) { s.edit("/ca/crl/nca.crl", "/ca/crl/ended.crl") }, "revocation.crl[0]: gives no list that can be believed: "},
		"delta for list": {func(s *site) { s.edit("/ca/crl/nca.crl", "/ca/crl/nca_d.crl") }, "revocation.crl[0]: gives no list that can be believed: "},
		"list for OCSP":  {func(s *site) { s.edit("/ca/ocsp", "/ca/crl/nca.crl") }, "revocation.ocsp[0]: gives no answer that can be believed: "},
		"responder away": {func(s *site) {
			a := s.listen()
			s.edit("ocsp: [\"http://", "ocsp: [\"http://"+a+"/x\", \"http://")
		}, "revocation.ocsp[0]: gives no answer that can be believed: "},
		"another authority's list": {func(s *site) {
			s.edit("  # authorities:\n", "  authorities:\n    - certificate: other.pem\n      ocsp: [\"http://"+s.serve(s.other())+"/ca/ocsp\"]\n      crl: [\"http://"+s.serve(s.authority)+"/ca/crl/nca.crl\"]\n")
		}, "revocation.authorities[0].crl[0]: gives no list that can be believed: "},
		"authority not trusted": {func(s *site) {
			s.other()
			if err := os.Remove(filepath.Join(s.dir, "trust/other.pem")); err != nil {
				s.t.Fatal(err)
			}
			s.edit("  # authorities:\n", "  authorities:\n    - certificate: other.pem\n      crl: [\"http://127.0.0.1:1/\"]\n")
		}, "revocation.authorities[0].certificate: "},
		"authority without a source": {func(s *site) {
			s.other()
			s.edit("  ocsp: [\"http", "  # ocsp: [\"http")
			s.edit("  crl: [\"http", "  # crl: [\"http")
			s.edit("  delta: [\"http", "  # delta: [\"http")
			s.edit("  # authorities:\n", "  authorities:\n    - certificate: other.pem\n      crl: [\"http://"+s.serve(s.authority)+"/ca/crl/nca.crl\"]\n")
		}, "so no certificate that it issued could ever be accepted"},
		"polls nobody's service": {func(s *site) {
			s.edit("  # poll:\n", "  poll: [{service_id: NOTHING}]\n")
		}, `gateway.poll[0].service_id: no service has the serviceId "NOTHING"`},
		"roots that are none": {func(s *site) {
			s.write("ca.pem", []byte("hello"))
			s.edit("  # ca: [tls/gateway.pem]", "  ca: [ca.pem]")
		}, "gateway.ca[0]: ca.pem: holds no certificate in PEM"},
		"no roots": {func(s *site) { s.edit("  # ca: [tls/gateway.pem]", "  ca: [ca.pem]") }, "gateway.ca[0]: ca.pem: no such file"},
		"https of a stranger": {func(s *site) {
			server := httptest.NewTLSServer(http.NotFoundHandler())
			s.t.Cleanup(server.Close)
			s.edit("/bip-async/", "/bip-async/\n  sync: "+server.URL)
			s.edit("  sync: http", "  # sync: http")
		}, "gateway.sync: cannot be reached: its certificate is not believed"},
		"proxy is away": {func(s *site) { s.edit("# proxy: none", "proxy: http://127.0.0.1:1") }, "gateway.sync: cannot be reached: connection refused"},
		"table without a column": {func(s *site) {
			s.local("CREATE TABLE unemployed_certificate (application_no TEXT PRIMARY KEY)")
		}, "the table unemployed_certificate has no column surname"},
		"not a database":    {func(s *site) { s.write("data/kopir.db", []byte(strings.Repeat("not a database ", 100))) }, "store.path: data/kopir.db: it"},
		"path under a file": {func(s *site) { s.write("data", []byte("a file")) }, "store.path: "},
		"broken mapping": {func(s *site) {
			s.edit("# mappings: mappings", "mappings: m")
			s.write("m/x.yaml", []byte("service: y\n"))
		}, "mappings: "},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c.change(s)
			code, out, errs := kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
			if code != exitFailed || !strings.Contains(errs, c.want) {
				t.Errorf("%d, no %q in:\n%s%s", code, c.want, out, errs)
			}
			if strings.Contains(errs, "hunter2") || strings.Contains(errs, "Qwerty12") {
				t.Errorf("a secret is shown:\n%s", errs)
			}
		})
	}
}

func TestCheckTellsAllAtOnce(t *testing.T) {
	s := newSite(t)
	s.edit("level: info", "level: loud")
	s.edit("trust: [trust]", "trust: [nowhere]")
	s.write("keys/bridge.password", []byte("wrong\n"))
	s.write("keys/gateway.password", []byte("\n"))
	code, _, errs := kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
	for _, want := range []string{"log.level", "trust[0]", "key.password_file", "gateway.password_file", "kopir: 4 faults"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in:\n%s", want, errs)
		}
	}
	if code != exitFailed {
		t.Errorf("exit status %d", code)
	}
}

func TestCheckWrongUse(t *testing.T) {
	for _, args := range [][]string{{"check"}, {"check", "-config"}, {"check", "-config", "a", "b"}, {"check", "-colour"}, {"check", "-config", "/nowhere/kopir.yaml"}} {
		if code, out, errs := kopir(t, args...); code != exitUsage || errs == "" || out != "" {
			t.Errorf("%v: %d %q %q", args, code, out, errs)
		}
	}
}

func TestAPIKeyIsShownOnce(t *testing.T) {
	code, out, errs := kopir(t, "apikey", "-name", "desk", "-role", "specialist")
	key := strings.TrimSpace(out)
	if code != exitPassed || !strings.HasPrefix(key, "kopir_") || strings.Contains(errs, key) {
		t.Fatalf("%d %q %q", code, out, errs)
	}
	s := newSite(t)
	entry := errs[strings.Index(errs, "  - {"):]
	s.edit("api_keys:\n", "api_keys:\n"+entry)
	if code, out, errs := kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml")); code != exitPassed || !strings.Contains(out, "api keys  2") {
		t.Errorf("the printed entry does not pass: %d %s%s", code, out, errs)
	}
	if code, _, _ := kopir(t, "apikey", "-name", "desk", "-role", "boss"); code != exitUsage {
		t.Errorf("unknown role: %d", code)
	}
}

// A server is asked too, and what does not fit is told at the line of the
// description; one that is away is named by its cause.
func TestCheckAsksTheLocalServer(t *testing.T) {
	s := newSite(t)
	s.write("keys/local.password", []byte("Qwerty12\n"))
	s.edit("  driver: sqlite\n  path: data/mio.db       # tables that are missing are made here", "  driver: postgres\n  dsn: postgres://kopir@127.0.0.1:1/mio\n  password_file: keys/local.password")
	code, _, errs := kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
	if code != exitFailed || !strings.Contains(errs, "local.dsn: postgres: mio: reach: the database cannot be reached: connection refused") || strings.Contains(errs, "Qwerty12") {
		t.Errorf("%d\n%s", code, errs)
	}
	address := os.Getenv("KOPIR_POSTGRES")
	if address == "" {
		t.Skip("no postgres here: KOPIR_POSTGRES names none (.ci/with-postgres starts one)")
	}
	own := emptyPostgres(t)
	s.write("keys/local.dsn", []byte(own+"\n"))
	s.edit("  dsn: postgres://kopir@127.0.0.1:1/mio\n  password_file: keys/local.password", "  dsn_file: keys/local.dsn")
	code, _, errs = kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
	if code != exitFailed || !strings.Contains(errs, "local.dsn_file: keys/local.dsn: almaty-unemployed-certificate.yaml:") || !strings.Contains(errs, "local.table: the database has no table unemployed_certificate") {
		t.Errorf("%d\n%s", code, errs)
	}
	// What fits and is slow is a note.
	const akimat = "../../testdata/akimats/upper-case/"
	s.write("mappings/housing-aid.yaml", readAll(t, akimat+"housing-aid.yaml"))
	s.edit("# mappings: mappings", "mappings: mappings")
	s.edit("services: [almaty-unemployed-certificate]", "services: [housing-aid]")
	s.edit("    services: [ALMATY_UNEMPLOYED_CERTIFICATE]\n", "")
	db, err := sql.Open("pgx", own)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	check := func(q string) string {
		t.Helper()
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
		return must(t, exitPassed, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
	}
	const note = "local: public.T_APPLICATION has no index on (DT_CHANGED, APPL_NO)"
	if said := check(string(readAll(t, akimat+"schema.postgres.sql"))); strings.Count(said, note) != 1 {
		t.Error(said)
	}
	if said := check(`CREATE INDEX changed ON "T_APPLICATION" ("DT_CHANGED", "APPL_NO")`); strings.Contains(said, "has no index") {
		t.Error(said)
	}
}

// TestNoConfiguration: every command that needs one says that it is not there,
// and ends as one that was called wrongly.
func TestNoConfiguration(t *testing.T) {
	for _, call := range []string{
		"serve", "check", "store status", "store migrate -to 1", "store backup -o b.db", "store restore", "journal verify", "journal export", "journal archive",
		"journal erase -reason act UC-2026-000001",
	} {
		words := strings.Fields(call)
		at := min(2, len(words))
		args := slices.Concat(words[:at], []string{"-config", "nowhere.yaml"}, words[at:])
		if said := must(t, exitUsage, args...); !strings.Contains(said, "nowhere.yaml: no such file; name an existing file with -config") {
			t.Errorf("%s: %s", call, said)
		}
	}
}
