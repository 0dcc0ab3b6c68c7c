package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/gateway/failpoint"
)

// keepTry keeps what a try that failed sent and was answered: the next one
// overwrites it in the delivery.
func (t *tx) keepTry(d *gateway.Delivery, body string) error {
	t.part(journalTry, tryID(d.ID, int64(d.Tries)), string(d.State), []byte(body), blob(d.Sent), blob(d.Answer))
	return t.later("try", nil, `INSERT INTO tries (delivery, n, application, body, sent, answer) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (delivery, n) DO UPDATE SET body = excluded.body, sent = excluded.sent, answer = excluded.answer`,
		d.ID, d.Tries, d.Application, body, blob(d.Sent), blob(d.Answer))
}

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
		if d.Listed {
			t.listed = append(t.listed, listing{kept.Receiver, kept.ID})
		}
		t.part(journalPayload, kept.ID, string(kept.Route), blob(kept.Body))
		t.part(journalDelivery, kept.ID, string(kept.State), []byte(body), blob(kept.Sent), blob(kept.Answer))
		if err := t.later("delivery", nil, `INSERT INTO outbox (id, application, route, seq, state, next_at, lease, process, created_at, message_id, correlation_id, service, peer_message_id, lane, receiver, body, payload, sent, answer)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			kept.ID, kept.Application, string(kept.Route), kept.Seq, string(kept.State), micros(kept.NextAt), kept.Lease, t.w.process, micros(kept.CreatedAt), kept.MessageID, kept.CorrelationID,
			kept.Service, kept.PeerMessageID, kept.Lane, kept.Receiver, body, blob(kept.Body), blob(kept.Sent), blob(kept.Answer)); err != nil || kept.Seq == 1 {
			return err
		}
		return t.later("delivery", nil, `UPDATE outbox SET behind = 1, blocked = CASE WHEN EXISTS (SELECT 1 FROM outbox p WHERE p.application = outbox.application AND p.route = outbox.route AND p.seq < outbox.seq AND p.state = 'dead') THEN 1 ELSE 0 END
			WHERE id = ? AND `+follows, kept.ID)
	}
	body, err := toJSON(d)
	if err != nil {
		return err
	}
	t.part(journalDelivery, d.ID, string(d.State), []byte(body), blob(d.Sent), blob(d.Answer))
	if !open(d) || d.Lease <= 0 {
		t.ended = append(t.ended, d.Application)
	}
	if d.Lease > 0 && d.Tries > 0 && open(d) {
		if err := t.keepTry(d, body); err != nil {
			return err
		}
	}
	if err := t.later("delivery "+d.ID, gateway.ErrLease, `UPDATE outbox SET state = ?, next_at = ?, lease = 0, peer_message_id = ?, cause = ?, code = ?, failed_at = ?, body = ?, sent = ?, answer = ?
		WHERE id = ? AND lease = ? AND (lease <= 0 OR process = ?)`,
		string(d.State), micros(d.NextAt), d.PeerMessageID, string(d.Cause), d.Code, micros(d.FailedAt), body, blob(d.Sent), blob(d.Answer), d.ID, d.Lease, t.w.process); err != nil {
		return err
	}
	if d.State == gateway.Dead || d.Lease <= 0 { // one that was not on its way may have been dead
		return t.block(d)
	}
	return nil
}

// ReleaseAll ends every lease. It is for a bridge that starts alone on its
// database: what is leased there was on its way when the last process died, and
// need not wait for the end of the lease. What was on its way to a partner waits
// until notBefore: the partner may take it up later than it answers a question.
func (s *Store) ReleaseAll(ctx context.Context, notBefore time.Time) (n int64, err error) {
	err = s.writer.write(ctx, func(t *tx) error {
		n, err = t.release(micros(notBefore), "TRUE")
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: release: %w", err)
	}
	failpoint.Here(failpoint.LeasesFreed)
	return n, nil
}

// release ends the leases of deliveries that meet a condition. What may be on
// its way to a partner waits until notBefore; a row is looked for before it is
// written, and a registry can be asked twice.
func (t *tx) release(notBefore int64, which string, args ...any) (int64, error) {
	var atOnce []string
	for _, r := range gateway.Routes() {
		if r == gateway.ToLocal || r.Asks() {
			atOnce = append(atOnce, "'"+string(r)+"'")
		}
	}
	return t.exec(`UPDATE outbox SET lease = -1, next_at = CASE WHEN next_at > ? OR route IN (`+strings.Join(atOnce, ", ")+`) THEN next_at ELSE CAST(? AS BIGINT) END
		WHERE state IN ('queued', 'dead') AND state = 'queued' AND lease > 0 AND `+which, append([]any{notBefore, notBefore}, args...)...)
}

// Deliveries lists oldest first.
func (s *Store) Deliveries(ctx context.Context, f gateway.DeliveryFilter, after string, limit int) (gateway.DeliveryPage, error) {
	limit = min(max(limit, 1), maxPage)
	var w where
	for _, c := range []struct{ column, value string }{
		{"o.id", f.ID}, {"o.application", f.Application}, {"o.route", string(f.Route)},
		{"o.service", f.Service}, {"o.correlation_id", f.CorrelationID},
	} {
		if c.value != "" {
			w.and(c.column+" = ?", c.value)
		}
	}
	if f.MessageID != "" {
		ids, err := s.named(ctx, f.MessageID)
		if err != nil || len(ids) == 0 {
			return gateway.DeliveryPage{}, err
		}
		in(&w, "o.id", ids)
	}
	if f.Receiver != "" {
		w.and("(o.receiver = ? OR o.receiver = '')", f.Receiver)
	}
	if len(f.States) > 0 && !slices.ContainsFunc(f.States, func(s gateway.DeliveryState) bool { return s != gateway.Queued && s != gateway.Dead }) {
		w.and("o.state IN ('queued', 'dead')") // as the indexes say it: SQLite takes none by values
	}
	if len(f.States) == 1 && f.States[0] == gateway.Dropped {
		w.and("o.state = 'dropped'")
	}
	in(&w, "o.state", f.States)
	if f.Unblocked {
		w.and(`NOT EXISTS (SELECT 1 FROM outbox p WHERE p.application = o.application AND p.route = o.route AND p.seq < o.seq AND p.state = 'dead')`)
	}
	if f.Group != nil {
		ofGroup(&w, f.Group, f.FailedBy)
	}
	if after != "" {
		at, id, err := parseCursor(after)
		if err != nil {
			return gateway.DeliveryPage{}, err
		}
		w.and("(o.created_at, o.id) > (?, ?)", at, id)
	}
	rows, err := s.query(ctx, `SELECT `+deliveryColumns+` FROM outbox o`+w.String()+` ORDER BY o.created_at, o.id LIMIT ?`, append(w.args, limit+1)...)
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

// named are the deliveries that we or the gateway call so: two searches by index,
// and a question of their own. Inside another one, a server that planned it when
// the table was small reads along all of it, at each word of the gateway.
func (s *Store) named(ctx context.Context, message string) ([]string, error) {
	ids, err := oneColumn[string](ctx, s, `SELECT id FROM outbox WHERE message_id = ? UNION SELECT id FROM outbox WHERE peer_message_id = ?`, message, message)
	if err != nil {
		return nil, fmt.Errorf("store: deliveries of message %s: %w", message, err)
	}
	return ids, nil
}

const deliveryColumns = `o.body, o.payload, o.sent, o.answer, o.lease, o.next_at, o.lane`

func scanDeliveries(rows *sql.Rows) (all []gateway.Delivery, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		d, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// scanDelivery reads a row of deliveryColumns, and what else is asked for.
func scanDelivery(rows *sql.Rows, also ...any) (d gateway.Delivery, err error) {
	var body string
	var payload, sent, answer []byte
	var lease, next int64
	var lane string
	if err := rows.Scan(append([]any{&body, &payload, &sent, &answer, &lease, &next, &lane}, also...)...); err != nil {
		return d, fmt.Errorf("store: delivery: %w", err)
	}
	if err := fromJSON(body, &d); err != nil {
		return d, err
	}
	d.Body, d.Sent, d.Answer, d.Lease = payload, sent, answer, lease
	d.Unsure = d.Unsure || lease < 0      // a try that was cut off, or that a restored store may not know of
	d.NextAt, d.Lane = moment(next), lane // both may have been changed beside the rest
	return d, nil
}
