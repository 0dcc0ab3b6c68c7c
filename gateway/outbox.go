package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.uber.org/zap"

	"kopir/gateway/failpoint"
	"kopir/signature"
)

// carry makes one try and writes down what came of it. A try that was cut off
// because we are stopping is not counted.
func (b *Bridge) carry(ctx context.Context, l *lane, d Delivery) {
	if !l.take(&d) {
		return
	}
	defer l.put(d.ID)
	if err := b.o.Store.Awake(); err != nil {
		b.log.Warn("delivery left to others", zap.String("id", d.ID), keptTraceID(d.Trace), zap.Error(err))
		b.giveBack(ctx, d)
		return
	}
	began := b.now()
	ctx, span := b.trying(ctx, &d)
	defer span.End()
	try, cancel := context.WithTimeout(ctx, sendBudget)
	defer cancel()
	if d.Route.notifies() {
		b.sending.Add(1)
		defer b.sending.Add(-1)
	}
	about := []zap.Field{zap.String("route", string(d.Route)), zap.String("delivery", d.ID), zap.String("application", d.Application)}
	var also func(*draft) error // what else follows, for the application
	err := b.guard(func() (err error) {
		also, err = b.attempt(try, &d)
		return err
	}, about...)
	d.Lease = l.lease(d.ID)
	if err != nil && ctx.Err() != nil {
		b.giveBack(ctx, d)
		return
	}
	if err != nil {
		cause, _ := blame(err)
		span.SetStatus(codes.Error, string(cause))
	}
	b.learn(context.WithoutCancel(ctx), l, err)
	if b.guard(func() error { b.settleAtLast(ctx, d, err, also); return nil }, about...) != nil { // it was what follows that panicked
		b.guard(func() error { b.settleAtLast(ctx, d, errFollowing, nil); return nil }, about...)
	}
	l.took(b.now().Sub(began))
}

// attempt makes the try itself.
func (b *Bridge) attempt(ctx context.Context, d *Delivery) (also func(*draft) error, err error) {
	switch {
	case d.Route == ToLocal:
		return nil, b.writeLocal(ctx, d)
	case d.Route.Asks():
		return b.askRegistry(ctx, d)
	case d.Route.personal():
		return b.postLetter(ctx, d)
	default:
		return nil, b.send(ctx, d)
	}
}

