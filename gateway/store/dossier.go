package store

import (
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
	if err := s.Journal(ctx, 0, owner, func(l Link) error {
		d.Links = append(d.Links, l)
		return nil
	}); err != nil {
		return nil, err
	}
	if len(d.Links) == 0 || owner == "" {
		return nil, fmt.Errorf("store: records: %w", gateway.ErrNotFound)
	}
	err := s.row(ctx, `SELECT secret FROM journal_keys WHERE owner = ? AND erased_at = 0`, owner).Scan(&d.Key)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("store: journal key: %w", err)
	}
	if d.Key != nil {
		if err := s.rows(ctx, owner, func(t journal.Thing) { d.Things = append(d.Things, t) }); err != nil {
			return nil, err
		}
	}
	var last int64
	if err := s.row(ctx, `SELECT MAX(seq) FROM journal WHERE owner = ?`, owner).Scan(&last); err != nil {
		return nil, fmt.Errorf("store: journal: %w", err)
	}
	if last != d.Links[len(d.Links)-1].Seq {
		return nil, errMoved
	}
	if err := s.proofsOf(ctx, d); err != nil {
		return nil, err
	}
	return d, s.configurationOf(ctx, d)
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
	for before := d.Links[0].Seq; service != ""; {
		page, err := s.links(ctx, `SELECT j.seq, j.hash, j.body, c.signed FROM journal j LEFT JOIN checkpoints c ON c.seq = j.seq WHERE j.owner = '' AND j.seq < ? ORDER BY j.seq DESC LIMIT ?`, before, 50)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, l := range page {
			before = l.Seq
			r, err := journal.Read(l.Body)
			if err != nil {
				return err
			}
			for _, p := range r.Parts {
				if r.Kind == journal.Configuration && p.What == "service" && p.ID == service && (edition == "" || p.Note == edition) {
					d.Configuration = &l
					d.Mapping, err = s.Shared(ctx, p.Digest.String())
					return err
				}
			}
		}
	}
	return nil
}
