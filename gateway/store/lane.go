package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"kopir/gateway"
)

// head is the condition that o is the first of its application and route that
// is still to go or waits for a person. A scalar and not NOT EXISTS: on a table
// of which it has no statistics PostgreSQL would join all of it.
const head = `o.seq = (SELECT MIN(p.seq) FROM outbox p WHERE p.application = o.application AND p.route = o.route AND p.state IN ('queued', 'dead'))`

// claimable are a lane's deliveries that could go, by their marks: those that
// wait behind another (behind) or behind a dead letter (blocked) are not even
// looked at, as there may be very many. A bridge of another version may have
// left a mark out.
const claimable = `o.route = ? AND o.lane = ? AND o.state = 'queued' AND o.blocked = 0 AND o.behind = 0`

// follows is the condition that a row of outbox is not the first: see head.
const follows = `outbox.seq > (SELECT MIN(p.seq) FROM outbox p WHERE p.application = outbox.application AND p.route = outbox.route AND p.state IN ('queued', 'dead'))`

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
		old := limit - limit/freshShare
		first, err := t.claim(lane, at, until, "o.next_at, o.id", old)
		if got = first; err != nil || len(first) < old {
			return err
		}
		last, err := t.claim(lane, at, until, "o.next_at DESC, o.id DESC", limit-old)
		got = append(got, last...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// claim leases at most n of a lane in an order. Where marks were left out, they
// are set, and the claim gives less than it could.
func (t *tx) claim(lane gateway.Lane, at time.Time, until int64, order string, n int) ([]gateway.Delivery, error) {
	got, more, err := t.due(lane, at, order, n)
	if err != nil {
		return nil, fmt.Errorf("store: claim: %w", err)
	}
	ids := make([]string, len(got))
	for i := range got {
		d := &got[i]
		ids[i] = d.ID
		// A lease that ran out, or was ended, is a try of which nobody knows
		// what came of it.
		d.Unsure = d.Unsure || d.Lease != 0
		d.Lease = until
	}
	if len(ids) > 0 {
		err = t.later("claim", nil, `UPDATE outbox SET lease = ?, process = ? WHERE id {among}`, until, t.w.process, t.among(ids))
	}
	if err == nil && more {
		err = t.mark(lane)
	}
	return got, err
}

// mostMarked bounds what one transaction puts right.
const mostMarked = 1000

// mark sets what a bridge of another version left out. It holds what goes before,
// so that whoever settles that sees the mark, and passes what is being settled.
func (t *tx) mark(lane gateway.Lane) error {
	return t.later("claim", nil, `UPDATE outbox SET behind = 1 WHERE id IN (SELECT o.id FROM outbox o WHERE `+claimable+` AND NOT `+head+` ORDER BY o.next_at, o.id LIMIT ?)
		AND EXISTS (SELECT 1 FROM outbox o WHERE o.application = outbox.application AND o.route = outbox.route AND o.seq < outbox.seq AND o.state IN ('queued', 'dead') {skip})`, string(lane.Route), lane.Receiver, mostMarked)
}

// due are at most n of a lane that could go, and whether there were others of
// which the marks only say so.
func (t *tx) due(lane gateway.Lane, at time.Time, order string, n int) (all []gateway.Delivery, others bool, err error) {
	rows, err := t.query(`SELECT `+deliveryColumns+`, `+head+` FROM outbox o WHERE `+claimable+` AND o.next_at <= ? AND o.lease <= ?
		ORDER BY `+order+` LIMIT ? {skip}`, string(lane.Route), lane.Receiver, micros(at), micros(at), n)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var first bool
		d, err := scanDelivery(rows, &first)
		if err != nil {
			return nil, false, err
		}
		if first {
			all = append(all, d)
		} else {
			others = true
		}
	}
	return all, others, rows.Err()
}

// Lease is the end of a lease from a time on; an error while leases cannot be
// reckoned.
func (s *Store) Lease(at time.Time, lease time.Duration) (int64, error) {
	return micros(at.Add(lease)), s.ClockFault()
}

// NextDelivery is when something that nobody has leased can be tried on a lane;
// zero: nothing waits.
func (s *Store) NextDelivery(ctx context.Context, lane gateway.Lane) (time.Time, error) {
	var at int64
	err := s.row(ctx, `SELECT o.next_at FROM outbox o WHERE `+claimable+` AND o.lease <= 0 ORDER BY o.next_at, o.id LIMIT 1`, string(lane.Route), lane.Receiver).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("store: next delivery: %w", err)
	}
	return moment(at), nil
}

