package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"
)

// errDefect is what is left of a panic. It may be about anything, so nothing of
// it goes further than the log.
var errDefect error = &SendError{Cause: CauseDefect, Err: errors.New("a defect of the bridge; its log has the stack")}

// errFollowing is errDefect in what follows from a try: when the delivery is given
// up for it, nothing may follow, or it could not even be given up.
var errFollowing error = &SendError{Cause: CauseDefect, Err: errors.New("a defect of the bridge in what follows from the try; its log has the stack")}

// guard keeps a defect that one thing runs into from ending the process, and
// then the next one that takes it over: what panicked has failed.
func (b *Bridge) guard(do func() error, about ...zap.Field) (err error) {
	defer func() {
		if r := recover(); r != nil {
			b.Defect(r, debug.Stack(), about...)
			err = errDefect
		}
	}()
	return do()
}

// Defect tells the log where a panic was caught. Its text may hold anything, so it
// is cut short and never goes further.
func (b *Bridge) Defect(panicked any, stack []byte, about ...zap.Field) {
	b.panics.Add(1)
	text := fmt.Sprint(panicked)
	b.log.Error("panic", append(about, zap.String("panic", text[:min(len(text), 200)]), zap.ByteString("stack", stack))...)
}

// Keep runs do, and again after a pause as often as it runs into a defect, until
// it returns or ctx ends.
func (b *Bridge) Keep(ctx context.Context, name string, do func(context.Context)) {
	for ctx.Err() == nil && b.guard(func() error { do(ctx); return nil }, zap.String("loop", name)) != nil {
		select {
		case <-ctx.Done():
		case <-time.After(faultPause):
		}
	}
}

// Panics are those that Defect was told of.
func (b *Bridge) Panics() uint64 { return b.panics.Load() }
