package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"kopir/gateway/sim"
)

// plan is what the staff does with an application: the states after received.
type plan struct {
	name   string
	share  int // of the applications that are acted on: as many of the sum of all shares
	states []string
	do     func(*staff, context.Context, *act) bool // one step further; false: try again
}

// leave is the plan for an application at which nobody does more than look.
var leave = plan{name: "leave"}

// plans are tables of what offices do.
var plans = []plan{
	{"take", 15, []string{"in_progress"}, (*staff).take},
	{"refuse", 12, []string{"in_progress", "refused"}, (*staff).refuse},
	{"complete", 10, []string{"in_progress", "completed"}, (*staff).complete},
	{"clerk takes", 10, []string{"in_progress"}, (*staff).clerkTakes},
	{"clerk refuses", 8, []string{"in_progress", "refused"}, (*staff).clerkRefuses},
}

// turns has each plan as often as its share.
var turns = func() (all []plan) {
	for _, p := range plans {
		all = append(all, slices.Repeat([]plan{p}, p.share)...)
	}
	return all
}()

// DefaultActing is of how many applications in a hundred the staff does something.
const DefaultActing = 55

// planOf follows from seed, share and number alone.
func planOf(seed uint64, acting int, number string) plan {
	h := fnv.New64a()
	fmt.Fprint(h, seed, number)
	sum := h.Sum64()
	if sum%100 >= uint64(acting) {
		return leave
	}
	return turns[sum/100%uint64(len(turns))]
}

// act is an application in the hands of the staff.
type act struct {
	number  string
	plan    plan
	signed  []byte    // the result
	keyed   bool      // requests bear an Idempotency-Key
	refused bool      // the last request, for good
	told    time.Time // of a clerk's status that the bridge does not have yet
	rests   time.Time // until when nobody looks at it
}

// restFor is how long an act rests that cannot go on: others go on meanwhile.
const restFor = time.Second

// staff decides applications by REST and in the local database. It hears of an
// application when the portal does.
type staff struct {
	t      *trial
	client *http.Client

	mu   sync.Mutex
	seen map[string]bool
	jobs []*act
	rest []*act // the first to go on first
	busy int
	more chan struct{}
}

func newStaff(t *trial) (*staff, error) {
	s := &staff{t: t, seen: map[string]bool{}, more: make(chan struct{}, 1),
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: desks, IdleConnTimeout: sim.IdleTime}}}
	t.seen.taken = func(a Arrival) {
		if a.To == "portal" && a.Code == "ACCEPTED" && a.Number != "" {
			s.add(a.Number)
		}
	}
	return s, nil
}

func (s *staff) add(number string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[number] {
		return
	}
	s.seen[number] = true
	if p := planOf(s.t.o.Seed, s.t.o.Acting, number); p.do != nil {
		s.jobs = append(s.jobs, &act{number: number, plan: p, keyed: len(s.jobs)%2 == 0})
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

// open is how many applications are not where the staff wants them.
func (s *staff) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.jobs) + len(s.rest) + s.busy
}

// desks are how many of the staff work at once.
const desks = 12

func (s *staff) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range desks {
		wg.Go(func() {
			for ctx.Err() == nil {
				a := s.take1()
				if a == nil {
					select {
					case <-ctx.Done():
					case <-s.more:
					case <-time.After(200 * time.Millisecond):
					}
					continue
				}
				done := a.plan.do(s, ctx, a)
				s.mu.Lock()
				s.busy--
				if !done {
					a.rests = time.Now().Add(restFor)
					s.rest = append(s.rest, a)
				}
				s.mu.Unlock()
			}
		})
	}
	wg.Wait()
	s.client.CloseIdleConnections()
}

func (s *staff) take1() *act {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := &s.jobs
	if len(s.rest) > 0 && !time.Now().Before(s.rest[0].rests) {
		from = &s.rest
	}
	if len(*from) == 0 {
		return nil
	}
	a := (*from)[0]
	*from = (*from)[1:]
	s.busy++
	return a
}

