package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"kopir/gateway"
)

// putDelivery inserts a new delivery at the end of its application's line on
// the route, or settles one that was claimed. Only the holder of the lease may
// settle: one that woke up late changes nothing.
func (t *tx) putDelivery(d *gateway.Delivery) error {
	if d.Seq == 0 {
		kept := *d
		place, err := t.place(string(d.Route), d.Application)
		if err != nil {
			return err
		}
		kept.Seq = place
		body, err := toJSON(&kept)
		if err != nil {
			return err
		}
		t.part(journalPayload, kept.ID, string(kept.Route), blob(kept.Body))
		t.part(journalDelivery, kept.ID, string(kept.State), []byte(body), blob(kept.Sent), blob(kept.Answer))
		return t.later("delivery", nil, `INSERT INTO outbox (id, application, route, seq, state, next_at, lease, created_at, message_id, correlation_id, service, peer_message_id, body, payload, sent, answer)
			VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			kept.ID, kept.Application, string(kept.Route), kept.Seq, string(kept.State), micros(kept.NextAt), micros(kept.CreatedAt), kept.MessageID, kept.CorrelationID,
			kept.Service, kept.PeerMessageID, body, blob(kept.Body), blob(kept.Sent), blob(kept.Answer))
	}
	body, err := toJSON(d)
	if err != nil {
		return err
	}
	t.part(journalDelivery, d.ID, string(d.State), []byte(body), blob(d.Sent), blob(d.Answer))
	return t.later("delivery "+d.ID, gateway.ErrLease, `UPDATE outbox SET state = ?, next_at = ?, lease = 0, peer_message_id = ?, body = ?, sent = ?, answer = ? WHERE id = ? AND lease = ? AND (lease <= 0 OR process = ?)`,
		string(d.State), micros(d.NextAt), d.PeerMessageID, body, blob(d.Sent), blob(d.Answer), d.ID, d.Lease, t.w.process)
}

// head is the condition that o is the first of its application and route that
// is still to go or waits for a person. A scalar and not NOT EXISTS: on a table
// of which it has no statistics PostgreSQL would join all of it.
const head = `o.seq = (SELECT MIN(p.seq) FROM outbox p WHERE p.application = o.application AND p.route = o.route AND p.state IN ('queued', 'dead'))`

// Claim takes what is due on a route, for the length of a lease.
func (s *Store) Claim(ctx context.Context, route gateway.Route, at time.Time, lease time.Duration, limit int) ([]gateway.Delivery, error) {
	if err := s.clockFault(); err != nil {
		return nil, err
	}
	var got []gateway.Delivery
	err := s.writer.write(ctx, func(t *tx) error {
		got = nil
		rows, err := t.query(`SELECT `+deliveryColumns+` FROM outbox o WHERE o.route = ? AND o.state = 'queued' AND o.next_at <= ? AND o.lease <= ? AND `+head+`
			ORDER BY o.next_at, o.id LIMIT ? {skip}`, string(route), micros(at), micros(at), limit)
		if err != nil {
			return fmt.Errorf("store: claim: %w", err)
		}
		if got, err = scanDeliveries(rows); err != nil {
			return err
		}
		until := micros(at.Add(lease))
		for i := range got {
			if err := t.later("claim", nil, `UPDATE outbox SET lease = ?, process = ? WHERE id = ?`, until, s.writer.process, got[i].ID); err != nil {
				return err
			}
			// A lease that ran out, or was ended, is a try of which nobody knows
			// what came of it.
			got[i].Unsure = got[i].Unsure || got[i].Lease != 0
			got[i].Lease = until
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// ReleaseAll ends every lease. It is for a bridge that starts alone on its
// database: what is leased there was on its way when the last process died, and
// need not wait for the end of the lease.
func (s *Store) ReleaseAll(ctx context.Context) (n int64, err error) {
	err = s.writer.write(ctx, func(t *tx) error {
		n, err = t.exec(`UPDATE outbox SET lease = -1 WHERE state = 'queued' AND lease > 0`)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: release: %w", err)
	}
	return n, nil
}

// NextDelivery is when something can be tried again on a route.
func (s *Store) NextDelivery(ctx context.Context, route gateway.Route) (time.Time, error) {
	var at sql.NullInt64
	err := s.row(ctx, `SELECT MIN(CASE WHEN o.lease > o.next_at THEN o.lease ELSE o.next_at END) FROM outbox o WHERE o.route = ? AND o.state = 'queued' AND `+head, string(route)).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("store: next delivery: %w", err)
	}
	return moment(at.Int64), nil
}

// Deliveries lists oldest first.
func (s *Store) Deliveries(ctx context.Context, f gateway.DeliveryFilter, after string, limit int) (gateway.DeliveryPage, error) {
	limit = min(max(limit, 1), maxPage)
	var w where
	var named string
	for _, c := range []struct{ column, value string }{
		{"o.id", f.ID}, {"o.application", f.Application}, {"o.route", string(f.Route)},
		{"o.service", f.Service}, {"o.correlation_id", f.CorrelationID},
	} {
		if c.value != "" {
			w.and(c.column+" = ?", c.value)
		}
	}
	if f.MessageID != "" {
		// Two searches by index, done first; an OR would be read along the whole table.
		named = `WITH named AS MATERIALIZED (SELECT id FROM outbox WHERE message_id = ? UNION SELECT id FROM outbox WHERE peer_message_id = ?) `
		w.args = append([]any{f.MessageID, f.MessageID}, w.args...)
		w.and("o.id IN (SELECT id FROM named)")
	}
	in(&w, "o.state", f.States)
	if f.Unblocked {
		w.and(`NOT EXISTS (SELECT 1 FROM outbox p WHERE p.application = o.application AND p.route = o.route AND p.seq < o.seq AND p.state = 'dead')`)
	}
	if after != "" {
		at, id, err := parseCursor(after)
		if err != nil {
			return gateway.DeliveryPage{}, err
		}
		w.and("(o.created_at > ? OR o.created_at = ? AND o.id > ?)", at, at, id)
	}
	rows, err := s.query(ctx, named+`SELECT `+deliveryColumns+` FROM outbox o`+w.String()+` ORDER BY o.created_at, o.id LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return gateway.DeliveryPage{}, fmt.Errorf("store: deliveries: %w", err)
	}
	all, err := scanDeliveries(rows)
	if err != nil {
		return gateway.DeliveryPage{}, err
	}
	page := gateway.DeliveryPage{Deliveries: all}
	if len(all) > limit {
		page.Deliveries = all[:limit]
		page.Next = cursor(micros(all[limit-1].CreatedAt), all[limit-1].ID)
	}
	return page, nil
}

const deliveryColumns = `o.body, o.payload, o.sent, o.answer, o.lease`

func scanDeliveries(rows *sql.Rows) (all []gateway.Delivery, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d gateway.Delivery
		var body string
		var payload, sent, answer []byte
		var lease int64
		if err := rows.Scan(&body, &payload, &sent, &answer, &lease); err != nil {
			return nil, fmt.Errorf("store: delivery: %w", err)
		}
		if err := fromJSON(body, &d); err != nil {
			return nil, err
		}
		d.Body, d.Sent, d.Answer, d.Lease = payload, sent, answer, lease
		all = append(all, d)
	}
	return all, rows.Err()
}
