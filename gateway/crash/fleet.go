package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// node is one place for a process, which is started again whenever it ends.
type node struct {
	name, dir, config, control string
	addr, key                  string

	mu      sync.Mutex
	cmd     *exec.Cmd // nil: none runs
	how     string    // why it was killed last
	downAt  time.Time // since when it accepts nothing; zero: it does
	probing bool
	frozen  bool
}

func (n *node) url(path string) string { return "http://" + n.addr + path }

// fleet are all processes.
type fleet struct {
	o     Options
	nodes []*node
	diary *diary
	ctx   context.Context
	wg    sync.WaitGroup
	probe func(context.Context, *node)

	mu        sync.Mutex
	kills     map[string]int // by how
	recovered []time.Duration
	failed    int      // ends that nobody ordered
	panics    []string // what they said
}

func newFleet(o Options, nodes []*node, d *diary) *fleet {
	return &fleet{o: o, nodes: nodes, diary: d, kills: map[string]int{}}
}

// start keeps all processes running until the context ends; probe is called
// for each that has to show that it accepts again.
func (f *fleet) start(ctx context.Context, probe func(context.Context, *node)) {
	f.ctx, f.probe = ctx, probe
	for _, n := range f.nodes {
		f.wg.Go(func() {
			runtime.LockOSThread() // processes are tethered to it
			f.keep(n)
		})
	}
}

// keep runs one process after the other.
func (f *fleet) keep(n *node) {
	for f.ctx.Err() == nil {
		err := f.live(n)
		point := n.firedPoint()
		n.mu.Lock()
		how := n.how
		if point != "" {
			how = "at " + point
		}
		ordered := how != ""
		n.cmd, n.how, n.frozen = nil, "", false
		if f.ctx.Err() == nil && n.downAt.IsZero() {
			n.downAt = time.Now()
		}
		if ordered {
			n.downAt = time.Now() // from the last kill on
		}
		probing := n.probing
		n.probing = true
		n.mu.Unlock()
		if f.ctx.Err() != nil {
			return
		}
		if ordered {
			f.count(how)
			f.diary.write("%s killed %s", n.name, how)
		} else {
			f.odd(n, err)
			pause(f.ctx, 200*time.Millisecond)
		}
		if !probing {
			f.wg.Go(func() { f.probe(f.ctx, n) })
		}
	}
}

// live runs one process to its end.
func (f *fleet) live(n *node) error {
	log, err := os.OpenFile(filepath.Join(n.dir, "kopir.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := append(append([]string{}, f.o.Command[1:]...), "serve", "-config", n.config)
	c := exec.Command(f.o.Command[0], args...)
	c.Stdout, c.Stderr = log, log
	c.Env = append(os.Environ(), "KOPIR_FAILPOINTS="+n.control)
	tether(c)
	if err := c.Start(); err != nil {
		return err
	}
	n.mu.Lock()
	n.cmd = c
	n.mu.Unlock()
	if f.ctx.Err() != nil {
		c.Process.Kill()
	}
	return c.Wait()
}

// firedPoint is the point at which the process killed itself, if it did.
func (n *node) firedPoint() string {
	file := n.control + ".fired"
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	old, err := os.OpenFile(n.control+".history", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		old.Write(b)
		old.Close()
	}
	os.Remove(file)
	lines := strings.Fields(string(b))
	return lines[len(lines)-1]
}

// passed are the points that the processes of all nodes have come by.
func (f *fleet) passed() map[string]bool {
	all := map[string]bool{}
	for _, n := range f.nodes {
		for _, end := range []string{".passed", ".history"} {
			b, _ := os.ReadFile(n.control + end)
			for _, p := range strings.Fields(string(b)) {
				all[p] = true
			}
		}
	}
	return all
}

func (f *fleet) count(how string) {
	f.mu.Lock()
	f.kills[how]++
	f.mu.Unlock()
}

func (f *fleet) killed() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for how, times := range f.kills {
		if !strings.HasPrefix(how, "paused") {
			n += times
		}
	}
	return n
}

// odd is the end of a process that nobody killed: it may give up when its
// database is away at its start, and must not panic.
func (f *fleet) odd(n *node, err error) {
	tail := n.tail()
	f.diary.write("%s ended by itself: %v: %s", n.name, err, tail)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed++
	if strings.Contains(tail, "panic:") || strings.Contains(tail, "fatal error:") {
		f.panics = append(f.panics, n.name+": "+tail)
	}
}

// tail is the end of a node's log.
func (n *node) tail() string {
	b, err := os.ReadFile(filepath.Join(n.dir, "kopir.log"))
	if err != nil {
		return ""
	}
	if i := bytes.LastIndex(b, []byte("panic:")); i >= 0 && len(b)-i < 64<<10 {
		return string(b[i:min(i+800, len(b))])
	}
	return string(b[max(0, len(b)-400):])
}

// kill ends the process at once, wherever it is.
func (f *fleet) kill(n *node, how string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		n.how = how
		n.cmd.Process.Kill()
	}
}

