//go:build !linux

package store

import "syscall"

// boundSilence: what this system does by itself must do.
func boundSilence(string, string, syscall.RawConn) error { return nil }
