package gateway

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"
)

// errDefect is what is left of a panic. It may be about anything, so nothing of
// it goes further than the log.
var errDefect error = &SendError{Cause: CauseDefect, Err: errors.New("a defect of the bridge; its log has the stack")}

// guard keeps a defect that one thing runs into from ending the process, and
// then the next one that takes it over: what panicked has failed.
func (b *Bridge) guard(do func() error, about ...zap.Field) (err error) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		b.panics.Add(1)
		text := fmt.Sprint(r)
		b.log.Error("panic", append(about, zap.String("panic", text[:min(len(text), 200)]), zap.ByteString("stack", debug.Stack()))...)
		err = errDefect
	}()
	return do()
}

// Panics is how many defects the loops, and what they carry, ran into since the start.
func (b *Bridge) Panics() uint64 { return b.panics.Load() }