// freeze stops a process without ending it; thaw lets it go on: until then it
// could not accept.
func (f *fleet) freeze(n *node) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil || freeze(n.cmd.Process) != nil {
		return false
	}
	n.frozen = true
	return true
}

func (f *fleet) thaw(n *node) {
	n.mu.Lock()
	if n.cmd != nil {
		thaw(n.cmd.Process)
	}
	n.frozen = false
	n.mu.Unlock()
	freed(n)
}

// accepted notes that a node has accepted a message that was sent to it at a
// time: what was on its way before it died says nothing of the one that follows.
func (f *fleet) accepted(n *node, sent time.Time) {
	n.mu.Lock()
	down := n.downAt
	again := !down.IsZero() && sent.After(down)
	if again {
		n.downAt = time.Time{}
	}
	n.mu.Unlock()
	if again {
		f.mu.Lock()
		f.recovered = append(f.recovered, time.Since(down))
		f.mu.Unlock()
		f.diary.write("%s accepts again after %s", n.name, time.Since(down).Round(time.Millisecond))
	}
}

// freed counts the recovery of nodes that were killed from here on: until now
// they could not accept for another reason, such as a full disk or a clock that
// they must not believe.
func freed(nodes ...*node) {
	for _, n := range nodes {
		n.mu.Lock()
		if !n.downAt.IsZero() {
			n.downAt = time.Now()
		}
		n.mu.Unlock()
	}
}

// isDown says whether a node still has to show that it accepts.
func (n *node) isDown() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.downAt.IsZero() {
		n.probing = false
		return false
	}
	return true
}

// running says whether there is a process that can answer.
func (n *node) running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd != nil && !n.frozen
}

// ready waits until every node answers.
func (f *fleet) ready(ctx context.Context) error {
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for _, n := range f.nodes {
		for end := time.Now().Add(time.Minute); ; pause(ctx, 50*time.Millisecond) {
			r, err := client.Get(n.url("/readyz"))
			if err == nil {
				r.Body.Close()
				if r.StatusCode == http.StatusOK {
					break
				}
			}
			if ctx.Err() != nil || time.Now().After(end) {
				return fmt.Errorf("%s does not get ready: %v; %s", n.name, err, n.tail())
			}
		}
	}
	return nil
}

// stop ends all processes as an operator does, and waits for them.
func (f *fleet) stop() {
	deadline := time.Now().Add(time.Minute)
	for _, n := range f.nodes {
		n.mu.Lock()
		if n.cmd != nil {
			thaw(n.cmd.Process)
			n.cmd.Process.Signal(syscall.SIGTERM)
			p := n.cmd.Process
			time.AfterFunc(time.Until(deadline), func() { p.Kill() })
		}
		n.mu.Unlock()
	}
	f.wg.Wait()
}

// verb runs another verb of the program to its end.
func (f *fleet) verb(ctx context.Context, args ...string) (out []byte, code int, err error) {
	c := exec.CommandContext(ctx, f.o.Command[0], append(append([]string{}, f.o.Command[1:]...), args...)...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err = c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, exit.ExitCode(), nil
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, said.String())
	}
	return out, 0, err
}
