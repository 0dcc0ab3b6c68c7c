package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"kopir/gateway"
)

// head is the condition that o is the first of its application and route that
// is still to go or waits for a person. A scalar and not NOT EXISTS: on a table
// of which it has no statistics PostgreSQL would join all of it.
const head = `o.seq = (SELECT MIN(p.seq) FROM outbox p WHERE p.application = o.application AND p.route = o.route AND p.state IN ('queued', 'dead'))`

// claimable are a lane's deliveries that could go. blocked only spares looking
// at what waits behind dead letters: there may be many.
const claimable = `o.route = ? AND o.lane = ? AND o.state = 'queued' AND o.blocked = 0 AND ` + head

// freshShare is the part of a claim, where more waits than it gives, that is
// taken from those that came last: after a burst, or behind an outage, what
// happens now need not wait for all that happened before.
const freshShare = 4

// Claim takes what is due on a lane, for the length of a lease.
func (s *Store) Claim(ctx context.Context, lane gateway.Lane, at time.Time, lease time.Duration, limit int) ([]gateway.Delivery, error) {
	until, err := s.Lease(at, lease)
	if err != nil {
		return nil, err
	}
	var got []gateway.Delivery
	err = s.writer.write(ctx, func(t *tx) error {
		got = nil
		claim := func(order string, n int) (int, error) {
			if n == 0 {
				return 0, nil
			}
			rows, err := t.query(`SELECT `+deliveryColumns+` FROM outbox o WHERE `+claimable+` AND o.next_at <= ? AND o.lease <= ?
				ORDER BY `+order+` LIMIT ? {skip}`, string(lane.Route), lane.Receiver, micros(at), micros(at), n)
			if err != nil {
				return 0, fmt.Errorf("store: claim: %w", err)
			}
			some, err := scanDeliveries(rows)
			if err != nil {
				return 0, err
			}
			ids := make([]string, len(some))
			for i := range some {
				ids[i] = some[i].ID
				// A lease that ran out, or was ended, is a try of which nobody knows
				// what came of it.
				some[i].Unsure = some[i].Unsure || some[i].Lease != 0
				some[i].Lease = until
			}
			got = append(got, some...)
			if len(some) == 0 {
				return 0, nil
			}
			return len(some), t.later("claim", nil, `UPDATE outbox SET lease = ?, process = ? WHERE id {among}`, until, t.w.process, t.among(ids))
		}
		old := limit - limit/freshShare
		n, err := claim("o.next_at, o.id", old)
		if err != nil || n < old {
			return err
		}
		_, err = claim("o.next_at DESC, o.id DESC", limit-old)
		return err
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// Lease is the end of a lease from a time on; an error while leases cannot be
// reckoned.
func (s *Store) Lease(at time.Time, lease time.Duration) (int64, error) {
	return micros(at.Add(lease)), s.clockFault()
}

// NextDelivery is when something can be tried again on a lane.
func (s *Store) NextDelivery(ctx context.Context, lane gateway.Lane) (time.Time, error) {
	var at sql.NullInt64
	err := s.row(ctx, `SELECT MIN(CASE WHEN o.lease > o.next_at THEN o.lease ELSE o.next_at END) FROM outbox o WHERE `+claimable, string(lane.Route), lane.Receiver).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("store: next delivery: %w", err)
	}
	return moment(at.Int64), nil
}

// Hasten makes due what failed because the peer was away, in the order in
// which it was made. What the peer itself put off stays put off, and what failed
// just now may still be on its way.
func (s *Store) Hasten(ctx context.Context, lane gateway.Lane, at time.Time) (n int64, err error) {
	err = s.writer.write(ctx, func(t *tx) error {
		quiet := gateway.QuietAfter.Microseconds()
		n, err = t.exec(`UPDATE outbox SET next_at = CASE WHEN failed_at + ? > ? THEN failed_at + ? ELSE created_at END
			WHERE route = ? AND lane = ? AND state = 'queued' AND blocked = 0 AND next_at > ? AND next_at > failed_at + ? AND lease <= 0
			AND cause IN ('unreachable', 'timeout', 'unavailable')`, quiet, micros(at), quiet, string(lane.Route), lane.Receiver, micros(at), quiet)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: hasten: %w", err)
	}
	return n, nil
}

// Recall makes due soon what rests beyond a time by more than a minute: as soon
// as what may still be on its way may be asked about. It is for a clock that ran
// ahead and was set right: by it deliveries were put off until then.
func (s *Store) Recall(ctx context.Context, at time.Time) (n int64, err error) {
	err = s.writer.write(ctx, func(t *tx) error {
		n, err = t.exec(`UPDATE outbox SET next_at = ? WHERE state = 'queued' AND next_at > ? AND lease <= 0`, micros(at.Add(gateway.QuietAfter)), micros(at.Add(time.Minute)))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: recall: %w", err)
	}
	return n, nil
}

// MendLines frees deliveries that wait behind no dead letter any more, and
// gives those of lanes that nobody serves to their route.
func (s *Store) MendLines(ctx context.Context, lanes []gateway.Lane) (n int64, err error) {
	const waiting = `state = 'queued' AND blocked = 1 AND NOT EXISTS (SELECT 1 FROM outbox p
		WHERE p.application = outbox.application AND p.route = outbox.route AND p.seq < outbox.seq AND p.state = 'dead')`
	w := where{parts: []string{`state IN ('queued', 'dead')`, `lane <> ''`}}
	for _, l := range lanes {
		if l.Receiver != "" {
			w.and(`NOT (route = ? AND lane = ?)`, string(l.Route), l.Receiver)
		}
	}
	var any bool
	if err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM outbox WHERE `+waiting+`) OR EXISTS (SELECT 1 FROM outbox`+w.String()+`)`, w.args...).Scan(&any); err != nil || !any {
		return 0, found(err, "mend")
	}
	err = s.writer.write(ctx, func(t *tx) error {
		freed, err := t.exec(`UPDATE outbox SET blocked = 0 WHERE ` + waiting)
		if err != nil {
			return err
		}
		moved, err := t.exec(`UPDATE outbox SET lane = ''`+w.String(), w.args...)
		n = freed + moved
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: mend: %w", err)
	}
	return n, nil
}

// block marks what waits behind a delivery that is dead now, or frees it.
func (t *tx) block(d *gateway.Delivery) error {
	blocked := 0
	if d.State == gateway.Dead {
		blocked = 1
	}
	return t.later("delivery", nil, `UPDATE outbox SET blocked = ? WHERE application = ? AND route = ? AND seq > ? AND state = 'queued' AND blocked <> ?`,
		blocked, d.Application, string(d.Route), d.Seq, blocked)
}
