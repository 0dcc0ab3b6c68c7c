//go:build failpoint

package failpoint

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Enabled says whether this build obeys a control file.
const Enabled = true

// Variable names the control file. Beside it lie FILE.passed, the points that
// were passed, and FILE.fired, those that were obeyed.
const Variable = "KOPIR_FAILPOINTS"

// control is what the file says now.
var control struct {
	mu     sync.Mutex
	read   time.Time // modification time of what was read
	size   int64
	armed  map[Point]arm
	offset time.Duration
	passed map[Point]bool
}

type arm struct {
	count int
	stop  bool
}

// load reads the file anew when it has changed. The caller holds mu.
func load(file string) {
	info, err := os.Stat(file)
	if err != nil {
		control.armed, control.offset, control.read = nil, 0, time.Time{}
		return
	}
	if info.ModTime().Equal(control.read) && info.Size() == control.size {
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	control.read, control.size = info.ModTime(), info.Size()
	control.armed, control.offset = map[Point]arm{}, 0
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if name == "clock" {
			control.offset, _ = time.ParseDuration(rest)
			continue
		}
		count, action, _ := strings.Cut(rest, ":")
		if n, err := strconv.Atoi(count); err == nil {
			control.armed[Point(name)] = arm{n, action == "stop"}
		}
	}
}

// Here is passed at a point; a process that was told so does not come back, or
// only when it is woken.
func Here(p Point) {
	file := os.Getenv(Variable)
	if file == "" {
		return
	}
	control.mu.Lock()
	defer control.mu.Unlock()
	load(file)
	if !control.passed[p] {
		if control.passed == nil {
			control.passed = map[Point]bool{}
		}
		control.passed[p] = true
		note(file+".passed", p)
	}
	a, ok := control.armed[p]
	if !ok {
		return
	}
	if a.count--; a.count > 0 {
		control.armed[p] = a
		return
	}
	delete(control.armed, p)
	note(file+".fired", p)
	os.Remove(file) // the next process starts without it
	if a.stop {
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func note(file string, p Point) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, string(p))
}

// Now is the time that the control file wants to be believed.
func Now() time.Time {
	file := os.Getenv(Variable)
	if file == "" {
		return time.Now()
	}
	control.mu.Lock()
	defer control.mu.Unlock()
	load(file)
	return time.Now().Add(control.offset)
}
