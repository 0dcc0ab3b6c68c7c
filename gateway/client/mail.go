package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"net"
	netmail "net/mail"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"

	"kopir/gateway"
)

// Mail sends letters by SMTP, over TLS only: from the first byte (Implicit), or
// by STARTTLS before anything is said. A server that offers no TLS gets no
// letter.
type Mail struct {
	Host     string
	Port     int
	Implicit bool
	From     string // "Name <address>"
	User     string // empty: without authentication
	Password string
	Login    bool        // AUTH LOGIN instead of PLAIN
	TLS      *tls.Config // roots; nil: the machine's
	Timeout  time.Duration
	Now      func() time.Time

	from *netmail.Address
}

var _ gateway.Post = (*Mail)(nil)

// Check completes a Mail with its defaults, or says what is wrong with it.
func (m *Mail) Check() error {
	from, err := netmail.ParseAddress(m.From)
	switch {
	case err != nil:
		return fmt.Errorf("client: mail: %q is no sender's address", m.From)
	case m.Host == "" || m.Port < 1 || m.Port > 65535:
		return errors.New("client: mail: a server with its port is needed")
	}
	m.from = from
	if m.Timeout == 0 {
		m.Timeout = DefaultTimeout
	}
	if m.Now == nil {
		m.Now = time.Now
	}
	return nil
}

// Post implements gateway.Post. What the server refuses for good (5yz of RFC
// 5321 about this letter) is permanent; a server that cannot be reached or does
// not let us in is asked again.
func (m *Mail) Post(ctx context.Context, l gateway.Letter) error {
	letter, err := m.letter(l)
	if err != nil {
		return &gateway.SendError{Permanent: true, Cause: gateway.CauseOurs, Err: fmt.Errorf("client: mail: %w", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	// The library leaves a connection open on which it could not go on.
	var conn net.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	c, err := m.client(func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		conn, err = m.dial(ctx, network, address)
		return conn, err
	})
	if err != nil {
		return &gateway.SendError{Cause: gateway.CauseOurs, Err: fmt.Errorf("client: mail: %w", err)}
	}
	if err := c.DialWithContext(ctx); err != nil {
		return &gateway.SendError{Cause: causeOf(err), Err: fmt.Errorf("client: mail: the server: %w", err)}
	}
	defer c.Close() // QUIT; the letter is taken or not before it
	err = c.Send(letter)
	var se *mail.SendError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &se) && se.ErrorCode() != 0:
		// The server's sentence often names the address: its code is enough.
		code := fmt.Sprint(se.ErrorCode())
		return &gateway.SendError{Permanent: se.ErrorCode() >= 500, Code: code, Err: errors.New("client: mail: the server did not take the letter")}
	default:
		return &gateway.SendError{Unknown: true, Cause: gateway.CauseTimeout, Err: errors.New("client: mail: the conversation with the server broke off")}
	}
}

// config is that of TLS.
func (m *Mail) config() *tls.Config {
	c := &tls.Config{}
	if m.TLS != nil {
		c = m.TLS.Clone()
	}
	c.MinVersion, c.ServerName = max(c.MinVersion, tls.VersionTLS12), m.Host
	return c
}

// dial opens the connection, with Implicit an encrypted one.
func (m *Mail) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if m.Implicit {
		return (&tls.Dialer{Config: m.config()}).DialContext(ctx, network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

func (m *Mail) client(dial mail.DialContextFunc) (*mail.Client, error) {
	options := []mail.Option{mail.WithPort(m.Port), mail.WithTimeout(m.Timeout), mail.WithDialContextFunc(dial),
		mail.WithTLSConfig(m.config()), mail.WithTLSPolicy(mail.TLSMandatory)}
	if m.Implicit {
		options = append(options, mail.WithSSL())
	}
	if m.User != "" {
		kind := mail.SMTPAuthPlain
		if m.Login {
			kind = mail.SMTPAuthLogin
		}
		options = append(options, mail.WithSMTPAuth(kind), mail.WithUsername(m.User), mail.WithPassword(m.Password))
	}
	return mail.NewClient(m.Host, options...)
}

// letter writes the message. Nothing that came from outside may begin a header
// line of its own: what holds a control character is refused.
func (m *Mail) letter(l gateway.Letter) (*mail.Msg, error) {
	to, err := netmail.ParseAddress(l.To)
	if err != nil || to.Address != l.To || to.Name != "" {
		return nil, errors.New("the address is not one plain e-mail address")
	}
	for what, s := range map[string]string{"address": l.To, "subject": l.Subject, "id": l.ID} {
		if strings.ContainsFunc(s, unicode.IsControl) {
			return nil, fmt.Errorf("the %s holds a control character", what)
		}
	}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(m.from)
	msg.ToMailAddress(to)
	msg.Subject(l.Subject)
	msg.SetMessageIDWithValue(l.ID + "@" + domain)
	msg.SetDateWithValue(m.Now())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	msg.SetBodyString(mail.TypeTextPlain, l.Text)
	for _, e := range l.Enclosures {
		kind, _, err := mime.ParseMediaType(e.MediaType)
		if err != nil {
			kind = "application/octet-stream"
		}
		msg.AttachReadSeeker(fileName(e.Name), bytes.NewReader(e.Content), mail.WithFileContentType(mail.ContentType(kind)))
	}
	return msg, nil
}

// fileName leaves of a name what cannot hurt a header or a folder.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`"\/:*?<>|;`, r) {
			return '_'
		}
		return r
	}, path.Base(name))
	if name == "" || name == "." {
		return "result"
	}
	return name
}
