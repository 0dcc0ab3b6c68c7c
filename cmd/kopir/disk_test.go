//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/server"
)

func TestDiskCondition(t *testing.T) {
	used := uint64(0)
	var fault error
	own := &roomOf{bytes: 1 << 20}
	d := &disk{folders: []string{"a", "b"}, store: own, limits: diskConfig{Warn: 90, Refuse: 95}, usage: func(f string) (uint64, uint64, error) {
		if f == "a" {
			return 10, 1000, nil
		}
		return used, 1000, fault
	}}
	for _, c := range []struct {
		used  uint64
		fault error
		want  server.Health
		room  bool
	}{{0, nil, "", true}, {899, nil, "", true}, {900, nil, server.Warning, true}, {949, nil, server.Warning, true}, {950, nil, server.Failing, false}, {1000, nil, server.Failing, false}, {0, errors.New("gone"), server.Warning, true}, {10, nil, "", true}} {
		used, fault, d.at = c.used, c.fault, time.Time{}
		if got := d.condition(); got.Health != c.want || got.Health != "" && got.Remedy == "" {
			t.Errorf("%d of 1000, %v: %+v, want %q", c.used, c.fault, got, c.want)
		}
		if err := d.room(); (err == nil) != c.room {
			t.Errorf("%d of 1000: %v", c.used, err)
		}
	}
	own.full = true
	if c := d.condition(); c.Health != server.Failing || d.room() == nil {
		t.Errorf("a write found no room: %+v, %v", c, d.room())
	}
	own.full = false
	if c := d.condition(); c.Health != "" || d.room() != nil {
		t.Errorf("a write succeeded again: %+v, %v", c, d.room())
	}
	for range 2 {
		if n, err := d.bytes(); n != 1<<20 || err != nil || own.asked != 1 {
			t.Errorf("%d bytes, %v, asked %d times", n, err, own.asked)
		}
	}
}

// roomOf is what a store would know of its disk.
type roomOf struct {
	full  bool
	bytes int64
	asked int
}

func (r *roomOf) Full() bool { return r.full }

func (r *roomOf) Size(context.Context) (int64, error) {
	r.asked++
	return r.bytes, nil
}

// TestDiskFolders: with databases on servers something is watched all the same.
func TestDiskFolders(t *testing.T) {
	l := &loaded{dir: "/etc/kopir"}
	l.Store.Driver = "postgres"
	if got := l.diskFolders(); !slices.Equal(got, []string{"/etc/kopir"}) {
		t.Errorf("%q", got)
	}
	l.Revocation.Folder = "lists"
	if got := l.diskFolders(); !slices.Equal(got, []string{"/etc/kopir/lists"}) {
		t.Errorf("%q", got)
	}
}

// TestDiskOfTheArchive: its folder is watched on either store, before there is
// anything in it, and until a reload names none. When it is full that is told,
// and nobody is turned away.
func TestDiskOfTheArchive(t *testing.T) {
	dir := t.TempDir()
	l := &loaded{dir: dir}
	l.Disk = diskConfig{Warn: 90, Refuse: 95}
	l.Store.Driver, l.Retention.Folder = "postgres", "elsewhere/archive"
	d := newDisk(l)
	d.store = &roomOf{}
	var asked []string
	d.usage = func(f string) (uint64, uint64, error) {
		asked = append(asked, f)
		if _, err := os.Stat(f); err != nil {
			return 0, 0, err
		}
		if len(asked) > 1 {
			return 97, 100, nil
		}
		return 10, 100, nil
	}
	if c := d.condition(); c.Health != server.Warning || !strings.Contains(c.Say, "retention.folder 97%") || d.room() != nil {
		t.Errorf("%+v %v", c, d.room())
	}
	if want := []string{dir, filepath.Join(dir, "elsewhere", "archive"), filepath.Join(dir, "elsewhere"), dir}; !slices.Equal(asked, want) {
		t.Errorf("%q, want %q", asked, want)
	}
	l.Retention.Folder = ""
	d.use(l)
	asked, d.at = nil, time.Time{}
	if c := d.condition(); c.Health != "" {
		t.Errorf("the disk of a folder that is not named any more counts: %+v", c)
	}
}

