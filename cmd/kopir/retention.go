package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/bundle"
	"kopir/gateway/failpoint"
	"kopir/gateway/journal"
	"kopir/gateway/store"
)

// retentionConfig says how long the content of applications that are over is
// kept, and where. Without ages everything stays where it is.
type retentionConfig struct {
	ArchiveAfter age    `yaml:"archive_after"` // into sealed files of the folder
	Folder       string `yaml:"folder"`
	EraseAfter   age    `yaml:"erase_after"` // for good, the archived too
	// JournalAfter is when records of the journal go into files of the folder.
	JournalAfter age `yaml:"journal_after"`
	// Replies is how long whoever repeats a message that is archived or erased
	// still gets the same answer.
	Replies age `yaml:"replies"`
}

// age is a number of days or years: 90d, 5y. A year has 365 days.
type age time.Duration

func (a *age) parse(t string) error {
	const day = 24 * time.Hour
	for unit, length := range map[string]time.Duration{"d": day, "y": 365 * day} {
		digits, found := strings.CutSuffix(t, unit)
		if n, err := strconv.Atoi(digits); found && err == nil && n > 0 && n <= 100*365 {
			*a = age(time.Duration(n) * length)
			return nil
		}
	}
	return fmt.Errorf("%q is not an age; write for example 90d or 5y", t)
}

const (
	defaultReplies = age(90 * 24 * time.Hour)
	retentionEvery = time.Hour
	retentionBatch = 100
)

func (l *loaded) checkRetention() []fault {
	var fs []fault
	r := l.Retention
	if (r.ArchiveAfter > 0 || r.JournalAfter > 0) != (r.Folder != "") {
		fs = append(fs, l.at("retention", "folder and what goes there (archive_after, journal_after) belong together", "name both, or neither"))
	}
	if r.EraseAfter > 0 && r.ArchiveAfter >= r.EraseAfter {
		fs = append(fs, l.at("retention.archive_after", "is not shorter than erase_after, so nothing would ever be archived", "leave one of them out, or archive earlier"))
	}
	if r.JournalAfter > 0 && r.JournalAfter < r.ArchiveAfter {
		fs = append(fs, l.at("retention.journal_after", "is shorter than archive_after: for each application that is archived, files with the records of all others would be read through", "leave records in the store for as long as applications, or longer"))
	}
	return fs
}

// any says whether there is anything to do by age.
func (r retentionConfig) any() bool {
	return r.ArchiveAfter > 0 || r.EraseAfter > 0 || r.JournalAfter > 0
}

// keeper archives and erases by the configured ages.
type keeper struct {
	sealer
	l *loaded
}

func (n *node) keeper() keeper { return keeper{n.sealer(), n.conf()} }

