package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kopir/gateway"
)

func (t *tx) insertOffer(o *gateway.Offer) error {
	if err := t.later("questionnaire", nil, `INSERT INTO questionnaire_offers (token_hash, service, channel) VALUES (?, ?, ?)`, o.Hash, o.Service, string(o.Channel)); err != nil {
		return fmt.Errorf("store: questionnaire: %w", err)
	}
	return nil
}

// Offered finds an offer that was not answered.
func (s *Store) Offered(ctx context.Context, hash string) (*gateway.Offer, error) {
	o := &gateway.Offer{Hash: hash}
	var channel string
	err := s.row(ctx, `SELECT service, channel FROM questionnaire_offers WHERE token_hash = ?`, hash).Scan(&o.Service, &channel)
	o.Channel = gateway.Channel(channel)
	return o, found(err, "questionnaire")
}

// Answer spends an offer and counts its answers.
func (s *Store) Answer(ctx context.Context, hash, month string, answers map[string]int) error {
	return s.writer.write(ctx, func(t *tx) error {
		row, err := t.row(`SELECT service, channel FROM questionnaire_offers WHERE token_hash = ?`, hash)
		if err != nil {
			return fmt.Errorf("store: questionnaire: %w", err)
		}
		var service, channel string
		if err := row.Scan(&service, &channel); err != nil {
			return found(err, "questionnaire")
		}
		service, _, _ = strings.Cut(service, "@") // answers are those of the service, whichever edition it was
		n, err := t.exec(`DELETE FROM questionnaire_offers WHERE token_hash = ?`, hash)
		if err != nil {
			return fmt.Errorf("store: questionnaire: %w", err)
		}
		if n == 0 { // another hand was faster
			return fmt.Errorf("store: questionnaire: %w", gateway.ErrNotFound)
		}
		for question, answer := range answers {
			if _, err := t.exec(`INSERT INTO questionnaire_answers (service, channel, month, question, answer, people) VALUES (?, ?, ?, ?, ?, 1)
				ON CONFLICT (service, channel, month, question, answer) DO UPDATE SET people = questionnaire_answers.people + 1`,
				service, channel, month, question, answer); err != nil {
				return fmt.Errorf("store: questionnaire: %w", err)
			}
		}
		return nil
	})
}

// Answers sums over the months.
func (s *Store) Answers(ctx context.Context) (all []gateway.AnswerCount, err error) {
	rows, err := s.query(ctx, `SELECT service, channel, question, answer, CAST(SUM(people) AS BIGINT) FROM questionnaire_answers
		GROUP BY service, channel, question, answer ORDER BY service, channel, question, answer`)
	if err != nil {
		return nil, fmt.Errorf("store: questionnaire: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c gateway.AnswerCount
		var channel string
		if err := rows.Scan(&c.Service, &channel, &c.Question, &c.Answer, &c.Count); err != nil {
			return nil, fmt.Errorf("store: questionnaire: %w", err)
		}
		c.Channel = gateway.Channel(channel)
		all = append(all, c)
	}
	return all, rows.Err()
}
