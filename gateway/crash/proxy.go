package crash

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// How a commit is cut off.
const (
	cutNot      int32 = iota
	cutQuestion       // the server never hears of it
	cutHalf           // the server gets half of it
	cutAnswer         // the server does it, nobody hears of that
	cuts
)

// proxy stands between a node and PostgreSQL. It reads the frames of the
// protocol (version 3), so that it knows the COMMIT among them.
type proxy struct {
	addr    string
	listen  net.Listener
	network string
	server  string
	armed   atomic.Int32
	done    atomic.Int64 // commits that were cut off
	away    atomic.Bool  // nobody gets through

	mu   sync.Mutex
	open map[net.Conn]bool
	wg   sync.WaitGroup
}

func newProxy(c *pgconn.Config) (*proxy, error) {
	p := &proxy{network: "tcp", server: net.JoinHostPort(c.Host, fmt.Sprint(c.Port)), open: map[net.Conn]bool{}}
	if strings.HasPrefix(c.Host, "/") {
		p.network, p.server = "unix", filepath.Join(c.Host, fmt.Sprintf(".s.PGSQL.%d", c.Port))
	}
	var err error
	if p.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	p.addr = p.listen.Addr().String()
	p.wg.Go(func() {
		for {
			here, err := p.listen.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.join(here) })
		}
	})
	return p, nil
}

// sever ends every connection; with away, until it is back nobody gets a new one.
func (p *proxy) sever(away bool) {
	p.away.Store(away)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

func (p *proxy) close() error {
	err := p.listen.Close()
	p.sever(true)
	p.wg.Wait()
	return err
}

// hold keeps a connection for sever.
func (p *proxy) hold(c net.Conn) (letGo func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = true
	return func() {
		p.mu.Lock()
		delete(p.open, c)
		p.mu.Unlock()
		c.Close()
	}
}

func (p *proxy) join(here net.Conn) {
	defer p.hold(here)()
	if p.away.Load() {
		return
	}
	there, err := net.Dial(p.network, p.server)
	if err != nil {
		return
	}
	defer p.hold(there)()
	var deaf atomic.Bool // what the server says finds nobody any more
	p.wg.Go(func() {
		defer here.Close()
		b := make([]byte, 32<<10)
		for {
			n, err := there.Read(b)
			if err != nil || deaf.Load() {
				return
			}
			if _, err := here.Write(b[:n]); err != nil {
				return
			}
		}
	})
	in := bufio.NewReader(here)
	if frame, err := startup(in); err != nil || write(there, frame) != nil {
		return
	}
	commits := map[string]bool{} // names of statements that commit
	for {
		frame, err := next(in)
		if err != nil {
			return
		}
		if how := cutNot; isCommit(frame, commits) {
			if how = p.armed.Swap(cutNot); how != cutNot {
				p.done.Add(1)
			}
			switch how {
			case cutQuestion:
				return
			case cutHalf:
				there.Write(frame[:len(frame)/2])
				return
			case cutAnswer:
				deaf.Store(true)
			}
		}
		if write(there, frame) != nil {
			return
		}
	}
}

func write(to io.Writer, frame []byte) error {
	_, err := to.Write(frame)
	return err
}

// startup is the first frame, which has no type.
func startup(in *bufio.Reader) ([]byte, error) {
	head, err := in.Peek(4)
	if err != nil {
		return nil, err
	}
	return whole(in, int(binary.BigEndian.Uint32(head)))
}

// next is a frame: a type, the length of what follows with itself.
func next(in *bufio.Reader) ([]byte, error) {
	head, err := in.Peek(5)
	if err != nil {
		return nil, err
	}
	return whole(in, 1+int(binary.BigEndian.Uint32(head[1:])))
}

// maxFrame bounds what a client sends at once: a message of 32 MB, as text.
const maxFrame = 128 << 20

func whole(in *bufio.Reader, n int) ([]byte, error) {
	if n < 4 || n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(in, frame)
	return frame, err
}

// isCommit says whether a frame from the client commits: a query, or the
// binding of a statement that was prepared under a name before.
func isCommit(frame []byte, named map[string]bool) bool {
	body := frame[5:]
	switch frame[0] {
	case 'Q':
		text, _, _ := bytes.Cut(body, []byte{0})
		return commits(text)
	case 'P':
		name, rest, _ := bytes.Cut(body, []byte{0})
		text, _, _ := bytes.Cut(rest, []byte{0})
		if len(name) > 0 {
			named[string(name)] = commits(text)
			return false
		}
		return commits(text)
	case 'B':
		_, rest, _ := bytes.Cut(body, []byte{0}) // of the portal
		name, _, _ := bytes.Cut(rest, []byte{0})
		return named[string(name)]
	}
	return false
}

func commits(text []byte) bool {
	return strings.EqualFold(strings.TrimSpace(string(text)), "commit")
}