// Hasten makes due what failed because the peer was away, in the order in
// which it was made. What the peer itself put off stays put off, and what failed
// just now may still be on its way.
func (s *Store) Hasten(ctx context.Context, lane gateway.Lane, at time.Time) (n int64, err error) {
	err = s.writer.write(ctx, func(t *tx) error {
		quiet := gateway.QuietAfter.Microseconds()
		n, err = t.exec(`UPDATE outbox SET next_at = CASE WHEN failed_at + ? > ? THEN failed_at + ? ELSE created_at END
			WHERE state IN ('queued', 'dead') AND route = ? AND lane = ? AND state = 'queued' AND blocked = 0 AND behind = 0 AND next_at > ? AND next_at > failed_at + ? AND lease <= 0
			AND cause IN ('unreachable', 'timeout', 'unavailable')`, quiet, micros(at), quiet, string(lane.Route), lane.Receiver, micros(at), quiet)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: hasten: %w", err)
	}
	return n, nil
}

// Recall makes due soon what rests beyond a time by more than a minute: as soon
// as what may still be on its way may be asked about; and held applications at
// once. It is for a clock that ran ahead and was set right: by it they were put
// off until then.
func (s *Store) Recall(ctx context.Context, at time.Time) (n int64, err error) {
	err = s.writer.write(ctx, func(t *tx) error {
		n, err = t.exec(`UPDATE outbox SET next_at = ? WHERE state IN ('queued', 'dead') AND state = 'queued' AND next_at > ? AND lease <= 0`, micros(at.Add(gateway.QuietAfter)), micros(at.Add(time.Minute)))
		if err == nil {
			_, err = t.exec(`UPDATE holds SET next_at = ? WHERE next_at > ?`, micros(at), micros(at.Add(time.Minute)))
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: recall: %w", err)
	}
	return n, nil
}

// MendLines frees deliveries that wait behind no dead letter, or behind no
// other, any more, and gives those of lanes that nobody serves to their route.
func (s *Store) MendLines(ctx context.Context, lanes []gateway.Lane) (n int64, err error) {
	const dead = `EXISTS (SELECT 1 FROM outbox p WHERE p.application = o.application AND p.route = o.route AND p.seq < o.seq AND p.state = 'dead')`
	w := where{parts: []string{`o.state IN ('queued', 'dead')`, `o.lane <> ''`}}
	for _, l := range lanes {
		if l.Receiver != "" {
			w.and(`NOT (o.route = ? AND o.lane = ?)`, string(l.Route), l.Receiver)
		}
	}
	for _, m := range []struct {
		set, which string
		args       []any
	}{
		{"blocked = CASE WHEN " + dead + " THEN blocked ELSE 0 END, behind = CASE WHEN " + head + " THEN 0 ELSE behind END",
			" WHERE o.state IN ('queued', 'dead') AND o.state = 'queued' AND (o.blocked = 1 AND NOT " + dead + " OR o.behind = 1 AND " + head + ")", nil},
		{"lane = ''", w.String(), w.args},
	} {
		// Found beside the writer: it may be a long way through all that waits.
		ids, err := oneColumn[string](ctx, s, `SELECT o.id FROM outbox o`+m.which+` LIMIT ?`, append(m.args, mostMarked)...)
		if err == nil && len(ids) > 0 {
			err = s.writer.write(ctx, func(t *tx) error {
				mended, err := t.exec(`UPDATE outbox AS o SET `+m.set+m.which+` AND o.id {among}`, append(m.args, t.among(ids))...)
				n += mended
				return err
			})
		}
		if err != nil {
			return n, fmt.Errorf("store: mend: %w", err)
		}
	}
	return n, nil
}

// block marks what waits behind a delivery that was not on its way when it was
// settled: whether behind a dead one, and behind one that is still to go.
func (t *tx) block(d *gateway.Delivery) error {
	blocked, behind := 0, 0
	if d.State == gateway.Dead {
		blocked = 1
	}
	if open(d) {
		behind = 1
	}
	return t.later("delivery", nil, `UPDATE outbox SET blocked = ?, behind = CASE WHEN ? = 1 THEN 1 ELSE behind END
		WHERE application = ? AND route = ? AND seq > ? AND state = 'queued' AND (blocked <> ? OR behind < ?)`,
		blocked, behind, d.Application, string(d.Route), d.Seq, blocked, behind)
}

// open says whether others of its line wait behind a delivery.
func open(d *gateway.Delivery) bool { return d.State == gateway.Queued || d.State == gateway.Dead }

// follow lets what is first in its line now go, of applications of which
// something need not go any more.
func (t *tx) follow(applications []string) error {
	if len(applications) == 0 {
		return nil
	}
	return t.later("delivery", nil, `UPDATE outbox AS o SET behind = 0 WHERE o.application {among} AND o.state IN ('queued', 'dead') AND o.state = 'queued' AND o.behind = 1 AND `+head, t.among(applications))
}
