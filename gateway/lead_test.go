package gateway

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// lodge is a store that knows leaders only.
type lodge struct {
	Store
	mu     *sync.Mutex
	leader *string
	until  *time.Time
	name   string
	away   *bool // the database does not answer this one
}

func (l lodge) Lead(_ context.Context, _ string, ttl time.Duration) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *l.away {
		return false, errors.New("away")
	}
	if *l.leader != l.name && time.Now().Before(*l.until) {
		return false, nil
	}
	*l.leader, *l.until = l.name, time.Now().Add(ttl)
	return true, nil
}

func (l lodge) Resign(context.Context, string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !*l.away && *l.leader == l.name {
		*l.until = time.Now()
	}
	return nil
}

// TestWhileLeading: never two at once, also when the leader loses its database;
// soon one again.
func TestWhileLeading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var leader string
		var until time.Time
		var leading []string
		start := func(name string) (away *bool, stop func()) {
			away = new(bool)
			b := &Bridge{o: Options{Store: lodge{mu: &mu, leader: &leader, until: &until, name: name, away: away}}, log: zap.NewNop()}
			ctx, end := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				b.WhileLeading(ctx, "loops", func(ctx context.Context) {
					mu.Lock()
					leading = append(leading, name)
					if len(leading) > 1 {
						t.Errorf("at once: %v", leading)
					}
					mu.Unlock()
					<-ctx.Done()
					mu.Lock()
					leading = leading[:0]
					mu.Unlock()
				})
			}()
			return away, func() { end(); <-done }
		}
		who := func(want string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(leading) != 1 || leading[0] != want {
				t.Fatalf("%v leads, want %s", leading, want)
			}
		}
		set := func(p *bool, v bool) { mu.Lock(); *p = v; mu.Unlock() }
		awayA, stopA := start("a")
		who("a")
		_, stopB := start("b")
		time.Sleep(time.Minute)
		who("a")
		set(awayA, true)
		time.Sleep(leadFor + leadFor/5)
		who("b")
		set(awayA, false)
		time.Sleep(time.Minute)
		who("b")
		stopB() // resigns
		time.Sleep(leadFor / 5)
		who("a")
		stopA()
	})
}
