package store

import (
	"strings"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT (RFC 5482; linux/tcp.h).
const tcpUserTimeout = 18

// boundSilence ends a connection whose other end acknowledges nothing for a
// while; without it the system tries for a quarter of an hour.
func boundSilence(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var fault error
	err := c.Control(func(fd uintptr) {
		fault = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(silentServer/time.Millisecond))
	})
	if err != nil {
		return err
	}
	return fault
}
