package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/gateway/sim"
)

// TestPlay drives services of all four channels; `make check` drives them all.
func TestPlay(t *testing.T) {
	for what, ways := range map[string]map[string]int{
		"almaty-home-taught-disabled-children-support": {"accepted": 2, "login": 1, "signed by another": 2, "changed": 2, "revoked": 2, "faults": 2, "decided": 2, "suspended": 1, "REST": 1, "REST, CMS": 1, "REST, CMS changed": 1},
		"karaganda-asp-recipient-certificate/akim":     {"accepted": 1, "signed by another": 1, "changed": 1, "revoked": 1, "faults": 1, "decided": 2, "suspended": 1},
		"karaganda-targeted-social-assistance/csc":     {"accepted": 1, "signed by another": 1, "changed": 1, "revoked": 1, "faults": 1, "decided": 2, "unknown person": 1, "suspended": 1, "by attorney": 1, "attorney revoked": 1, "attorney unknown": 1},
		"service-housing": {"accepted": 1, "signed by another": 1, "changed": 1, "revoked": 1, "faults": 1, "decided": 1, "unknown employer": 1, "REST": 1, "REST, CMS": 1, "REST, CMS changed": 1},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			code, out, errs := kopir(t, "sim", "-play", what, "-json")
			var seen []sight
			if err := json.Unmarshal([]byte(out), &seen); err != nil || code != exitPassed || errs != "" {
				t.Fatalf("%d %v %s\n%s", code, err, errs, out)
			}
			have := map[string]int{}
			for _, s := range seen {
				have[s.Way]++
				completed := slices.Contains([]string{"accepted", "suspended", "by attorney", "REST", "REST, CMS"}, s.Way)
				accepted := completed || slices.Contains([]string{"decided", "unknown person", "attorney revoked", "attorney unknown", "unknown employer"}, s.Way)
				if s.Way == "suspended" && !slices.Contains(s.States, "suspended") {
					t.Errorf("its term did not stand still: %v", s.States)
				}
				if s.Accepted != accepted || (s.Number != "") != accepted || (s.Row != "") != accepted || s.Missing != "" || (s.Ground == "") != completed || (s.Result != "") != completed {
					t.Errorf("%+v", s)
				}
			}
			for way, n := range ways {
				if have[way] != n {
					t.Errorf("%s was played %d times, not %d", way, have[way], n)
				}
			}
			if len(have) != len(ways) {
				t.Errorf("ways %v", have)
			}
		})
	}
}

// TestPlayWrongUse: what cannot be played is told before anything starts.
func TestPlayWrongUse(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-play", "nothing"}, "kopir run -list"},
		{[]string{"-json"}, "go with -play"},
		{[]string{"-play", "all", "-bridge", "http://127.0.0.1:1"}, "-api-key-file"},
		{[]string{"-play", "all", "-bridge", "http://127.0.0.1:1", "-api-key-file", "/nowhere/key", "-addr", "127.0.0.1:0"}, "kopir apikey"},
		{[]string{"-play", "all", "-data", t.TempDir()}, "go with -bridge"},
		{[]string{"-mappings", "/nowhere"}, "-mappings"},
	} {
		if code, out, errs := kopir(t, append([]string{"sim"}, c.args...)...); code != exitUsage || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %d %q %q", c.args, code, out, errs)
		}
	}
}

// TestPlaySeesWhatDoesNotHappen: a partner that hears nothing, a specialist
// who may do nothing.
func TestPlaySeesWhatDoesNotHappen(t *testing.T) {
	p, err := newPlay(t.Context(), "", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	}()
	p.patience = 4 * time.Second
	if err := p.sim.SetTrouble(sim.PartCSC, sim.Trouble{Down: true}); err != nil {
		t.Fatal(err)
	}
	p.start(t.Context())
	for key, want := range map[string]string{p.key: "csc", "kopir_" + strings.Repeat("A", 43): "401"} {
		p.key = key
		var out bytes.Buffer
		code := tourOf(t.Context(), stdio{out: &out, err: &out}, p, p.materials.set, playing{what: "almaty-unemployed-certificate/office"})
		if code != exitFailed || !regexp.MustCompile(`(?m)^✗ almaty-unemployed-certificate/office, accepted: .*`+want).MatchString(out.String()) {
			t.Errorf("%d, no %q in\n%s", code, want, &out)
		}
	}
}

// TestPlayAgainstARunningBridge: the bridge is another one, configured for the
// simulator that the verb starts.
func TestPlayAgainstARunningBridge(t *testing.T) {
	dir := t.TempDir()
	p, err := newPlay(t.Context(), dir, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte(p.key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Its own simulator must give way to the verb's, at the same address and
	// with the same authority.
	base := p.simulator
	if err := p.closers[2](); err != nil { // its server, with the listener before it
		t.Fatal(err)
	}
	p.closers = slices.Delete(p.closers, 1, 3)
	// And the bridge asks nothing in between: it would leave the responder alone
	// for a while and go by lists, on which what is revoked now is not yet.
	played, over := context.WithCancel(t.Context())
	started := make(chan struct{})
	go func() {
		defer close(started)
		for played.Err() == nil {
			if c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://")); err == nil {
				c.Close()
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		p.start(t.Context())
	}()
	code, out, errs := kopir(t, "sim", "-play", "almaty-job-seeker-registration/csc", "-bridge", p.bridge, "-api-key-file", key, "-addr", strings.TrimPrefix(base, "http://"))
	if code != exitPassed || errs != "" || strings.Contains(out, "✗") || strings.Count(out, "\n✓") < 7 || !strings.Contains(out, "written") {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
	over()
	<-started
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

// TestRunOtherServices: the story of any service and channel, chosen by flags.
func TestRunOtherServices(t *testing.T) {
	for _, c := range []struct {
		args  []string
		steps int
	}{
		{[]string{"-service", "karaganda-targeted-social-assistance", "-lang", "ru"}, 17},
		{[]string{"-service", "almaty-home-taught-disabled-children-support", "-channel", "office", "-lang", "kk"}, 15},
		{[]string{"-service", "almaty-unemployed-certificate", "-suspend", "-lang", "en"}, 25},
	} {
		code, out, errs := kopir(t, append([]string{"run", "-once", "-addr", "127.0.0.1:0"}, c.args...)...)
		if n := strings.Count(out, "✓"); code != exitPassed || errs != "" || n != c.steps || strings.Contains(out, "[run.") {
			t.Errorf("%v: %d, %d steps\n%s%s", c.args, code, n, out, errs)
		}
	}
	set, _ := sim.Services()
	code, out, _ := kopir(t, "run", "-list")
	if code != exitPassed || strings.Count(out, "\n") != len(set.Services()) || !regexp.MustCompile(`(?m)^karaganda-targeted-social-assistance +csc,office,akim$`).MatchString(out) {
		t.Errorf("%d\n%s", code, out)
	}
	if code, _, errs := kopir(t, "run", "-service", "almaty-home-taught-disabled-children-support", "-channel", "office", "-suspend"); code != exitUsage || !strings.Contains(errs, "no term that may stand still") {
		t.Errorf("%d %s", code, errs)
	}
	for _, args := range [][]string{{"-service", "nothing"}, {"-service", "karaganda-targeted-social-assistance", "-channel", "portal"}} {
		if code, _, errs := kopir(t, append([]string{"run", "-once"}, args...)...); code != exitUsage || !strings.Contains(errs, "kopir run -list") {
			t.Errorf("%v: %d %s", args, code, errs)
		}
	}
}
