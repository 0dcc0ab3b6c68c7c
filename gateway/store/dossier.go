package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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
	begins, err := s.beginsHere(ctx, owner)
	if err != nil {
		return nil, err
	}
	if err := s.Journal(ctx, begins, owner, func(l Link) error {
		d.Links = append(d.Links, l)
		return nil
	}); err != nil {
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

// beginsHere is after which record an owner's begin, if the first of them is in
// the store: then the files need not be looked through.
func (s *Store) beginsHere(ctx context.Context, owner string) (after int64, err error) {
	page, err := s.links(ctx, `SELECT j.seq, j.hash, j.body, c.signed FROM journal j LEFT JOIN checkpoints c ON c.seq = j.seq WHERE j.owner = ? ORDER BY j.seq LIMIT 1`, owner)
	if err != nil || len(page) == 0 {
		return 0, err
	}
	r, err := journal.Read(page[0].Body)
	if err != nil {
		return 0, err
	}
	for _, p := range r.Parts {
		if r.Kind == journal.Change && p.What == journalMessage { // that brought it
			return page[0].Seq - 1, nil
		}
	}
	return 0, nil
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
	// It began under a configuration whose record lies in a file.
	_, err := s.inFiles(ctx, 0, "", func(l Link) error {
		if l.Seq >= d.Links[0].Seq || !bytes.Contains(l.Body[:min(len(l.Body), 80)], []byte(`"kind":"`+string(journal.Configuration)+`"`)) {
			return nil
		}
		_, err := names(&l)
		return err
	})
	return err
}
