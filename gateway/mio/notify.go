package mio

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// listenPause is how long a lost connection is left alone.
const listenPause = time.Second

// Listen calls wake when somebody notifies the configured channel, until ctx
// ends. What happened is found by asking, so a notification that is lost, or
// said once too often, does no harm. Without a channel it returns at once.
func (m *DB) Listen(ctx context.Context, wake func()) {
	if m.notify == "" || m.d != &postgres {
		return
	}
	for ctx.Err() == nil {
		m.listen(ctx, wake)
		select {
		case <-ctx.Done():
		case <-time.After(listenPause):
		}
	}
}

// listen holds one connection until it breaks.
func (m *DB) listen(ctx context.Context, wake func()) {
	conn, err := m.db.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "LISTEN "+m.d.quote(m.notify)); err != nil {
		return
	}
	wake() // for what was said while nobody listened
	_ = conn.Raw(func(c any) error {
		for {
			if _, err := c.(*stdlib.Conn).Conn().WaitForNotification(ctx); err != nil {
				return driver.ErrBadConn // a connection that listens goes to nobody else
			}
			wake()
		}
	})
}
