package client

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/gateway"
)

// smtpServer is a mail server of RFC 5321 with STARTTLS (RFC 3207) and AUTH (RFC
// 4954), as far as a client meets them.
type smtpServer struct {
	listener net.Listener
	config   *tls.Config
	roots    *x509.CertPool
	starttls bool
	implicit bool
	user     string
	password string
	replies  map[string]string // to a verb, instead of the usual one
	hangup   string            // verb at which the connection ends

	mu      sync.Mutex
	said    []string // every line, with "tls " before it where it was encrypted
	letters []string
	done    sync.WaitGroup
}

func newSMTP(t *testing.T) *smtpServer {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	s := &smtpServer{config: &tls.Config{Certificates: web.TLS.Certificates}, roots: x509.NewCertPool(), starttls: true, user: "kopir", password: "geheim", replies: map[string]string{}}
	s.roots.AddCert(web.Certificate())
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.listener.Close(); s.done.Wait() })
	return s
}

// start takes connections; what the server is like must not change any more.
func (s *smtpServer) start() {
	s.done.Go(func() {
		for {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.done.Go(func() { s.serve(c) })
		}
	})
}

// taken are the letters that came.
func (s *smtpServer) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.letters)
}

func (s *smtpServer) mail() *Mail {
	m := &Mail{Host: "127.0.0.1", Port: s.listener.Addr().(*net.TCPAddr).Port, From: "Тест <noreply@akimat.example>", User: s.user, Password: s.password,
		TLS: &tls.Config{RootCAs: s.roots}, Implicit: s.implicit, Now: func() time.Time { return time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC) }}
	return m
}

func (s *smtpServer) serve(c net.Conn) {
	defer func() { c.Close() }()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	encrypted := false
	if s.implicit {
		c, encrypted = tls.Server(c, s.config), true
	}
	r := bufio.NewReader(c)
	say := func(line string) { fmt.Fprintf(c, "%s\r\n", line) }
	say("220 mail.test ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		s.mu.Lock()
		if encrypted {
			s.said = append(s.said, "tls "+line)
		} else {
			s.said = append(s.said, line)
		}
		reply, hangup := s.replies[verb], s.hangup
		s.mu.Unlock()
		if hangup == verb {
			return
		}
		if reply != "" {
			say(reply)
			continue
		}
		switch verb {
		case "EHLO":
			say("250-mail.test")
			if s.starttls && !encrypted {
				say("250-STARTTLS")
			}
			say("250 AUTH PLAIN LOGIN")
		case "STARTTLS":
			say("220 go")
			c, encrypted = tls.Server(c, s.config), true
			r = bufio.NewReader(c)
		case "AUTH":
			say(s.auth(line, r, say))
		case "MAIL", "RCPT", "NOOP", "RSET":
			say("250 ok")
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				l, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(l, "."))
			}
			s.mu.Lock()
			s.letters = append(s.letters, b.String())
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 what?")
		}
	}
}

func (s *smtpServer) auth(line string, r *bufio.Reader, say func(string)) string {
	ask := func(what string) string {
		say("334 " + base64.StdEncoding.EncodeToString([]byte(what)))
		l, _ := r.ReadString('\n')
		b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(l))
		return string(b)
	}
	var user, password string
	switch f := strings.Fields(line); {
	case len(f) == 3 && f[1] == "PLAIN":
		b, _ := base64.StdEncoding.DecodeString(f[2])
		parts := strings.Split(string(b), "\x00")
		if len(parts) == 3 {
			user, password = parts[1], parts[2]
		}
	case len(f) >= 2 && f[1] == "LOGIN":
		user, password = ask("Username:"), ask("Password:")
	}
	if user == s.user && password == s.password {
		return "235 in"
	}
	return "535 no"
}

func (s *smtpServer) clear(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.said {
		if plain, _, _ := strings.Cut(line, " "); plain == "AUTH" || plain == "MAIL" || plain == "RCPT" || plain == "DATA" {
			t.Errorf("said in clear: %s", plain)
		}
	}
}

func testLetter() gateway.Letter {
	return gateway.Letter{ID: "7ea6369f-18c5-4633-ad73-19de35883e0b", To: "citizen@example.kz", Subject: "Өтініш № 1", Text: "Нәтиже дайын: қараңыз.\n.\nСоңы\n",
		Enclosures: []gateway.Document{{Name: "Анықтама.xml", MediaType: "application/xml", Content: []byte("<result>ә</result>")}}}
}

// TestMail sends over STARTTLS and over TLS from the start, with both ways of
// authentication, and reads the letter as its receiver would.
func TestMail(t *testing.T) {
	for _, c := range []struct{ implicit, login bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			s := newSMTP(t)
			s.implicit = c.implicit
			s.start()
			m := s.mail()
			m.Login = c.login
			if err := m.Check(); err != nil {
				t.Fatal(err)
			}
			if err := m.Post(t.Context(), testLetter()); err != nil {
				t.Fatal(err)
			}
			s.clear(t)
			letters := s.taken()
			if len(letters) != 1 {
				t.Fatalf("%d letters", len(letters))
			}
			readLetter(t, letters[0])
		})
	}
}

