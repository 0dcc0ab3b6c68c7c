package mio

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kopir/gateway"
)

// cut stands between the bridge and a server. Armed, it lets the next COMMIT
// through, or not, and then cuts the connection before anybody answers.
type cut struct {
	listener net.Listener
	network  string
	address  string
	armed    atomic.Int32 // 1: before it arrives, 2: after it was done
	done     atomic.Int32
	wg       sync.WaitGroup
}

func newCut(t *testing.T, network, address string) *cut {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cut{listener: l, network: network, address: address}
	c.wg.Go(func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.join(here) })
		}
	})
	t.Cleanup(func() { l.Close(); c.wg.Wait() })
	return c
}

func (c *cut) join(here net.Conn) {
	defer here.Close()
	there, err := net.Dial(c.network, c.address)
	if err != nil {
		return
	}
	defer there.Close()
	var silent atomic.Bool
	c.wg.Go(func() { // answers
		defer here.Close()
		b := make([]byte, 1<<16)
		for {
			n, err := there.Read(b)
			if err != nil || silent.Load() {
				return
			}
			if _, err := here.Write(b[:n]); err != nil {
				return
			}
		}
	})
	b := make([]byte, 1<<16)
	for {
		n, err := here.Read(b)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToUpper(b[:n]), []byte("COMMIT")) {
			switch how := c.armed.Swap(0); how {
			case 1:
				c.done.Add(1)
				return
			case 2:
				silent.Store(true) // its answer closes the connection
				c.done.Add(1)
			}
		}
		if _, err := there.Write(b[:n]); err != nil {
			return
		}
	}
}

// A connection that is cut while a commit is under way leaves open whether it
// happened; the key settles it: one row, with everything that belongs to it.
func TestCutDuringCommit(t *testing.T) {
	everywhere(t, "upper-case", func(t *testing.T, s *site) {
		var c *cut
		o := s.o
		switch s.d {
		case &sqlite:
			return // which has no connection to cut
		case &postgres:
			folder := strings.TrimPrefix(strings.Fields(o.URL)[0], "host=")
			c = newCut(t, "unix", filepath.Join(folder, ".s.PGSQL.5432"))
			o.URL = strings.Replace(o.URL, "host="+folder, "host=127.0.0.1 sslmode=disable port="+port(c), 1)
		case &mysql:
			u, err := url.Parse(o.URL)
			if err != nil {
				t.Fatal(err)
			}
			c = newCut(t, "unix", u.Query().Get("socket"))
			o.URL = "mysql://root@127.0.0.1:" + port(c) + u.Path
		}
		m, err := Open(o, s.set())
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		for how, number := range map[int32]string{1: "HA-1", 2: "HA-2"} {
			r := application("upper-case", number)
			c.armed.Store(how)
			err := m.Write(t.Context(), r)
			var se *gateway.SendError
			if err == nil || errors.As(err, &se) && se.Permanent { // it must be tried again
				t.Errorf("the answer to a commit was lost, and it is told: %v", err)
			}
			write(t, m, r)
			write(t, m, r)
			for q, want := range map[string]string{
				"SELECT count(*) FROM ~T_APPLICATION WHERE ~APPL_NO = '" + number + "'":                                                       "1",
				"SELECT count(*) FROM ~T_APPL_MEMBER WHERE ~APPL_ID IN (SELECT ~ID FROM ~T_APPLICATION WHERE ~APPL_NO = '" + number + "' )":   "2",
				"SELECT count(*) FROM ~T_APPL_FILE f WHERE f.~APPL_ID IN (SELECT ~ID FROM ~T_APPLICATION WHERE ~APPL_NO = '" + number + "' )": "1",
			} {
				if got := s.get(t, s.upper(strings.ReplaceAll(q, "f WHERE f.", "WHERE "))); got != want {
					t.Errorf("%d %s: %s, want %s", how, q, got, want)
				}
			}
		}
		if c.done.Load() != 2 {
			t.Errorf("%d connections were cut", c.done.Load())
		}
	})
}

func port(c *cut) string {
	_, p, _ := net.SplitHostPort(c.listener.Addr().String())
	return p
}

// TestListen: a notification wakes who listens; so does listening itself.
func TestListen(t *testing.T) {
	address := os.Getenv("KOPIR_POSTGRES")
	if address == "" {
		t.Skip("no postgres here: KOPIR_POSTGRES names none (.ci/with-postgres starts one)")
	}
	s := newSite(t, "postgres", address, "normalised")
	o := s.o
	o.Notify = "kopir_status"
	m, err := Open(o, s.set())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	woken := make(chan struct{}, 16)
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	wg.Go(func() { m.Listen(ctx, func() { woken <- struct{}{} }) })
	wait := func(what string) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(20 * time.Second):
			t.Fatal(what)
		}
	}
	wait("it does not listen")
	write(t, s.DB, application("normalised", "CV-1")) // whose trigger notifies
	wait("nobody was woken")
	s.do(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()")
	wait("it does not listen again")
	stop()
	wg.Wait()
}

// server is one of the test's own, to be stopped as by a power cut, and started.
type server struct{ stop, start func() }

