package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections bounds how many are open. When all places are taken, the one that
// has been waiting longest for its sender gives way: it is idle, or slow to send
// its header or body. While everybody is being worked for, new ones are turned
// away with 503.
type connections struct {
	net.Listener
	limit   int
	refused func(reason string)

	mu   sync.Mutex
	open map[*connection]bool
}

// connection is one of them; since is when it began to wait for its sender, zero
// while it is being worked for.
type connection struct {
	net.Conn
	all   *connections
	since time.Time
	once  sync.Once
}

type connectionKey struct{}

func limitConnections(l net.Listener, limit int, refused func(string)) *connections {
	return &connections{Listener: l, limit: limit, refused: refused, open: map[*connection]bool{}}
}

// Accept gives the next connection for which there is a place.
func (l *connections) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		one := &connection{Conn: c, all: l, since: time.Now()}
		if l.admit(one) {
			return one, nil
		}
		l.refused("connections")
		go turnAway(c)
	}
}

func (l *connections) admit(c *connection) bool {
	l.mu.Lock()
	var oldest *connection
	if len(l.open) >= l.limit {
		for o := range l.open {
			if !o.since.IsZero() && (oldest == nil || o.since.Before(oldest.since)) {
				oldest = o
			}
		}
		if oldest == nil {
			l.mu.Unlock()
			return false
		}
		delete(l.open, oldest)
	}
	l.open[c] = true
	l.mu.Unlock()
	if oldest != nil {
		l.refused("slow")
		oldest.Close()
	}
	return true
}

// turnAway says that there is no place, to whoever still listens.
func turnAway(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: "+retryAfter+"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

// Close frees the place.
func (c *connection) Close() error {
	c.once.Do(func() {
		c.all.mu.Lock()
		delete(c.all.open, c)
		c.all.mu.Unlock()
	})
	return c.Conn.Close()
}

// waits notes whether a connection waits for its sender.
func (c *connection) waits(yes bool) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	switch {
	case !yes:
		c.since = time.Time{}
	case c.since.IsZero():
		c.since = time.Now()
	}
}

// watch is a server's ConnState: a request that has ended waits for the next.
func (l *connections) watch(c net.Conn, s http.ConnState) {
	if one, ok := c.(*connection); ok && s == http.StateIdle {
		one.waits(true)
	}
}

// context is a server's ConnContext.
func (l *connections) context(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// settled notes that a request has come whole, so that its connection does not
// give way to another.
func settled(r *http.Request) {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		c.waits(false)
	}
}
