package server

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kopir/gateway"
)

// serve runs the doors on a real address until the test ends.
func serve(t *testing.T, b *bench, read time.Duration) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, l, 1<<16, read, 20*time.Second) }()
	stop = sync.OnceFunc(func() {
		end()
		if err := <-done; err != http.ErrServerClosed && err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

// A flood of large messages takes no more memory than it may; what does not fit
// is told to come again, with a fault of the contract, while small messages and
// questions about health pass. Afterwards large ones pass again.
func TestFloodOfLargeBodies(t *testing.T) {
	const large, budget = 3 << 20, 10 << 20
	b := setup(t, func(o *Options) { o.Limits.Body, o.Limits.Memory, o.Limits.Concurrent = 4<<20, budget, 64 })
	release := make(chan bool)
	var inside, held, most atomic.Int64
	b.doors.receive = func(_ context.Context, in gateway.Incoming) gateway.Reply {
		if len(in.Raw) >= large {
			if n := held.Add(int64(len(in.Raw))); n > most.Load() {
				most.Store(n)
			}
			inside.Add(1)
			<-release
			held.Add(-int64(len(in.Raw)))
		}
		return gateway.Reply{Bytes: []byte("<a/>"), Status: 200}
	}
	address, _ := serve(t, b, 20*time.Second)
	post := func(body io.Reader) (int, string, http.Header) {
		r, err := http.Post("http://"+address+"/shep/sync", "text/xml", body)
		if err != nil {
			return 0, err.Error(), nil
		}
		defer r.Body.Close()
		answer, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(answer), r.Header
	}
	payload := bytes.Repeat([]byte("x"), large)
	type answer struct {
		status int
		body   string
		header http.Header
	}
	const flood = 30
	answers := make(chan answer, flood)
	for i := range flood {
		go func() {
			body := io.Reader(bytes.NewReader(payload))
			if i%3 == 0 {
				body = io.MultiReader(body) // its length is not told
			}
			s, a, h := post(body)
			answers <- answer{s, a, h}
		}()
	}
	for end := time.Now().Add(30 * time.Second); len(answers)+int(inside.Load()) < flood; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d answered, %d at work", len(answers), inside.Load())
		}
	}
	shed, taken := len(answers), flood-len(answers)
	if taken < budget/(4<<20) || taken > budget/large+1 { // the first 256 KB of each are free
		t.Errorf("%d are at work", taken)
	}
	for range shed {
		a := <-answers
		broke := a.status == 0 && (strings.Contains(a.body, "reset") || strings.Contains(a.body, "broken pipe")) // it was still writing when the answer was there
		if !broke && (a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "<errorCode>try_later</errorCode>")) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if s, a, _ := post(strings.NewReader("<small/>")); s != 200 {
		t.Errorf("a small message: %d %s", s, a)
	}
	if r, err := http.Get("http://" + address + "/healthz"); err != nil || r.StatusCode != 200 {
		t.Errorf("health: %v %v", r, err)
	}
	if n := most.Load(); n > budget+int64(taken)*smallBody {
		t.Errorf("%d bytes of bodies at once, of %d", n, budget)
	}
	close(release)
	for range taken {
		if a := <-answers; a.status != 200 {
			t.Errorf("one that was taken: %d %s", a.status, a.body)
		}
	}
	if s, a, _ := post(bytes.NewReader(payload)); s != 200 {
		t.Errorf("afterwards: %d %s", s, a)
	}
	for end := time.Now().Add(30 * time.Second); !b.room.fits(budget); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not all of the room is free afterwards")
		}
	}
}

// Whoever is slow to send gives way to others: neither headers nor bodies that
// drip keep messages and health out.
func TestSlowSendersGiveWay(t *testing.T) {
	const places = 8
	b := setup(t, func(o *Options) { o.Limits.Connections, o.Limits.Concurrent = places, 2 })
	b.doors.receive = func(context.Context, gateway.Incoming) gateway.Reply {
		return gateway.Reply{Bytes: []byte("<a/>"), Status: 200}
	}
	address, _ := serve(t, b, 30*time.Second)
	for i := range 5 * places {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		head := "POST /shep/sync HTTP/1.1\r\nHost: x\r\n"
		if i%2 == 0 {
			head += "Content-Length: 1000\r\n\r\n<a" // the rest never comes
		}
		fmt.Fprint(c, head)
	}
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 3 * places {
		r, err := once.Post("http://"+address+"/shep/sync", "text/xml", strings.NewReader("<a/>"))
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("a message: %v %v", r, err)
		}
		r.Body.Close()
		if r, err = once.Get("http://" + address + "/healthz"); err != nil || r.StatusCode != 200 {
			t.Fatalf("health: %v %v", r, err)
		}
		r.Body.Close()
	}
}

// While everybody is being worked for, a new connection is told to come again.
func TestNoPlaceForAConnection(t *testing.T) {
	b := setup(t, func(o *Options) { o.Limits.Connections, o.Limits.Concurrent = 2, 8 })
	at, release := make(chan bool), make(chan bool)
	b.doors.receive = func(context.Context, gateway.Incoming) gateway.Reply {
		at <- true
		<-release
		return gateway.Reply{Bytes: []byte("<a/>"), Status: 200}
	}
	address, _ := serve(t, b, 30*time.Second)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if r, err := http.Post("http://"+address+"/shep/sync", "text/xml", strings.NewReader("x")); err != nil || r.StatusCode != 200 {
				t.Errorf("at work: %v %v", r, err)
			}
		})
		<-at
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("%v %v", r, err)
	}
	close(release)
	wg.Wait()
}

// A stop turns new work away with Retry-After, says so at /readyz first, and
// lets what is at work end.
func TestDrainTellsWhoComes(t *testing.T) {
	b := setup(t, func(o *Options) { o.Limits.Request = 20 * time.Second })
	at, release := make(chan bool), make(chan bool)
	b.doors.receive = func(context.Context, gateway.Incoming) gateway.Reply {
		close(at)
		<-release
		return gateway.Reply{Bytes: []byte("<late/>"), Status: 200}
	}
	address, stop := serve(t, b, 20*time.Second)
	answered := make(chan string, 1)
	go func() {
		r, err := http.Post("http://"+address+"/shep/sync", "text/xml", strings.NewReader("x"))
		if err != nil {
			answered <- err.Error()
			return
		}
		body, _ := io.ReadAll(r.Body)
		answered <- string(body)
	}()
	<-at
	stopped := make(chan bool)
	go func() { defer close(stopped); stop() }()
	for !b.draining.Load() {
		time.Sleep(time.Millisecond)
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/readyz", 503}, {"POST", "/shep/sync", 503}, {"POST", "/shep/async", 503}, {"GET", "/api/v1/services", 503}, {"GET", "/healthz", 200}} {
		r, err := http.NewRequest(c.method, "http://"+address+c.path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		a.Body.Close()
		if a.StatusCode != c.status || c.status == 503 && a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", c.path, a.StatusCode, a.Header)
		}
	}
	close(release)
	if got := <-answered; got != "<late/>" {
		t.Errorf("the request at work got %q", got)
	}
	<-stopped
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the address still answers")
	}
}
