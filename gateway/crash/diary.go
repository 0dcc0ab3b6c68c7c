package crash

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// diary tells what was done to whom and when, on disk for the evidence and in
// short for people.
type diary struct {
	mu    sync.Mutex
	began time.Time
	file  *os.File
	out   io.Writer
}

func newDiary(dir string, out io.Writer) (*diary, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "diary.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &diary{began: time.Now(), file: f, out: out}, nil
}

// write enters a line.
func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.file, "%s "+format+"\n", append([]any{time.Now().UTC().Format("15:04:05.000")}, args...)...)
}

// note enters a line that people want to see at once.
func (d *diary) note(format string, args ...any) {
	d.write(format, args...)
	fmt.Fprintf(d.out, "%6.1fs  "+format+"\n", append([]any{time.Since(d.began).Seconds()}, args...)...)
}

func (d *diary) close() error { return d.file.Close() }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func remove(path string) { os.Remove(path) }
