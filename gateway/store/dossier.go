package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// Dossier is all that the store has of one owner: an application, or a message
// that became none.
type Dossier struct {
	Key    []byte // nil: destroyed
	Things []journal.Thing
	Proofs []Proof // what verdicts relied on, as far as it was kept
	Links  []Link  // its records, oldest first
	// Configuration is the record of that under which it began, with the
	// description of its service.
	Configuration *Link
	Mapping       []byte
}

// Weight is how many bytes the rows of an owner hold.
func (s *Store) Weight(ctx context.Context, owner string) (n int64, err error) {
	for _, t := range recordedRows {
		var lengths []string
		for _, column := range t.parts {
			if column != "at" { // the one that is a number
				lengths = append(lengths, "octet_length("+column+")")
			}
		}
		var part int64
		if err := s.row(ctx, "SELECT COALESCE(SUM("+strings.Join(lengths, " + ")+"), 0) FROM "+t.table+" WHERE "+t.owner+" = ?", owner).Scan(&part); err != nil {
			return 0, fmt.Errorf("store: weight: %w", err)
		}
		n += part
	}
	return n, nil
}

// errMoved: something was added while it was read.
var errMoved = errors.New("store: the application changed while it was read")

// Dossier reads everything of an owner as it stood at one time. ErrNotFound:
// the journal knows nothing of it.
func (s *Store) Dossier(ctx context.Context, owner string) (d *Dossier, err error) {
	for range 8 {
		if d, err = s.dossier(ctx, owner); !errors.Is(err, errMoved) {
			return d, err
		}
	}
	return nil, err
}

func (s *Store) dossier(ctx context.Context, owner string) (*Dossier, error) {
	d := new(Dossier)
	begins, err := s.beginsAfter(ctx, owner)
	if err != nil {
		return nil, err
	}
	read := func(after int64) error {
		d.Links = nil
		return s.Journal(ctx, after, owner, func(l Link) error {
			d.Links = append(d.Links, l)
			return nil
		})
	}
	if err = read(begins); err == nil && begins > 0 && !d.begun() { // a clock was wrong then, or nothing brought it
		err = read(0)
	}
	if err != nil {
		return nil, err
	}
	if len(d.Links) == 0 || owner == "" {
		return nil, fmt.Errorf("store: records: %w", gateway.ErrNotFound)
	}
	err = s.row(ctx, `SELECT secret FROM journal_keys WHERE owner = ? AND erased_at = 0`, owner).Scan(&d.Key)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("store: journal key: %w", err)
	}
	if d.Key != nil {
		if err := s.rows(ctx, owner, func(t journal.Thing) { d.Things = append(d.Things, t) }); err != nil {
			return nil, err
		}
	}
	var last int64
	if err := s.row(ctx, `SELECT COALESCE(MAX(seq), 0) FROM journal WHERE owner = ?`, owner).Scan(&last); err != nil {
		return nil, fmt.Errorf("store: journal: %w", err)
	}
	if last > d.Links[len(d.Links)-1].Seq {
		return nil, errMoved
	}
	if err := s.proofsOf(ctx, d); err != nil {
		return nil, err
	}
	return d, s.configurationOf(ctx, d)
}

// beginsAfter is after which record an owner's begin: so the files in which they
// cannot be need not be looked through.
func (s *Store) beginsAfter(ctx context.Context, owner string) (after int64, err error) {
	page, err := s.links(ctx, `SELECT j.seq, j.hash, j.body, c.signed FROM journal j LEFT JOIN checkpoints c ON c.seq = j.seq WHERE j.owner = ? ORDER BY j.seq LIMIT 1`, owner)
	if err != nil {
		return 0, err
	}
	if len(page) > 0 && brings(page[0]) {
		return page[0].Seq - 1, nil
	}
	q, id := `SELECT received_at FROM applications WHERE number = ?`, owner
	if message, refused := strings.CutPrefix(owner, "message/"); refused {
		q, id = `SELECT at FROM messages WHERE id = ?`, message
	}
	var at int64
	if err := s.row(ctx, q, id).Scan(&at); errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("store: begin: %w", err)
	}
	return s.filesBefore(ctx, moment(at).Add(-clocksApart))
}

