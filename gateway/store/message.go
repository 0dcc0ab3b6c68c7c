package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"kopir/gateway"
)

func (t *tx) insertMessage(m *gateway.Message) error {
	note := m.Operation
	if m.Code != "" {
		note += " " + string(m.Code)
	}
	if m.Keeping == gateway.ReplyAlone {
		note += fmt.Sprintf(", %d bytes not kept", m.Size)
	}
	t.part(journalMessage, m.ID, note, messageContent(m)...)
	return t.later("message", gateway.ErrDuplicate, `INSERT INTO messages (id, sender, message_key, sha256, door, operation, service, at, raw, reply, code, application, keeping)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sender, message_key) DO NOTHING`,
		m.ID, m.Sender, m.Key, m.SHA256, string(m.Door), m.Operation, m.Service, micros(m.At), blob(m.Raw), blob(m.Reply), string(m.Code), m.Application, int64(m.Keeping))
}

// Message finds what was answered to a sender's id.
func (s *Store) Message(ctx context.Context, sender, key string) (*gateway.Message, error) {
	m := gateway.Message{Sender: sender, Key: key}
	var at int64
	err := s.row(ctx, `SELECT id, sha256, door, operation, service, at, raw, reply, code, application, keeping
		FROM messages WHERE sender = ? AND message_key = ?`, sender, key).
		Scan(&m.ID, &m.SHA256, &m.Door, &m.Operation, &m.Service, &at, &m.Raw, &m.Reply, &m.Code, &m.Application, &m.Keeping)
	if err != nil {
		return nil, found(err, "message")
	}
	m.At = moment(at)
	return &m, nil
}

func (t *tx) insertEvidence(e *gateway.Evidence) error {
	proofs, err := t.keepProofs(e.Proofs)
	if err != nil {
		return err
	}
	t.part(journalVerdict, string(e.Kind), strings.TrimSpace(e.Outcome.String()+" "+string(e.Reason)),
		[]byte(e.Message), []byte(e.Application), []byte(e.Kind), strconv.AppendInt(nil, micros(e.At), 10), []byte(e.Outcome.String()), []byte(e.Reason), e.Verdict, e.Document, e.Finding, []byte(proofs))
	return t.later("evidence", nil, `INSERT INTO evidence (message, application, kind, at, outcome, reason, verdict, document, finding, proofs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.Message, e.Application, string(e.Kind), micros(e.At), e.Outcome.String(), string(e.Reason), blob(e.Verdict), blob(e.Document), string(e.Finding), proofs)
}

// Evidence lists the verdicts about one application, oldest first.
func (s *Store) Evidence(ctx context.Context, number string) ([]gateway.Evidence, error) {
	rows, err := s.query(ctx, `SELECT message, kind, at, outcome, reason, verdict, document, finding FROM evidence
		WHERE application = ? ORDER BY at, kind`, number)
	if err != nil {
		return nil, fmt.Errorf("store: evidence: %w", err)
	}
	defer rows.Close()
	var all []gateway.Evidence
	for rows.Next() {
		e := gateway.Evidence{Application: number}
		var at int64
		var outcome string
		if err := rows.Scan(&e.Message, &e.Kind, &at, &outcome, &e.Reason, &e.Verdict, &e.Document, &e.Finding); err != nil {
			return nil, fmt.Errorf("store: evidence: %w", err)
		}
		if err := e.Outcome.UnmarshalText([]byte(outcome)); err != nil {
			return nil, fmt.Errorf("store: evidence: %w", err)
		}
		e.At = moment(at)
		all = append(all, e)
	}
	return all, rows.Err()
}
