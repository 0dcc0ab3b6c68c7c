package revocation

import (
	"errors"
	"runtime/debug"
)

// errDefect is what is left of a panic. It may be about anything, so nothing of
// it goes into a verdict.
var errDefect = errors.New("a defect of this program")

// guard keeps a panic from ending the process: what all wait for together runs in
// a goroutine that is nobody's, where nobody could catch it.
func (c *Checker) guard(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c.o.Defect(r, debug.Stack())
			err = errDefect
		}
	}()
	return do()
}