func (s *staff) take(ctx context.Context, a *act) bool {
	return s.move(ctx, a, "in_progress", "/take", "application/json", []byte(`{}`))
}

func (s *staff) refuse(ctx context.Context, a *act) bool {
	ground := []byte(`{"ground":{"text":{"ru":"crashtest","kk":"crashtest"}}}`)
	return s.take(ctx, a) && s.move(ctx, a, "refused", "/refusal", "application/json", ground)
}

func (s *staff) complete(ctx context.Context, a *act) bool {
	if !s.take(ctx, a) {
		return false
	}
	if a.signed == nil {
		status, draft, err := s.call(ctx, http.MethodPost, a.number+"/result/draft", "application/json", []byte(`{"result":"unemployed-registration-certificate"}`), "")
		if err != nil || status != http.StatusOK {
			s.t.diary.write("draft of %s: %d %v %s", a.number, status, err, draft)
			return false
		}
		if a.signed, err = s.t.sim.SignAs("official", "", draft); err != nil {
			s.t.diary.note("result not signed: %s", err)
			return false
		}
	}
	done := s.move(ctx, a, "completed", "/decision", "application/xml", a.signed)
	if !done && a.refused {
		a.signed, a.refused = nil, false // as of a draft that a wrong clock has dated: it is drawn up anew
	}
	return done
}

// Codes of the local table.
const localReceived, localTaken, localRefused = "10", "20", "40"

func (s *staff) clerkTakes(ctx context.Context, a *act) bool {
	return s.clerk(ctx, a, localReceived, localTaken, "in_progress")
}

func (s *staff) clerkRefuses(ctx context.Context, a *act) bool {
	return s.clerkTakes(ctx, a) && s.clerk(ctx, a, localTaken, localRefused, "refused")
}

// lookAgain is how often it is looked whether the bridge has a clerk's status:
// every look is a reading that goes into the journal.
const lookAgain = 5 * time.Second

// clerk sets a status in the local table, once, and waits until the bridge has it.
func (s *staff) clerk(ctx context.Context, a *act, from, to, want string) bool {
	if time.Since(a.told) < lookAgain {
		return false
	}
	if state, ok := s.state(ctx, a.number); !ok || reached(a.plan, state, want) {
		return ok
	}
	if _, err := s.t.tables.clerk(ctx, a.number, from, to); err != nil {
		s.t.diary.write("clerk on %s: %s", a.number, err)
	}
	a.told = time.Now()
	return false
}

// reached says whether an application is where a step leads, or beyond.
func reached(p plan, state, want string) bool {
	return slices.Index(p.states, state) >= slices.Index(p.states, want)
}

// move asks for a change of state until the application is in it.
func (s *staff) move(ctx context.Context, a *act, want, path, kind string, body []byte) bool {
	if state, ok := s.state(ctx, a.number); !ok || reached(a.plan, state, want) {
		return ok
	}
	key := ""
	if a.keyed {
		key = a.number + path
	}
	status, answer, err := s.call(ctx, http.MethodPost, a.number+path, kind, body, key)
	if err == nil && status/100 == 2 {
		return true
	}
	if err == nil {
		s.t.diary.write("%s of %s: %d %s", path, a.number, status, bytes.TrimSpace(answer[:min(300, len(answer))]))
		if status != http.StatusConflict && status/100 == 4 {
			a.keyed, a.refused = false, true // that refusal is kept for the key
		}
	}
	return false
}

// state asks where an application is.
func (s *staff) state(ctx context.Context, number string) (string, bool) {
	status, b, err := s.call(ctx, http.MethodGet, number, "", nil, "")
	var app struct{ State string }
	if err != nil || status != http.StatusOK || json.Unmarshal(b, &app) != nil {
		return "", false
	}
	return app.State, true
}

func (s *staff) call(ctx context.Context, method, path, kind string, body []byte, key string) (int, []byte, error) {
	n := s.t.load.pick(nil)
	at := n.url("/api/v1/applications/" + (&url.URL{Path: path}).EscapedPath())
	r, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+n.key)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}
