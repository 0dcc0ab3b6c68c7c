package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"kopir/gateway"
	"kopir/gateway/store"
)

// nextVersion gives the migrations of a version to come: ours and one more.
func nextVersion(t *testing.T) (next fs.FS, ours int64) {
	t.Helper()
	all := fstest.MapFS{}
	names, err := fs.Glob(store.Migrations, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(store.Migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = &fstest.MapFile{Data: text}
		if _, err := fmt.Sscanf(name, "%05d", &ours); err != nil {
			t.Fatal(err)
		}
	}
	all[fmt.Sprintf("%05d_next.sql", ours+1)] = &fstest.MapFile{Data: []byte(`-- +goose Up
ALTER TABLE applications ADD COLUMN next_word TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN next_word TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN next_number BIGINT NOT NULL DEFAULT 0;
CREATE TABLE next_things (id TEXT NOT NULL PRIMARY KEY);
CREATE INDEX outbox_next ON outbox (next_word, created_at);
-- +goose Down
DROP TABLE next_things;
DROP INDEX outbox_next;
ALTER TABLE messages DROP COLUMN next_number;
ALTER TABLE outbox DROP COLUMN next_word;
ALTER TABLE applications DROP COLUMN next_word;
`)}
	return all, ours
}

// balancer sends each message to the next door, and to another one where a door
// is shut, or about to be (503): what a load balancer does.
type balancer struct {
	mu    sync.Mutex
	doors []string
	turn  int
}

func (b *balancer) next() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	return b.doors[b.turn%len(b.doors)]
}

func (b *balancer) change(old, young string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doors = append(slices.DeleteFunc(slices.Clone(b.doors), func(d string) bool { return d == old }), young)
}

// deliver gives the answer of the first door that answers. Whoever got none
// sends the same bytes again.
func (b *balancer) deliver(raw string) (status int, answer string, err error) {
	for range 100 {
		var r *http.Response
		if r, err = http.Post(b.next()+"/shep/sync", "text/xml; charset=utf-8", strings.NewReader(raw)); err != nil {
			continue
		}
		body, cut := io.ReadAll(r.Body)
		r.Body.Close()
		if err = cut; err == nil && r.StatusCode != http.StatusServiceUnavailable {
			return r.StatusCode, string(body), nil
		}
	}
	return 0, "", errors.Join(err, errors.New("no door took it"))
}

// TestRollingUpgrade: two bridges under load are replaced, one by one, by those
// of the next version, whose first brings the schema forward beside the older
// one; then back again, and the schema after them. No message is refused, none
// is lost, none becomes two applications.
func TestRollingUpgrade(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	config := onPostgres(t, p)
	ours := store.Migrations
	defer func() { store.Migrations = ours }()
	next, version := nextVersion(t)
	dsn := strings.TrimSpace(string(readAll(t, p.dir+"/store.dsn")))
	schema := func() int64 {
		was, err := store.Migrate(t.Context(), store.Postgres(dsn), -1)
		if err != nil {
			t.Fatal(err)
		}
		return was.Have
	}

	type running struct {
		node *node
		door string
		stop func()
	}
	start := func(migrations fs.FS) *running {
		store.Migrations = migrations
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		n, stop := startNode(t, config, l)
		return &running{n, reachable(l), stop}
	}
	one, two := start(ours), start(ours)
	lb := &balancer{doors: []string{one.door, two.door}}

	m := newSyncMaker(t, p)
	var load sync.WaitGroup
	var mu sync.Mutex
	taken := map[string]string{} // answers by message
	enough := make(chan struct{})
	for range 2 {
		load.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
				}
				raw := string(m.message(nil))
				status, answer, err := lb.deliver(raw)
				if err != nil || status != 200 || !strings.Contains(answer, "SendMessageResponse") {
					t.Errorf("refused: %d %s %v", status, answer, err)
					return
				}
				mu.Lock()
				taken[raw] = answer
				mu.Unlock()
			}
		})
	}
	// Every stage of the change sees messages.
	some := func(what string) {
		mu.Lock()
		was := len(taken)
		mu.Unlock()
		waitFor(t, what, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(taken) >= was+6 || t.Failed()
		})
	}
	replace := func(old **running, migrations fs.FS) {
		young := start(migrations)
		lb.change((*old).door, young.door)
		(*old).stop()
		*old = young
	}
	some("the older version takes messages")
	replace(&one, next)
	if got := schema(); got != version+1 {
		t.Errorf("the schema is %d", got)
	}
	some("both versions take messages")
	replace(&two, next)
	some("the next version takes messages")
	replace(&one, ours)
	some("both versions take messages on the way back")
	replace(&two, ours)
	some("the older version takes messages on the newer schema")
	store.Migrations = next
	if _, err := store.Migrate(t.Context(), store.Postgres(dsn), version); err != nil {
		t.Fatal(err)
	}
	store.Migrations = ours
	if got := schema(); got != version {
		t.Errorf("the schema is %d", got)
	}
	some("the older version takes messages on its own schema")
	close(enough)
	load.Wait()

	answers := map[string]bool{}
	for raw, answer := range taken {
		answers[answer] = true
		if status, again, err := lb.deliver(raw); err != nil || status != 200 || again != answer {
			t.Fatalf("another answer to a repetition: %d %s %v", status, again, err)
		}
	}
	numbers := messagesOf(t, two.node.store)
	messages := map[string]bool{}
	for id := range maps.Values(numbers) {
		messages[id] = true
	}
	if len(answers) != len(taken) || len(numbers) != len(taken) || len(messages) != len(taken) {
		t.Errorf("%d messages, %d answers, %d applications of %d messages", len(taken), len(answers), len(numbers), len(messages))
	}
	waitFor(t, "every delivery is made", func() bool {
		open, err := two.node.store.OpenDeliveries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(open) == 0
	})
	dead, err := two.node.store.Deliveries(t.Context(), gateway.DeliveryFilter{States: []gateway.DeliveryState{gateway.Dead}}, "", 1)
	if err != nil || len(dead.Deliveries) > 0 {
		t.Error(dead, err)
	}
}
