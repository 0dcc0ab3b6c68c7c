package main

import (
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

// diskFolders are those that grow while the bridge works.
func (l *loaded) diskFolders() []string {
	var all []string
	for _, p := range []string{l.Store.Path, l.Local.Path} {
		if p != "" {
			all = append(all, filepath.Dir(l.path(p)))
		}
	}
	for _, p := range []string{l.Revocation.Folder, l.Retention.Folder} {
		if p != "" {
			all = append(all, l.path(p))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// disk watches how full the disks are. New work is refused before nothing can
// be written any more, so that what was taken can be brought to its end.
type disk struct {
	folders []string
	usage   func(folder string) (used, total uint64, err error)

	mu     sync.Mutex
	limits diskConfig
	at     time.Time
	used   float64 // of the fullest, 0 to 1
	err    error
}

// diskFor is how long a measurement stands.
const diskFor = time.Second

func newDisk(l *loaded) *disk {
	return &disk{folders: l.diskFolders(), limits: l.Disk, usage: diskUsage}
}

// fullest is the share of the fullest disk that is used.
func (d *disk) fullest() (float64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if age := time.Since(d.at); age >= 0 && age < diskFor {
		return d.used, d.err
	}
	d.at, d.used, d.err = time.Now(), 0, nil
	for _, f := range d.folders {
		used, total, err := d.usage(f)
		for up := filepath.Dir(f); errors.Is(err, fs.ErrNotExist) && up != f; up = filepath.Dir(f) {
			f = up // it is made when something comes into it
			used, total, err = d.usage(f)
		}
		switch {
		case err != nil:
			d.err = errors.Join(d.err, err)
		case total > 0:
			d.used = max(d.used, float64(used)/float64(total))
		}
	}
	return d.used, d.err
}

// use goes over to another configuration.
func (d *disk) use(l *loaded) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.folders, d.limits = l.diskFolders(), l.Disk
}

func (d *disk) bounds() diskConfig {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.limits
}

// room says why no new work is taken. A disk that cannot be measured is not
// taken for full: writing will tell.
func (d *disk) room() error {
	if used, _ := d.fullest(); used*100 >= float64(d.bounds().Refuse) {
		return fmt.Errorf("the disk is %.1f%% full, and new work is refused from %d%% on", used*100, d.bounds().Refuse)
	}
	return nil
}

// condition is the part of /readyz.
func (d *disk) condition() server.Condition {
	used, err := d.fullest()
	limits := d.bounds()
	c := server.Condition{Say: fmt.Sprintf("%.0f%% used", used*100), Remedy: "free space, or give the disk more: what is in the bridge's own store must not be deleted", Cause: err}
	switch {
	case used*100 >= float64(limits.Refuse):
		c.Health = server.Failing
	case used*100 >= float64(limits.Warn):
		c.Health = server.Warning
	case err != nil:
		c.Health, c.Say = server.Warning, "it cannot be measured"
	default:
		return server.Condition{}
	}
	return c
}

var diskDesc = prometheus.NewDesc("kopir_disk_used_ratio", "Share of the fullest disk that the bridge writes to that is used; new work is refused from disk.refuse on.", nil, nil)

// Describe implements prometheus.Collector.
func (d *disk) Describe(out chan<- *prometheus.Desc) { out <- diskDesc }

// Collect implements prometheus.Collector.
func (d *disk) Collect(out chan<- prometheus.Metric) {
	if used, err := d.fullest(); err == nil {
		out <- prometheus.MustNewConstMetric(diskDesc, prometheus.GaugeValue, used)
	}
}
