package crash

import (
	"errors"
	"os"
	"path/filepath"
)

// diskRoom is how much a trial may write where the disk is filled up. It is
// memory, so it is not taken before it is used.
const diskRoom = 12 << 30

// disk holds the files of the databases. It is filled up by making it as small
// as what lies on it.
type disk struct {
	dir   string
	small bool // it can be filled up
	about string
}

// dataDir is where the databases of a trial lie.
func dataDir(o Options) string { return filepath.Join(o.Dir, "data") }

func newDisk(o Options) (*disk, error) {
	d := &disk{dir: dataDir(o)}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	switch err := error(nil); {
	case o.Database != SQLite:
		d.about = "not filled up: the server's disk is its own"
	case o.Trouble == KillsOnly, o.Trouble == Nothing:
		d.about = "not filled up"
	case os.Geteuid() != 0:
		d.about = "not filled up: making a small one needs root"
	default:
		if err = mountSmall(d.dir, diskRoom); err != nil {
			d.about = "not filled up: " + err.Error()
			return d, nil
		}
		d.small, d.about = true, "a small one of its own, filled up now and then"
	}
	return d, nil
}

// fill leaves no room at all; free gives it back.
func (d *disk) fill() error {
	used, err := usedOf(d.dir)
	if err != nil {
		return err
	}
	return resize(d.dir, max(used, 1<<12))
}

func (d *disk) free() error { return resize(d.dir, diskRoom) }

// close keeps what lies on it: a copy takes its place.
func (d *disk) close() error {
	if !d.small {
		return nil
	}
	kept := d.dir + ".kept"
	err := os.CopyFS(kept, os.DirFS(d.dir))
	return errors.Join(err, unmount(d.dir), os.Remove(d.dir), os.Rename(kept, d.dir))
}