// retain goes through what is over, in one of the processes on the store.
func (n *node) retain(ctx context.Context) {
	n.bridge.WhileLeading(ctx, "retention", func(ctx context.Context) {
		tick := time.NewTicker(retentionEvery)
		defer tick.Stop()
		for {
			k := n.keeper()
			if n.bridge.ClockFault() == nil { // a wrong one must not erase anything
				if err := k.round(ctx, failpoint.Now()); err != nil && ctx.Err() == nil {
					n.log.Error("retention", zap.Error(err))
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// round archives and erases what has come of age. One that fails does not stop
// the others.
func (k keeper) round(ctx context.Context, now time.Time) error {
	r := k.l.Retention
	var faults []error
	each := func(after age, archived bool, do func(string) error) {
		failed, cursor := 0, ""
		for more := after > 0; more && failed < retentionBatch && ctx.Err() == nil; more = cursor != "" { // those that failed again in an hour
			var owners []string
			var err error
			if owners, cursor, err = k.store.Over(ctx, now.Add(-time.Duration(after)), archived, cursor, retentionBatch); err != nil {
				faults = append(faults, err)
				return
			}
			for _, owner := range owners {
				if err := do(owner); err != nil {
					faults = append(faults, err)
					failed++
				}
			}
		}
	}
	each(r.EraseAfter, true, func(owner string) error { return k.erase(ctx, owner, processName(), "retention", now) })
	each(r.ArchiveAfter, false, func(owner string) error { return k.archive(ctx, owner, processName(), now) })
	n, err := k.store.ForgetReplies(ctx, now.Add(-time.Duration(r.Replies)))
	if n > 0 {
		k.log.Info("replies are not kept any more", zap.Int64("messages", n))
	}
	return errors.Join(append(faults, err, k.moveLinks(ctx, now))...)
}

// erase destroys the key of an application and everything of a person in the store.
func (k keeper) erase(ctx context.Context, owner, who, reason string, at time.Time) error {
	err := k.store.Remove(ctx, owner, gateway.Removal{What: gateway.Erased, At: at.UTC().Truncate(time.Second), By: who, Reason: reason}, nil)
	if err != nil {
		return err
	}
	failpoint.Here(failpoint.EraseDone)
	k.log.Info("erased", zap.String("application", owner))
	// The file is nothing but noise now; what cannot be removed does no harm.
	if path := k.archived(owner); path != "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			k.log.Warn("the archived file of an erased application stays; nobody can read it", zap.String("application", owner), zap.Error(err))
		}
	}
	return nil
}

// archivePurpose makes the key of archived files from that of the application.
const archivePurpose = "kopir archive"

// archived is the path of an archived file; empty without a folder.
func (k keeper) archived(owner string) string {
	if k.l.Retention.Folder == "" || strings.HasPrefix(owner, "message/") {
		return ""
	}
	return filepath.Join(k.l.path(k.l.Retention.Folder), archiveName(owner))
}

// archiveName is made of the number in a way that any file system takes.
func archiveName(owner string) string {
	return journal.Sum([]byte(owner)).String()[:32] + ".kopir-archive"
}

// archive writes the evidence bundle of an application into a file that is
// sealed under the application's key, and takes its content out of the store.
// The file is on disk before anything is taken out.
func (k keeper) archive(ctx context.Context, owner, who string, at time.Time) error {
	path := k.archived(owner)
	secret, err := k.store.Secret(ctx, owner)
	if err != nil {
		return fmt.Errorf("archive %s: %w", owner, err)
	}
	b, err := k.bundle(ctx, owner)
	if err != nil {
		return fmt.Errorf("archive %s: %w", owner, err)
	}
	if r := bundle.Verify(b, bundle.Options{Trust: k.m.trust}); len(r.Faults) > 0 {
		return fmt.Errorf("archive %s: its evidence does not hold (%s: %s); it stays in the store for a person to look at", owner, r.Faults[0].File, r.Faults[0].Code)
	}
	sealed, err := gateway.Seal(secret, archivePurpose, b)
	if err != nil {
		return fmt.Errorf("archive %s: %w", owner, err)
	}
	if err := keepFile(path, sealed); err != nil {
		return fmt.Errorf("archive %s: %w", owner, err)
	}
	failpoint.Here(failpoint.ArchiveFiled)
	file := journal.Part{What: "archive", ID: filepath.Base(path), Note: fmt.Sprintf("%d bytes", len(sealed)), Digest: journal.Sum(sealed)}
	if err := k.store.Remove(ctx, owner, gateway.Removal{What: gateway.Archived, At: at.UTC().Truncate(time.Second), By: who}, &file); err != nil {
		return err
	}
	failpoint.Here(failpoint.ArchiveDone)
	k.log.Info("archived", zap.String("application", owner), zap.String("file", filepath.Base(path)))
	return nil
}

// keepFile writes a file whole and flushes it and its folder. One that an
// earlier try left is replaced.
func keepFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "new-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the renaming, as it should
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// bundleOf is the evidence bundle of an application: made now, or of an archived
// one as it was made then.
func (k keeper) bundleOf(ctx context.Context, owner string) ([]byte, error) {
	a, err := k.store.Application(ctx, owner)
	if err == nil && a.Removed != nil && a.Removed.What == gateway.Archived {
		return k.unarchive(ctx, owner)
	}
	return k.bundle(ctx, owner)
}

// unarchive opens an archived file: the bundle as it was made.
func (k keeper) unarchive(ctx context.Context, owner string) ([]byte, error) {
	secret, err := k.store.Secret(ctx, owner)
	if err != nil {
		return nil, err
	}
	sealed, err := k.readArchived(owner)
	if err != nil {
		return nil, err
	}
	b, err := gateway.Unseal(secret, archivePurpose, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.archived(owner), err)
	}
	return b, nil
}

func (k keeper) readArchived(owner string) ([]byte, error) {
	path := k.archived(owner)
	if path == "" {
		return nil, errors.New("the application is archived, and the configuration names no retention.folder")
	}
	sealed, err := readFile(path, bundle.MaxSize+1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		err = &awayError{filepath.Base(path), filepath.Dir(path)}
	}
	return sealed, err
}

// awayError is a file that should be in retention.folder and that this bridge
// does not find there: lost, or written by another bridge into a folder of its own.
type awayError struct{ file, folder string }

func (e *awayError) Error() string {
	return fmt.Sprintf("%s is not in %s (retention.folder); bridges that work on one store must share that folder", e.file, e.folder)
}

// checkArchives compares every archived file with its record: those that are not
// there, and those that are not what was recorded. Nothing is said of those whose
// application was erased since.
func (k keeper) checkArchives(ctx context.Context) (files int, missing, faults []string, err error) {
	parts := map[string]journal.Part{} // by owner; of an erased one none
	err = k.store.Journal(ctx, 0, "", func(l store.Link) error {
		if !strings.Contains(string(l.Body[:min(len(l.Body), 80)]), `"kind":"`+string(journal.Archive)+`"`) && !strings.Contains(string(l.Body[:min(len(l.Body), 80)]), `"kind":"`+string(journal.Erasure)+`"`) {
			return nil
		}
		r, err := journal.Read(l.Body)
		if err != nil {
			return err
		}
		if delete(parts, r.Owner); r.Kind == journal.Archive && len(r.Parts) > 0 {
			parts[r.Owner] = r.Parts[0]
		}
		return nil
	})
	for owner, p := range parts {
		files++
		switch sealed, err := k.readArchived(owner); {
		case errors.As(err, new(*awayError)):
			missing = append(missing, fmt.Sprintf("archive of %s: %v", owner, err))
		case err != nil:
			faults = append(faults, fmt.Sprintf("archive of %s: %v", owner, err))
		case journal.Sum(sealed) != p.Digest:
			faults = append(faults, fmt.Sprintf("archive of %s: %s is not the file that was recorded", owner, p.ID))
		}
	}
	slices.Sort(missing)
	slices.Sort(faults)
	return files, missing, faults, err
}