// settleAtLast writes the outcome of a try, again and again while the store
// cannot take it and nobody else has taken over: what a partner has got need not
// be asked about, and nobody waits for the lease, when the store is back.
func (b *Bridge) settleAtLast(ctx context.Context, d Delivery, failed error, also func(*draft) error) {
	end := time.Now().Add(sendLease)
	for pause := settlePause; ; pause = min(2*pause, faultPause) {
		err := b.settle(context.WithoutCancel(ctx), d, failed, also)
		if err == nil || errors.Is(err, ErrLease) || forGood(err) || time.Now().After(end) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

const settlePause = 250 * time.Millisecond

// forGood says that another try would end in the same error.
func forGood(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code != TryLater
}

// giveBack ends a lease at once, so that others, or a restart, go on without
// waiting for its end. What others have taken over already stays theirs.
func (b *Bridge) giveBack(ctx context.Context, d Delivery) {
	if quiet := b.steady().Add(QuietAfter); d.Unsure && d.NextAt.Before(quiet) {
		d.NextAt = quiet // it may be on its way
	}
	if err := b.o.Store.Commit(context.WithoutCancel(ctx), Change{Deliveries: []Delivery{d}}); err != nil && !errors.Is(err, ErrLease) {
		b.log.Warn("delivery not given back; its lease will end", zap.String("id", d.ID), keptTraceID(d.Trace), zap.Error(err))
	}
}

// giveBackAtLast ends the lease of what may not even be written, when the store
// is back to tell.
func (b *Bridge) giveBackAtLast(ctx context.Context, d Delivery) {
	for end := time.Now().Add(sendLease); time.Now().Before(end); {
		err := b.o.Store.Commit(context.WithoutCancel(ctx), Change{Deliveries: []Delivery{d}})
		if err == nil {
			b.stir(Change{Deliveries: []Delivery{d}})
		}
		if err == nil || errors.Is(err, ErrLease) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(faultPause):
		}
	}
}

func outcomeOf(s DeliveryState) Outcome {
	switch s {
	case Done:
		return OutcomeDone
	case Dead:
		return OutcomeDead
	}
	return OutcomeFailed
}

// counted counts how a try ended, when that is written: of what we carried, of
// what a partner fetched, and of what the gateway says later.
func (b *Bridge) counted(d *Delivery) {
	if l := b.lane(Lane{d.Route, d.Lane}); l != nil {
		l.ended(outcomeOf(d.State))
	}
}

// settle writes the outcome of a try.
func (b *Bridge) settle(ctx context.Context, d Delivery, failed error, also func(*draft) error) error {
	at := b.now().UTC()
	d.Tries++
	if failed != nil {
		d.Cause, d.Code = blame(failed)
		d.FailedAt = at
	}
	var se *SendError
	switch {
	case failed == nil:
		d.State, d.DoneAt, d.Error, d.Unsure = Done, at, "", false
		d.Cause, d.Code, d.FailedAt = "", "", time.Time{}
	case errors.As(failed, &se) && se.Permanent || b.steady().Sub(d.Since) > giveUpOn(d.Route):
		d.State, d.Error = Dead, failed.Error()
	default:
		pause := retryAfter(d.Tries, d.ID)
		if d.Route == ToLocal {
			pause = min(pause, maxLocalRetry)
		}
		if d.Route.Asks() {
			pause = min(pause, maxAsk) // the step's term is minutes, and it runs
		}
		if se != nil {
			pause = max(pause, min(se.RetryAfter, maxPause))
		}
		if d.Unsure {
			pause = max(pause, QuietAfter)
		}
		d.NextAt, d.Error = b.steady().Add(pause), failed.Error()
	}
	fields := []zap.Field{zap.String("route", string(d.Route)), zap.String("application", d.Application), zap.String("message_id", d.MessageID), zap.Int("tries", d.Tries), traceID(ctx)}
	switch d.State {
	case Done:
		b.log.Info("delivered", fields...)
	case Dead:
		b.log.Error("delivery given up; it waits for a person", append(fields, zap.Error(failed))...)
	default:
		b.log.Warn("delivery failed", append(fields, zap.Time("next", d.NextAt), zap.Error(failed))...)
	}
	var err error
	if also != nil || d.State == Dead {
		_, err = b.amend(ctx, d.Application, 0, func(dr *draft) error {
			dr.change.Deliveries = append(dr.change.Deliveries, d)
			if d.State == Dead {
				dr.event(Event{Kind: EventDead, Actor: Actor{Name: "outbox"}, Detail: string(d.Route) + ": " + d.Error})
				if d.Route.personal() && failed != errFollowing {
					err := dr.inCabinet(d)
					if !forGood(err) {
						return err
					}
					dr.event(Event{Kind: EventNote, Actor: Actor{Name: "bridge"}, Detail: "not put into the cabinet either: " + err.Error()})
				}
			}
			if also != nil {
				return also(dr)
			}
			return nil
		})
	}
	if also == nil && d.State != Dead || CodeOf(err) == NotFound { // a refusal without an application has no history
		c := Change{Deliveries: []Delivery{d}}
		if err = b.o.Store.Commit(ctx, c); err == nil {
			b.stir(c)
		}
	}
	failpoint.Here(failpoint.Settled)
	switch {
	case err == nil:
		b.counted(&d)
	case !errors.Is(err, ErrLease):
		b.log.Error("delivery not settled; it will be tried again", append(fields, zap.Error(err))...)
	}
	return err
}

// send hands the message to the sender, and keeps what went out and came back.
func (b *Bridge) send(ctx context.Context, d *Delivery) error {
	asked := *d
	d.Unsure = true // until something is known; a defect says nothing
	r, err := b.o.Sender.Send(ctx, asked)
	failpoint.Here(failpoint.SendAfter)
	if len(r.Sent) > 0 {
		d.Sent = r.Sent
	}
	if len(r.Answer) > 0 {
		d.Answer = r.Answer
	}
	if err != nil {
		var se *SendError
		d.Unsure = !errors.As(err, &se) || se.Unknown
		return err
	}
	d.Unsure = false
	if r.MessageID != "" {
		d.PeerMessageID = r.MessageID
	}
	if r.State != "" {
		d.PeerState = r.State
	}
	return nil
}

// inner is the document of a delivery that a partner fetches, signed by itself
// where the partner wants it so. What is pushed is signed by the Sender.
func (b *Bridge) inner(d *Delivery) ([]byte, error) {
	s, ok := b.set().Edition(d.Service, d.Edition)
	if !ok {
		return nil, &SendError{Permanent: true, Cause: CauseOurs, Err: fmt.Errorf("the description of service %s, edition %q, is not loaded", d.Service, d.Edition)}
	}
	if shape, ok := s.Shape(d.Partner); !ok || shape.Data.Signed != "inner" {
		return d.Body, nil
	}
	signed, err := signature.SignEnveloped(d.Body, b.o.Key.Signing(b.now()), signature.SignOptions{})
	if err != nil {
		return nil, fmt.Errorf("sign the notification: %w", err)
	}
	return signed, nil
}

// writeLocal puts the row into the local database.
func (b *Bridge) writeLocal(ctx context.Context, d *Delivery) error {
	var row LocalRow
	if err := json.Unmarshal(d.Body, &row); err != nil {
		return &SendError{Permanent: true, Cause: CauseOurs, Err: err}
	}
	if s, ok := b.set().Edition(row.Service, row.Edition); ok && row.Result && s.Local.Result != nil {
		var err error
		if row.Issued, err = b.issued(ctx, row.Number); err != nil {
			return err
		}
	}
	failpoint.Here(failpoint.RowBefore)
	if err := b.o.Store.Awake(); err != nil { // or a status of the past would follow a later one
		return err
	}
	err := b.o.Local.Write(ctx, row)
	failpoint.Here(failpoint.RowWritten)
	return err
}

// stir wakes the lanes that a change has put something on for a claim. What a
// partner has by its being written is done with that.
func (b *Bridge) stir(c Change) {
	for i := range c.Deliveries {
		d := &c.Deliveries[i]
		if d.Seq == 0 && d.State == Done {
			b.counted(d)
			continue
		}
		if l := b.lane(Lane{d.Route, d.Lane}); l != nil && (d.Seq != 0 || d.Lease == 0) {
			rouse(l.wake)
		}
	}
}

// rouse wakes a loop; one that is awake already needs no second call.
func rouse(loop chan struct{}) {
	select {
	case loop <- struct{}{}:
	default:
	}
}

// Deliveries lists what is on its way, done or given up.
func (b *Bridge) Deliveries(ctx context.Context, f DeliveryFilter, cursor string, limit int) (DeliveryPage, error) {
	p, err := b.o.Store.Deliveries(ctx, f, cursor, limit)
	if err != nil {
		return DeliveryPage{}, tryLater(err)
	}
	return p, nil
}

// Retry sends a dead delivery again; what waits behind it follows.
func (b *Bridge) Retry(ctx context.Context, id string, who Actor) error {
	return b.decide(ctx, id, who, "sent again", isDead, func(d *Delivery, at time.Time) {
		d.State, d.NextAt, d.Since, d.Error = Queued, at, at, ""
	})
}

// Drop gives a dead delivery, or a question that a registry has not answered,
// up for good; it stays in the outbox with the reason.
func (b *Bridge) Drop(ctx context.Context, id string, who Actor, why string) error {
	if why == "" {
		return refuse(Malformed, "why", "the reason is needed: it is kept")
	}
	unanswered := func(d *Delivery) bool { return isDead(d) || d.State == Queued && d.Route.Asks() }
	return b.decide(ctx, id, who, "dropped: "+why, unanswered, func(d *Delivery, at time.Time) {
		d.State, d.DoneAt, d.Error = Dropped, at, "dropped by "+who.Name+": "+why
	})
}

func isDead(d *Delivery) bool { return d.State == Dead }

// decide changes a delivery by a person's word.
func (b *Bridge) decide(ctx context.Context, id string, who Actor, what string, may func(*Delivery) bool, do func(*Delivery, time.Time)) error {
	page, err := b.o.Store.Deliveries(ctx, DeliveryFilter{ID: id}, "", 1)
	if err != nil {
		return tryLater(err)
	}
	if len(page.Deliveries) == 0 {
		return &Error{Code: NotFound, Field: "id", Say: "there is no delivery of this id"}
	}
	d := page.Deliveries[0]
	if !may(&d) {
		return refuse(MoveNotAllowed, "state", "only a dead delivery can be sent again or dropped, and a registry's unanswered question dropped; this one is %s", d.State)
	}
	do(&d, b.steady())
	note := Event{Kind: EventNote, Actor: who, Detail: string(d.Route) + " delivery " + what}
	_, err = b.amend(ctx, d.Application, 0, func(dr *draft) error {
		dr.change.Deliveries = append(dr.change.Deliveries, d)
		dr.event(note)
		return nil
	})
	if CodeOf(err) == NotFound {
		c := Change{Deliveries: []Delivery{d}}
		if err = b.o.Store.Commit(ctx, c); err != nil {
			return tryLater(err)
		}
		b.stir(c)
	}
	return err
}
