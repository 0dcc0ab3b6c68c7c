package gateway

import (
	"context"
	"time"
)

// What the loops of Run do, one round at a time, for tests with a fixed clock.

func (b *Bridge) Tick(ctx context.Context) (int, error)               { return b.tick(ctx) }
func (b *Bridge) RecountAll(ctx context.Context) error                { return b.recountAll(ctx) }
func (b *Bridge) AlarmAll(ctx context.Context) (time.Duration, error) { return b.alarmAll(ctx) }
func (b *Bridge) Reask(ctx context.Context) (int, error)              { return b.reask(ctx) }
func (b *Bridge) Watch(ctx context.Context, service string) (int, error) {
	return b.watchers.of(b, service).watch(ctx)
}
func (b *Bridge) RefreshCodes(ctx context.Context) error            { return b.refreshCodes(ctx) }
func (b *Bridge) Deliver(ctx context.Context, r Route) (int, error) { return b.deliver(ctx, r) }

var (
	RetryAfter   = retryAfter
	AskAfter     = askAfter
	FormatNumber = formatNumber
	FaultRows    = faultRows
	MessageKey   = messageKey
)

const MaxRetry = maxRetry
