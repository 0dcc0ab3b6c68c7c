package store

import (
	"context"
	"fmt"
	"time"

	"kopir/gateway"
)

// refusalDays is how long it is known how much was refused on a day.
const refusalDays = 32

func dayOf(at time.Time) int64 { return at.Unix() / (24 * 60 * 60) }

// weigh takes a refused message out of its sender's budget of the day. What is
// beyond is kept without content: gives the change as it is to be written.
func (t *tx) weigh(c *gateway.Change) (*gateway.Change, error) {
	size := int64(len(c.Message.Raw))
	for i := range c.Evidence {
		size += int64(len(c.Evidence[i].Document))
	}
	day := dayOf(c.Message.At)
	var bytes, messages int64
	row, err := t.row(`INSERT INTO refusals (sender, day, bytes, messages, cut) VALUES (?, ?, ?, 1, 0)
		ON CONFLICT (sender, day) DO UPDATE SET bytes = refusals.bytes + excluded.bytes, messages = refusals.messages + 1 RETURNING bytes, messages`, c.Message.Sender, day, size)
	if err == nil {
		err = row.Scan(&bytes, &messages)
	}
	if err == nil && messages == 1 {
		_, err = t.exec(`DELETE FROM refusals WHERE day < ?`, day-refusalDays)
	}
	if err != nil {
		return nil, fmt.Errorf("store: refusals: %w", err)
	}
	if bytes <= c.KeepRefused {
		return c, nil
	}
	if err := t.later("refusals", nil, `UPDATE refusals SET bytes = bytes - ?, cut = cut + 1 WHERE sender = ? AND day = ?`, size, c.Message.Sender, day); err != nil {
		return nil, err
	}
	bare, message := *c, *c.Message
	message.Size, message.Raw, message.Keeping = int64(len(message.Raw)), nil, gateway.ReplyAlone
	bare.Message, bare.Evidence = &message, nil
	for _, e := range c.Evidence {
		e.Document, e.Proofs = nil, nil
		bare.Evidence = append(bare.Evidence, e)
	}
	return &bare, nil
}

// Refused is what was refused to a sender on a day.
type Refused struct {
	Sender   string
	Bytes    int64 // kept
	Messages int64
	Cut      int64 // of those, without content
}

// Refusals lists what was refused on the day of a time.
func (s *Store) Refusals(ctx context.Context, at time.Time) (all []Refused, err error) {
	rows, err := s.query(ctx, `SELECT sender, bytes, messages, cut FROM refusals WHERE day = ? ORDER BY sender`, dayOf(at))
	if err != nil {
		return nil, fmt.Errorf("store: refusals: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Refused
		if err := rows.Scan(&r.Sender, &r.Bytes, &r.Messages, &r.Cut); err != nil {
			return nil, fmt.Errorf("store: refusals: %w", err)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