// clocksApart is more than the clocks of those that receive and record differ.
const clocksApart = 24 * time.Hour

// filesBefore is the last record in files that were complete at a time. Each goes
// on where the one before ends, so the first record of some tells.
func (s *Store) filesBefore(ctx context.Context, at time.Time) (last int64, err error) {
	all, err := s.Segments(ctx)
	if err != nil {
		return 0, err
	}
	later := sort.Search(len(all), func(i int) bool {
		if err != nil {
			return true
		}
		var first time.Time
		first, err = s.begun(all[i])
		return !first.Before(at)
	})
	if err != nil || later < 2 {
		return 0, err
	}
	return all[later-2].Last, nil
}

// begun is when the first record in a file was written.
func (s *Store) begun(g Segment) (at time.Time, err error) {
	err = s.inFile(g, 0, "", func(l Link) error {
		r, err := journal.Read(l.Body)
		if err != nil {
			return err
		}
		at = r.At
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return at, err
}

// begun says whether the first record is there.
func (d *Dossier) begun() bool { return len(d.Links) > 0 && brings(d.Links[0]) }

// brings says whether a record is of the message that brought its owner.
func brings(l Link) bool {
	r, err := journal.Read(l.Body)
	return err == nil && r.Kind == journal.Change && slices.ContainsFunc(r.Parts, func(p journal.Part) bool { return p.What == journalMessage })
}

// proofsOf finds what the verdicts relied on.
func (s *Store) proofsOf(ctx context.Context, d *Dossier) error {
	for i := range d.Things {
		src := d.Things[i].Piece("proofs")
		if len(src) == 0 {
			continue
		}
		var all []Proof
		if err := json.Unmarshal(src, &all); err != nil {
			return fmt.Errorf("store: proofs: %w", err)
		}
		for _, p := range all {
			if p.Content == nil {
				var err error
				if p.Content, err = s.Shared(ctx, p.SHA256); err != nil {
					return err
				}
			}
			if p.Content != nil {
				d.Proofs = append(d.Proofs, p)
			}
		}
	}
	return nil
}

// configurationOf finds the description of the service by the last record of a
// configuration before the owner's first.
func (s *Store) configurationOf(ctx context.Context, d *Dossier) error {
	service, edition := "", ""
	for i := range d.Things {
		switch t := &d.Things[i]; t.What {
		case journalApplication:
			var a gateway.Application
			if err := fromJSON(string(t.Piece("body")), &a); err != nil {
				return err
			}
			service, edition = a.Service, a.Edition
		case journalMessage:
			if service == "" {
				service = string(t.Piece("service"))
			}
		}
	}
	if service == "" {
		return nil
	}
	names := func(l *Link) (bool, error) {
		r, err := journal.Read(l.Body)
		if err != nil {
			return false, err
		}
		for _, p := range r.Parts {
			if r.Kind == journal.Configuration && p.What == "service" && p.ID == service && (edition == "" || p.Note == edition) {
				d.Configuration = l
				d.Mapping, err = s.Shared(ctx, p.Digest.String())
				return true, err
			}
		}
		return false, nil
	}
	for before := d.Links[0].Seq; ; {
		page, err := s.links(ctx, `SELECT j.seq, j.hash, j.body, c.signed FROM journal j LEFT JOIN checkpoints c ON c.seq = j.seq WHERE j.owner = '' AND j.seq < ? ORDER BY j.seq DESC LIMIT ?`, before, 50)
		if err != nil {
			return err
		}
		for _, l := range page {
			before = l.Seq
			if found, err := names(&l); found || err != nil {
				return err
			}
		}
		if len(page) == 0 {
			break
		}
	}
	// It began under a configuration whose record lies in a file: the last one before.
	files, err := s.Segments(ctx)
	if err != nil {
		return err
	}
	for _, g := range slices.Backward(files) {
		if g.First >= d.Links[0].Seq {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := s.inFile(g, 0, "", func(l Link) error {
			if l.Seq >= d.Links[0].Seq || !bytes.Contains(l.Body[:min(len(l.Body), 80)], []byte(`"kind":"`+string(journal.Configuration)+`"`)) {
				return nil
			}
			_, err := names(&l)
			return err
		})
		if err != nil || d.Configuration != nil {
			return err
		}
	}
	return nil
}