// smallDisk is a disk of its own, of so many megabytes.
func smallDisk(t *testing.T, megabytes string) string {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		t.Skip("a small disk (tmpfs) can be mounted by root only")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+megabytes+"m"); err != nil {
		t.Skip("a small disk (tmpfs) cannot be mounted here: " + err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillUp writes ballast until a share of the disk is used, or all of it.
func fillUp(t *testing.T, dir string, share float64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "ballast"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 16<<10)
	for {
		used, total, err := diskUsage(dir)
		if err != nil {
			t.Fatal(err)
		}
		if float64(used)/float64(total) >= share {
			return
		}
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFillsUp: from 90 % on it is told, from 95 % on new work is put off
// with Retry-After while what was taken goes on and repetitions get their stored
// answers, with no byte left nothing is acknowledged and nothing half done, and
// when there is room again everything goes on by itself.
func TestDiskFillsUp(t *testing.T) {
	dir := smallDisk(t, "48")
	p, err := newPlay(t.Context(), dir, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	}()
	n := p.node
	n.disk.limits = defaultConfig().Disk // a play takes any disk
	p.start(t.Context())
	ready := func() (int, string) {
		r, err := http.Get(p.bridge + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(body)
	}
	m := newSyncMaker(t, p)
	send := func(raw []byte) (int, string, string) {
		r, err := http.Post(p.bridge+"/shep/sync", "text/xml", strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(body), r.Header.Get("Retry-After")
	}
	first := m.message(nil)
	status, stored, _ := send(first)
	if status != 200 {
		t.Fatalf("%d %s", status, stored)
	}
	fillUp(t, dir, 0.91)
	waitFor(t, "the warning", func() bool {
		code, body := ready()
		return code == 200 && strings.Contains(body, `"name":"disk","ready":true,"state":"warn"`)
	})
	if status, body, _ := send(m.message(nil)); status != 200 {
		t.Errorf("with a warning: %d %s", status, body)
	}
	fillUp(t, dir, 0.955)
	waitFor(t, "not ready", func() bool {
		code, body := ready()
		return code == 503 && strings.Contains(body, `"name":"disk","ready":false,"state":"bad"`)
	})
	late := m.message(nil)
	if status, body, retry := send(late); status < 500 || retry == "" || !strings.Contains(body, "<errorCode>try_later</errorCode>") {
		t.Errorf("new work on a full disk: %d %q %s", status, retry, body)
	}
	if status, body, _ := send(first); status != 200 || body != stored {
		t.Errorf("a repetition: %d %s", status, body)
	}
	page, err := n.store.Applications(t.Context(), gateway.Filter{}, "", 10)
	if err != nil || len(page.Applications) != 2 {
		t.Fatalf("%d applications, %v", len(page.Applications), err)
	}
	if _, err := n.bridge.Take(t.Context(), page.Applications[0].Number, gateway.Actor{Name: "ann"}); err != nil {
		t.Errorf("work on what was taken: %v", err)
	}
	fillUp(t, dir, 1)
	for range 20 { // what is small may find a free page; sooner or later nothing does
		if _, err = n.bridge.Return(t.Context(), page.Applications[0].Number, gateway.Actor{Name: "ann"}, gateway.Text{RU: "x", KK: "x"}); err == nil {
			_, err = n.bridge.Take(t.Context(), page.Applications[0].Number, gateway.Actor{Name: "ann"})
		}
		if err != nil {
			break
		}
		fillUp(t, dir, 1)
	}
	if err != nil && gateway.CodeOf(err) != gateway.TryLater {
		t.Errorf("with no byte left: %v", err)
	}
	if status, body, retry := send(late); status < 500 || retry == "" || !strings.Contains(body, "try_later") {
		t.Errorf("new work with no byte left: %d %q %s", status, retry, body)
	}
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "ready again", func() bool { code, _ := ready(); return code == 200 })
	if status, body, _ := send(late); status != 200 {
		t.Errorf("when there is room again: %d %s", status, body)
	}
	waitFor(t, "everything is delivered", func() bool {
		open, err := n.store.OpenDeliveries(t.Context())
		return err == nil && len(open) == 0
	})
	// The gateway's word on what it delivered may come while the audit reads; a fault would stay.
	waitFor(t, "the journal agrees with every row", func() bool {
		a, err := n.store.Audit(t.Context())
		return err == nil && len(a.Faults) == 0
	})
	if page, err = n.store.Applications(t.Context(), gateway.Filter{}, "", 10); err != nil || len(page.Applications) != 3 {
		t.Errorf("%d applications of 3, %v", len(page.Applications), err)
	}
}