// awaits waits until a server answers.
func awaits(t *testing.T, o Options) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		db, err := o.open(5 * time.Second)
		if err == nil {
			err = db.Ping()
			db.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the server does not start: %v", err)
		}
	}
}

// A server that is really gone: writes say so and are no fault of the row;
// afterwards they arrive once, in their order.
func TestServerStopped(t *testing.T) {
	t.Run("mysql", func(t *testing.T) {
		mariadbd, err := exec.LookPath("mariadbd")
		if err != nil {
			mariadbd = "/usr/sbin/mariadbd"
		}
		_, e1 := os.Stat(mariadbd)
		install, e2 := exec.LookPath("mariadb-install-db")
		_, e3 := exec.LookPath("my_print_defaults") // which mariadb-install-db asks
		if e1 != nil || e2 != nil || e3 != nil {
			t.Skip("MariaDB is not here (Debian packages: mariadb-server-core, mariadb-client-core)")
		}
		dir, err := os.MkdirTemp("/dev/shm", "mio")
		if err != nil {
			dir = t.TempDir()
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		options := []string{"--no-defaults", "--datadir=" + dir + "/data"}
		if os.Getuid() == 0 {
			options = append(options, "--user=root")
		}
		if out, err := exec.Command(install, append(options, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		o := Options{Driver: "mysql", URL: "mysql://root@/mysql?socket=" + dir + "/sock"}
		var running *exec.Cmd
		s := server{
			start: func() {
				running = exec.Command(mariadbd, append(options, "--skip-networking", "--socket="+dir+"/sock")...)
				if err := running.Start(); err != nil {
					t.Fatal(err)
				}
				awaits(t, o)
			},
			stop: func() {
				_ = running.Process.Kill()
				_ = running.Wait()
			},
		}
		s.start()
		t.Cleanup(func() { s.stop() })
		stopAndStart(t, newSite(t, o.Driver, o.URL, "transliterated"), s)
	})
	t.Run("postgres", func(t *testing.T) {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
		if len(found) == 0 {
			t.Skip("PostgreSQL is not here (Debian package: postgresql)")
		}
		dir, err := os.MkdirTemp("", "mio") // not below this test's own folder, which its user may not enter
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		run := func(name string, args ...string) {
			t.Helper()
			name = filepath.Join(filepath.Dir(found[len(found)-1]), name)
			c := exec.Command(name, args...)
			if os.Getuid() == 0 { // the server refuses to run as root
				c = exec.Command("runuser", append([]string{"-u", "postgres", "--", name}, args...)...)
			}
			c.Dir = dir
			if err := c.Run(); err != nil { // its output would keep the pipe of a server that goes on
				t.Fatalf("%s %v: %v", name, args, err)
			}
		}
		if os.Getuid() == 0 {
			if err := exec.Command("chown", "postgres", dir).Run(); err != nil {
				t.Skip("there is no user postgres here")
			}
		}
		run("initdb", "-D", dir+"/data", "-A", "trust", "-U", "kopir", "-E", "UTF8", "--no-sync")
		o := Options{Driver: "postgres", URL: "host=" + dir + " user=kopir dbname=postgres"}
		s := server{
			start: func() {
				run("pg_ctl", "-D", dir+"/data", "-w", "-l", dir+"/log", "-o", "-c listen_addresses='' -k "+dir+" -c fsync=off", "start")
				awaits(t, o)
			},
			stop: func() { run("pg_ctl", "-D", dir+"/data", "-m", "immediate", "stop") },
		}
		s.start()
		t.Cleanup(func() { s.stop() })
		stopAndStart(t, newSite(t, o.Driver, o.URL, "transliterated"), s)
	})
}

func stopAndStart(t *testing.T, db *site, s server) {
	t.Helper()
	write(t, db.DB, application("transliterated", "DL-1"))
	s.stop()
	second := application("transliterated", "DL-2")
	for range 3 {
		err := db.Write(t.Context(), second)
		var se *gateway.SendError
		if err == nil || classOf(err) != Lost || errors.As(err, &se) && se.Permanent {
			t.Errorf("a row for a server that is away: %v", err)
		}
	}
	if _, err := db.Codes(t.Context(), "child-camp", "lagerya"); classOf(err) != Lost {
		t.Errorf("codes: %v", err)
	}
	if _, err := db.Statuses(t.Context(), "child-camp", []string{"DL-1"}); classOf(err) != Lost {
		t.Errorf("statuses: %v", err)
	}
	if err := db.Use(t.Context(), db.set()); err != nil {
		t.Errorf("descriptions are not taken over while the server is away: %v", err)
	}
	s.start()
	write(t, db.DB, second)
	write(t, db.DB, gateway.LocalRow{Service: "child-camp", Number: "DL-2", State: gateway.InProgress, At: at})
	write(t, db.DB, second)
	now, err := db.Statuses(t.Context(), "child-camp", []string{"DL-1", "DL-2"})
	if err != nil || len(now) != 2 || now[0].Code+now[1].Code != "NOVRAB" && now[0].Code+now[1].Code != "RABNOV" {
		t.Errorf("%+v %v", now, err)
	}
	if got := db.get(t, "SELECT count(*) FROM putevki_deti"); got != "2" {
		t.Errorf("%s children", got)
	}
}
