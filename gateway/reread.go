package gateway

import (
	"context"
	"slices"
	"time"
)

const (
	// watchLate is how long after it was marked a status may be committed and is
	// still seen with the next marks; a later one waits for the look at all open
	// applications.
	watchLate = 10 * time.Second
	// watchSeen is how many rows are remembered as read, at most.
	watchSeen = 50 * watchBatch
)

// reread follows the marks once more at a distance, for what was committed after
// a row with a later mark had been read: a clerk's program marks a row before it
// commits. A look that finds no end is left for the next one.
type reread struct {
	from, to   string               // where this look begins, and the next one
	due        time.Time            // when it begins
	seen, last map[LocalChange]bool // what was read since the last look, and since the one before it
}

// waits says whether there is nothing to be read again yet.
func (t *reread) waits(now time.Time) bool {
	return now.Before(t.due) && t.due.Sub(now) <= watchLate // more: the clock was set back
}

// again gives changed rows that were not read before, and what the reread is when
// they are dealt with. The marks have been read up to cursor.
func (w *watcher) again(ctx context.Context, cursor string) ([]LocalChange, reread, error) {
	t, now := w.reread, w.b.now()
	switch {
	case t.seen == nil:
		return nil, reread{from: cursor, to: cursor, due: now.Add(watchLate), seen: map[LocalChange]bool{}}, nil
	case t.waits(now):
		return nil, t, nil
	}
	rows, end, err := w.b.o.Local.Changed(ctx, w.name, t.from, watchBatch)
	if err != nil {
		return nil, t, err
	}
	full := len(rows) == watchBatch
	late := slices.DeleteFunc(rows, func(c LocalChange) bool { return t.seen[c] || t.last[c] })
	if t.from = end; !full || len(t.seen) > watchSeen {
		t = reread{from: t.to, to: cursor, due: now.Add(watchLate), seen: map[LocalChange]bool{}, last: t.seen}
	}
	return late, t, nil
}
