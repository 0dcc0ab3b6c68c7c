package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/bundle"
	"kopir/gateway/failpoint"
	"kopir/gateway/journal"
	"kopir/gateway/store"
)

// segmentSpan is how much of the journal goes into one file, at least.
const segmentSpan = 30 * 24 * time.Hour

// openMoved opens a file with records of the journal.
func (l *loaded) openMoved(file string) (io.ReadCloser, error) {
	if l.Retention.Folder == "" {
		return nil, errors.New("the configuration names no retention.folder")
	}
	f, err := os.Open(filepath.Join(l.path(l.Retention.Folder), filepath.Base(file)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &awayError{filepath.Base(file), l.path(l.Retention.Folder)}
	case err != nil:
		return nil, errors.New(plainFileError(err))
	}
	return f, nil
}

// maxSegment is how many records go into one file, unless checkpoints are
// further apart: the store takes them out in one transaction, which others wait for.
const maxSegment = 100_000

// moveLinks puts records of the journal that have come of age into files.
func (k keeper) moveLinks(ctx context.Context, now time.Time) error {
	for k.l.Retention.JournalAfter > 0 {
		moved, err := k.moveSegment(ctx, now.Add(-time.Duration(k.l.Retention.JournalAfter)))
		if !moved || err != nil {
			return err
		}
	}
	return nil
}

// moveSegment puts the oldest records into a file, if they are older than a time
// by segmentSpan: up to a checkpoint, signed and stamped, verified as `kopir
// journal verify` does, and on disk before the store lets go of them.
func (k keeper) moveSegment(ctx context.Context, before time.Time) (moved bool, err error) {
	var start journal.Chain // where the file begins
	segments, err := k.store.Segments(ctx)
	if err != nil {
		return false, err
	}
	if n := len(segments); n > 0 {
		start.Seq, start.Head = segments[n-1].Last, segments[n-1].Hash
	}
	var oldest time.Time
	err = k.store.Journal(ctx, start.Seq, "", func(l store.Link) error {
		r, err := journal.Read(l.Body)
		if err != nil {
			return err
		}
		oldest = r.At
		return errPieceDone
	})
	if !errors.Is(err, errPieceDone) { // there is none, or it does not read
		return false, err
	}
	if before.Sub(oldest) < segmentSpan {
		return false, nil
	}
	cut, err := k.cut(ctx, start.Seq, before)
	if err != nil || cut == nil {
		return false, err
	}
	g := store.Segment{First: start.Seq + 1, Last: cut.Seq, Hash: cut.Hash, File: fmt.Sprintf("journal-%012d-%012d-%s.jsonl", start.Seq+1, cut.Seq, cut.Hash.String()[:8])}
	if g.Sum, err = k.writeSegment(ctx, start, g); err != nil {
		return false, fmt.Errorf("journal: %s: %w", g.File, err)
	}
	failpoint.Here(failpoint.RecordsFiled)
	if err := k.store.Move(ctx, g, processName()); err != nil {
		return false, err
	}
	failpoint.Here(failpoint.RecordsMoved)
	k.log.Info("records of the journal went into a file", zap.Int64("first", g.First), zap.Int64("last", g.Last), zap.String("file", g.File))
	return true, nil
}

// cut finds the checkpoint of before a time that a file can end with: the last
// within maxSegment, else the next one. Nil: none.
func (k keeper) cut(ctx context.Context, after int64, before time.Time) (*store.Link, error) {
	all, err := k.store.CheckpointsBefore(ctx, after, after+maxSegment, before)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		if all, err = k.store.CheckpointsBefore(ctx, after, math.MaxInt64, before); err != nil {
			return nil, err
		}
		slices.Reverse(all)
	}
	seals := k.seals()
	for i := range all {
		if _, stamp, err := seals.Judge(all[i].Checkpoint); err == nil && (k.stamper == nil || !stamp.IsZero()) {
			return &all[i], nil
		}
	}
	if len(all) > 0 {
		k.log.Warn("records of the journal stay in the store: no checkpoint over them is signed and stamped", zap.Int("checkpoints", len(all)))
	}
	return nil, nil
}

// seals believes what this bridge's organisation signed.
func (k keeper) seals() *bundle.Seals {
	return bundle.NewSeals(k.m.trust, k.m.keys.Signing(time.Now()).Certificate.Subject.BIN)
}

// writeSegment writes a file and gives it its name when it was verified.
func (k keeper) writeSegment(ctx context.Context, start journal.Chain, g store.Segment) (sum journal.Hash, err error) {
	folder := k.l.path(k.l.Retention.Folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return sum, err
	}
	f, err := os.CreateTemp(folder, "new-*.tmp")
	if err != nil {
		return sum, err
	}
	defer os.Remove(f.Name()) // fails after the renaming, as it should
	defer f.Close()
	h := sha256.New()
	w := journal.NewWriter(io.MultiWriter(f, h))
	err = k.store.Journal(ctx, start.Seq, "", func(l store.Link) error {
		if err := w.Record(l.Seq, l.Body, l.Hash); err != nil {
			return err
		}
		if l.Checkpoint != nil {
			if err := w.Checkpoint(l.Checkpoint); err != nil {
				return err
			}
		}
		if l.Seq == g.Last {
			return errPieceDone
		}
		return nil
	})
	if !errors.Is(err, errPieceDone) {
		return sum, errors.Join(err, fmt.Errorf("record %d is not there", g.Last))
	}
	if err := errors.Join(w.Close(), f.Sync()); err != nil {
		return sum, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return sum, err
	}
	read := sha256.New()
	rep, err := journal.Verify(io.TeeReader(f, read), &start, k.seals().Judge, nil)
	if err != nil {
		return sum, err
	}
	copy(sum[:], h.Sum(nil))
	if c := rep.Chain; c.Seq != g.Last || c.Head != g.Hash || c.Sealed != g.Last || journal.Hash(read.Sum(nil)) != sum {
		return sum, errors.New("what was written is not what was to be")
	}
	if err := os.Rename(f.Name(), filepath.Join(folder, g.File)); err != nil {
		return sum, err
	}
	return sum, flushFolder(folder)
}
