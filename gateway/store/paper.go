package store

import (
	"context"
	"fmt"

	"kopir/gateway"
)

// insertPaper keeps the first of a kind: what was handed out stays what it was.
func (t *tx) insertPaper(p *gateway.Paper) error {
	meta := p.Document
	meta.Content = nil
	body, err := toJSON(&meta)
	if err != nil {
		return err
	}
	n, err := t.exec(`INSERT INTO papers (application, languages, sha256, body, content) VALUES (?, ?, ?, ?, ?) ON CONFLICT (application, languages) DO NOTHING`,
		p.Application, p.Languages, p.SHA256, body, blob(p.Content))
	if err != nil {
		return fmt.Errorf("store: paper: %w", err)
	}
	if n > 0 {
		t.part(journalPaper, p.Application+"/"+p.Languages, p.MediaType, []byte(body), blob(p.Content))
	}
	return nil
}

// Paper is a printed result with its content.
func (s *Store) Paper(ctx context.Context, number, languages string) (*gateway.Document, error) {
	var body string
	var content []byte
	if err := s.row(ctx, `SELECT body, content FROM papers WHERE application = ? AND languages = ?`, number, languages).Scan(&body, &content); err != nil {
		return nil, found(err, "paper")
	}
	d := new(gateway.Document)
	if err := fromJSON(body, d); err != nil {
		return nil, err
	}
	d.Content = content
	return d, nil
}

// PaperDigests lists the digests of all papers of an application.
func (s *Store) PaperDigests(ctx context.Context, number string) ([]string, error) {
	all, err := oneColumn[string](ctx, s, `SELECT sha256 FROM papers WHERE application = ? ORDER BY languages`, number)
	if err != nil {
		return nil, fmt.Errorf("store: papers: %w", err)
	}
	return all, nil
}

// Verifiable finds the application whose result has a token.
func (s *Store) Verifiable(ctx context.Context, token string) (number string, err error) {
	if err := s.row(ctx, `SELECT application FROM results WHERE token = ?`, token).Scan(&number); err != nil {
		return "", found(err, "result")
	}
	return number, nil
}