func readLetter(t *testing.T, raw string) {
	t.Helper()
	msg, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	word := new(mime.WordDecoder)
	subject, err := word.DecodeHeader(msg.Header.Get("Subject"))
	if err != nil || subject != "Өтініш № 1" {
		t.Errorf("subject %q, %v", subject, err)
	}
	if id := msg.Header.Get("Message-Id"); id != "<7ea6369f-18c5-4633-ad73-19de35883e0b@akimat.example>" {
		t.Errorf("id %q", id)
	}
	if to := msg.Header.Get("To"); to != "<citizen@example.kz>" {
		t.Errorf("to %q", to)
	}
	if d, err := msg.Header.Date(); err != nil || d.Year() != 2026 || msg.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%v, %v", d, err)
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	text, err := parts.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(text))
	if got := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || strings.TrimSpace(got) != strings.TrimSpace(testLetter().Text) {
		t.Errorf("text %q, %v", got, err)
	}
	file, err := parts.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	_, disposition, err := mime.ParseMediaType(file.Header.Get("Content-Disposition"))
	name, _ := word.DecodeHeader(disposition["filename"])
	content, _ := io.ReadAll(base64.NewDecoder(base64.StdEncoding, file))
	if err != nil || name != "Анықтама.xml" || string(content) != "<result>ә</result>" || !strings.HasPrefix(file.Header.Get("Content-Type"), "application/xml") {
		t.Errorf("%v %q %q %q", err, name, content, file.Header.Get("Content-Type"))
	}
	if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
		t.Errorf("one part too many: %v", err)
	}
}

// TestMailFails is the table of what each failure means.
func TestMailFails(t *testing.T) {
	for name, c := range map[string]struct {
		change          func(*smtpServer, *Mail, *gateway.Letter)
		permanent, sent bool
	}{
		"no TLS offered":       {change: func(s *smtpServer, _ *Mail, _ *gateway.Letter) { s.starttls = false }},
		"unknown root":         {change: func(_ *smtpServer, m *Mail, _ *gateway.Letter) { m.TLS = nil }},
		"other host":           {change: func(_ *smtpServer, m *Mail, _ *gateway.Letter) { m.Host = "localhost" }},
		"wrong password":       {change: func(_ *smtpServer, m *Mail, _ *gateway.Letter) { m.Password = "x" }},
		"greylisted":           {change: func(s *smtpServer, _ *Mail, _ *gateway.Letter) { s.replies["RCPT"] = "451 later" }},
		"no such mailbox":      {change: func(s *smtpServer, _ *Mail, _ *gateway.Letter) { s.replies["RCPT"] = "550 citizen@example.kz unknown" }, permanent: true},
		"too large":            {change: func(s *smtpServer, _ *Mail, _ *gateway.Letter) { s.replies["DATA"] = "552 too large" }, permanent: true},
		"hangs up":             {change: func(s *smtpServer, _ *Mail, _ *gateway.Letter) { s.hangup = "DATA" }},
		"nobody there":         {change: func(s *smtpServer, _ *Mail, _ *gateway.Letter) { s.listener.Close() }},
		"a header in the name": {change: func(_ *smtpServer, _ *Mail, l *gateway.Letter) { l.To = "a@b.kz\r\nBcc: c@d.kz" }, permanent: true},
		"a header in subject":  {change: func(_ *smtpServer, _ *Mail, l *gateway.Letter) { l.Subject = "x\r\nBcc: c@d.kz" }, permanent: true},
		"a header in the id":   {change: func(_ *smtpServer, _ *Mail, l *gateway.Letter) { l.ID = "x>\r\nBcc: c@d.kz" }, permanent: true},
		"two addresses":        {change: func(_ *smtpServer, _ *Mail, l *gateway.Letter) { l.To = "a@b.kz, c@d.kz" }, permanent: true},
		"a name":               {change: func(_ *smtpServer, _ *Mail, l *gateway.Letter) { l.To = "A <a@b.kz>" }, permanent: true},
		"a bad file name": {change: func(_ *smtpServer, _ *Mail, l *gateway.Letter) {
			l.Enclosures[0].Name = "../a\r\nBcc: c@d.kz\";x=\""
			l.Enclosures[0].MediaType = "text/html\r\nBcc: c@d.kz"
		}, sent: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSMTP(t)
			m, l := s.mail(), testLetter()
			c.change(s, m, &l)
			s.start()
			if err := m.Check(); err != nil {
				t.Fatal(err)
			}
			err := m.Post(t.Context(), l)
			s.clear(t)
			letters := s.taken()
			if c.sent {
				if err != nil || len(letters) != 1 || strings.Contains(letters[0], "\r\nBcc:") {
					t.Errorf("%v\n%s", err, letters)
				}
				return
			}
			var se *gateway.SendError
			if !errors.As(err, &se) || se.Permanent != c.permanent || len(letters) > 0 {
				t.Fatalf("%+v, %d letters", err, len(letters))
			}
			for _, secret := range []string{l.To, m.Password, "550 "} {
				if len(secret) > 3 && strings.Contains(err.Error(), secret) {
					t.Errorf("the error quotes %q: %v", secret, err)
				}
			}
		})
	}
}

func TestMailCheck(t *testing.T) {
	for _, bad := range []Mail{{Host: "a", Port: 25, From: "nobody"}, {Port: 25, From: "a@b.kz"}, {Host: "a", From: "a@b.kz"}, {Host: "a", Port: 70000, From: "a@b.kz"}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
