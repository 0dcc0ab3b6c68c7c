package gateway

import (
	"context"
	"errors"
)

// noSuch turns the store's answer into the bridge's.
func noSuch(err error, what string) error {
	if errors.Is(err, ErrNotFound) {
		return &Error{Code: NotFound, Field: "number", Say: "there is no " + what + " of this number"}
	}
	return tryLater(err)
}

// Application finds one by its number.
func (b *Bridge) Application(ctx context.Context, number string) (*Application, error) {
	a, err := b.o.Store.Application(ctx, number)
	if err != nil {
		return nil, noSuch(err, "application")
	}
	a.foresee(b.now())
	return a, nil
}

// Applications lists newest first.
func (b *Bridge) Applications(ctx context.Context, f Filter, cursor string, limit int) (Page, error) {
	f.Now = b.now()
	p, err := b.o.Store.Applications(ctx, f, cursor, limit)
	if err != nil {
		return Page{}, tryLater(err)
	}
	for i := range p.Applications {
		p.Applications[i].foresee(f.Now)
	}
	return p, nil
}

// History is what one person applied for.
func (b *Bridge) History(ctx context.Context, iin IIN, cursor string, limit int) (Page, error) {
	if len(iin) != 12 {
		return Page{}, refuse(Malformed, "iin", "an IIN has twelve digits")
	}
	return b.Applications(ctx, Filter{IIN: iin}, cursor, limit)
}

// Result is the result document with its content.
func (b *Bridge) Result(ctx context.Context, number string) (*Document, error) {
	d, err := b.o.Store.Result(ctx, number)
	if err != nil {
		return nil, noSuch(err, "result")
	}
	return d, nil
}

// Timeline is everything about one application.
func (b *Bridge) Timeline(ctx context.Context, number string) (*Timeline, error) {
	a, err := b.Application(ctx, number)
	if err != nil {
		return nil, err
	}
	t := &Timeline{Application: *a}
	if t.Events, err = b.o.Store.Events(ctx, number); err != nil {
		return nil, tryLater(err)
	}
	if t.Dues, err = b.o.Store.Dues(ctx, number); err != nil {
		return nil, tryLater(err)
	}
	if t.Evidence, err = b.o.Store.Evidence(ctx, number); err != nil {
		return nil, tryLater(err)
	}
	for cursor := ""; ; {
		p, err := b.o.Store.Deliveries(ctx, DeliveryFilter{Application: number}, cursor, 200)
		if err != nil {
			return nil, tryLater(err)
		}
		t.Deliveries = append(t.Deliveries, p.Deliveries...)
		if cursor = p.Next; cursor == "" {
			return t, nil
		}
	}
}

// Deadlines counts the open terms by office, service or step.
func (b *Bridge) Deadlines(ctx context.Context, f DueFilter, by []DueKey) ([]DueGroup, error) {
	f.Now = b.now()
	groups, err := b.o.Store.Deadlines(ctx, f, by)
	if err != nil {
		return nil, tryLater(err)
	}
	return groups, nil
}

// Dues lists open terms, the next to end first.
func (b *Bridge) Dues(ctx context.Context, f DueFilter, cursor string, limit int) (DuePage, error) {
	f.Now = b.now()
	p, err := b.o.Store.OpenDues(ctx, f, cursor, limit)
	if err != nil {
		return DuePage{}, tryLater(err)
	}
	return p, nil
}
