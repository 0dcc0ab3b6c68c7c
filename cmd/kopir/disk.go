package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kopir/gateway/server"
)

// diskConfig says how full the disks may be that the bridge writes to.
type diskConfig struct {
	Warn   percent `yaml:"warn"`
	Refuse percent `yaml:"refuse"`
}

// percent is a share: 90%.
type percent int

func (p *percent) parse(t string) error {
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(t, "%")))
	if err != nil || n < 1 || n > 100 {
		return fmt.Errorf("%q is not a share from 1%% to 100%%", t)
	}
	*p = percent(n)
	return nil
}

func (l *loaded) checkDisk() []fault {
	if l.Disk.Warn > l.Disk.Refuse {
		return []fault{l.at("disk.warn", "is above disk.refuse, so nobody would be warned", "warn earlier: 90% and 95% are the defaults")}
	}
	return nil
}

// diskFolders are those that grow while the bridge works. With databases on
// servers and nothing else that grows, it is that of the configuration: the
// servers' own disks cannot be seen from here. The archive is another matter:
// when it is full nothing moves there, and no citizen is turned away for that.
func (l *loaded) diskFolders() []string {
	var all []string
	for _, p := range []string{l.Store.Path, l.Local.Path} {
		if p != "" {
			all = append(all, filepath.Dir(l.path(p)))
		}
	}
	if p := l.Revocation.Folder; p != "" {
		all = append(all, l.path(p))
	}
	if len(all) == 0 && l.dir != "" {
		all = append(all, l.dir)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// archiveFolders is the one that is named, if any.
func (l *loaded) archiveFolders() []string {
	if l.Retention.Folder == "" {
		return nil
	}
	return []string{l.path(l.Retention.Folder)}
}

// disk watches how full the disks are. New work is refused before nothing can
// be written any more, so that what was taken can be brought to its end. Of a
// server's disk is known only that it is full, when a write fails for it.
type disk struct {
	folders []string // of which a full one refuses new work
	archive []string // of which a full one is told
	usage   func(folder string) (used, total uint64, err error)
	store   room

	mu     sync.Mutex
	limits diskConfig
	at     time.Time
	own    fullness
	stored fullness // of the archive

	sized time.Time
	size  int64 // of the store
}

// fullness is the share of the fullest of some disks that is used, 0 to 1.
type fullness struct {
	used float64
	err  error
}

// room is what a store knows of its disk.
type room interface {
	Full() bool
	Size(context.Context) (int64, error)
}

// sizeFor is how long the size of the store stands: a server looks at every file.
const sizeFor = time.Minute

// diskFor is how long a measurement stands.
const diskFor = time.Second

func newDisk(l *loaded) *disk {
	return &disk{folders: l.diskFolders(), archive: l.archiveFolders(), limits: l.Disk, usage: diskUsage}
}

// measure says how full the bridge's disks and that of the archive are.
func (d *disk) measure() (own, archive fullness) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if age := time.Since(d.at); age < 0 || age >= diskFor {
		d.at, d.own, d.stored = time.Now(), d.fullest(d.folders), d.fullest(d.archive)
	}
	return d.own, d.stored
}

func (d *disk) fullest(folders []string) (is fullness) {
	for _, f := range folders {
		used, total, err := d.usage(f)
		for up := filepath.Dir(f); errors.Is(err, fs.ErrNotExist) && up != f; up = filepath.Dir(f) {
			f = up // it is made when something comes into it
			used, total, err = d.usage(f)
		}
		switch {
		case err != nil:
			is.err = errors.Join(is.err, err)
		case total > 0:
			is.used = max(is.used, float64(used)/float64(total))
		}
	}
	return is
}

// use goes over to another configuration.
func (d *disk) use(l *loaded) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.folders, d.archive, d.limits = l.diskFolders(), l.archiveFolders(), l.Disk
}

func (d *disk) bounds() diskConfig {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.limits
}

// room says why no new work is taken. A disk that cannot be measured is not
// taken for full: writing will tell.
func (d *disk) room() error {
	if d.store.Full() {
		return errors.New("the database has no room on its disk, and new work is refused until a write succeeds")
	}
	if own, _ := d.measure(); own.used*100 >= float64(d.bounds().Refuse) {
		return fmt.Errorf("the disk is %.1f%% full, and new work is refused from %d%% on", own.used*100, d.bounds().Refuse)
	}
	return nil
}

// condition is the part of /readyz.
func (d *disk) condition() server.Condition {
	own, archive := d.measure()
	limits := d.bounds()
	c := server.Condition{Say: fmt.Sprintf("%.0f%% used", own.used*100), Remedy: "free space, or give the disk more: what is in the bridge's own store must not be deleted", Cause: errors.Join(own.err, archive.err)}
	switch {
	case d.store.Full():
		c.Health, c.Say = server.Failing, "the disk of the database is full: a write found no room"
	case own.used*100 >= float64(limits.Refuse):
		c.Health = server.Failing
	case own.used*100 >= float64(limits.Warn):
		c.Health = server.Warning
	case archive.used*100 >= float64(limits.Warn):
		c.Health, c.Say = server.Warning, fmt.Sprintf("of the disk of retention.folder %.0f%% are used: nothing is archived when it is full", archive.used*100)
	case c.Cause != nil:
		c.Health, c.Say = server.Warning, "it cannot be measured"
	default:
		return server.Condition{}
	}
	return c
}

var (
	diskDesc       = prometheus.NewDesc("kopir_disk_used_ratio", "Share of the fullest disk that the bridge writes to that is used. Not that of a database server.", nil, nil)
	archiveDesc    = prometheus.NewDesc("kopir_archive_used_ratio", "Share of the disk of retention.folder that is used; nought without one.", nil, nil)
	diskWarnDesc   = prometheus.NewDesc("kopir_disk_warn_ratio", "From which share on it is told (disk.warn).", nil, nil)
	diskRefuseDesc = prometheus.NewDesc("kopir_disk_refuse_ratio", "From which share on new work is refused (disk.refuse).", nil, nil)
	storeFullDesc  = prometheus.NewDesc("kopir_store_full", "1 from when a write found no room on the disk of the bridge's database until one succeeds; new work is refused.", nil, nil)
	storeSizeDesc  = prometheus.NewDesc("kopir_store_bytes", "Size of the bridge's own database.", nil, nil)
)

// Describe implements prometheus.Collector.
func (d *disk) Describe(out chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{diskDesc, archiveDesc, diskWarnDesc, diskRefuseDesc, storeFullDesc, storeSizeDesc} {
		out <- one
	}
}

// Collect implements prometheus.Collector.
func (d *disk) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v)
	}
	own, archive := d.measure()
	if own.err == nil {
		gauge(diskDesc, own.used)
	}
	if archive.err == nil {
		gauge(archiveDesc, archive.used)
	}
	limits := d.bounds()
	gauge(diskWarnDesc, float64(limits.Warn)/100)
	gauge(diskRefuseDesc, float64(limits.Refuse)/100)
	full := 0.0
	if d.store.Full() {
		full = 1
	}
	gauge(storeFullDesc, full)
	if n, err := d.bytes(); err == nil {
		gauge(storeSizeDesc, float64(n))
	}
}

// bytes is the size of the store.
func (d *disk) bytes() (int64, error) {
	d.mu.Lock()
	size, age := d.size, time.Since(d.sized)
	d.mu.Unlock()
	if size > 0 && age >= 0 && age < sizeFor {
		return size, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	size, err := d.store.Size(ctx)
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.size, d.sized = size, time.Now()
	return size, nil
}
