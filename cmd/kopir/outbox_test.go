package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/server"
	"kopir/gateway/sim"
)

// TestOutbox lets the service centre refuse for good, and a person settle what
// is left through the command line.
func TestOutbox(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	if err := p.sim.SetTrouble(sim.PartAsync, sim.Trouble{Fault: "SCE001"}); err != nil {
		t.Fatal(err)
	}
	// The portal's own messages pass the same door: file by the synchronous one.
	p.start(t.Context())
	m := newSyncMaker(t, p)
	if status, body := post(t, p.bridge+"/shep/sync", m.message(nil)); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	admin := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"outbox"}, args...), stdio{out: &out, err: &errs, env: func(string) string { return p.admin }})
		return code, out.String(), errs.String()
	}
	at := []string{"-url", p.bridge}
	var dead []gateway.Delivery
	for end := time.Now().Add(20 * time.Second); len(dead) < 2 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		code, out, errs := admin(append([]string{"list", "-json", "-state", "dead"}, at...)...)
		if code != exitPassed {
			t.Fatalf("%d %s", code, errs)
		}
		dead = nil
		for line := range strings.Lines(out) {
			var d gateway.Delivery
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				t.Fatal(err)
			}
			dead = append(dead, d)
		}
	}
	if len(dead) < 2 {
		_, out, _ := admin(append([]string{"list"}, at...)...)
		t.Fatalf("%d dead deliveries\n%s", len(dead), out)
	}
	waitFor(t, "the metrics count them", func() bool { // a count stands for some seconds
		b, err := p.fetch(t.Context(), p.bridge+"/metrics")
		return err == nil && strings.Contains(string(b), `kopir_deliveries_open{route="portal",state="dead"} 1`) && strings.Contains(string(b), `kopir_deliveries_open{route="gbd-fl",state="dead"} 0`) && strings.Contains(string(b), "kopir_applications_held 0")
	})
	group := string(dead[0].Route) + ":refused:SCE001"
	if code, out, errs := admin(append([]string{"groups"}, at...)...); code != exitPassed || !oneDead(out, group) || !strings.Contains(out, "mend what the code names") {
		t.Errorf("groups: %d %q %q", code, out, errs)
	}
	if code, out, errs := admin(append([]string{"retry", "-group", group, "-dry-run"}, at...)...); code != exitPassed || !strings.Contains(out, "1 deliveries would be concerned") || !strings.Contains(out, dead[0].ID) {
		t.Errorf("preview: %d %q %q", code, out, errs)
	}
	if code, _, errs := admin(append([]string{"retry", "-group", "portal:refused"}, at...)...); code != exitFailed || !strings.Contains(errs, "is no group") {
		t.Errorf("no group: %d %q", code, errs)
	}
	// Sent again as a group, it dies again.
	if code, out, errs := admin(append([]string{"retry", "-group", group}, at...)...); code != exitPassed || !strings.Contains(out, "1 deliveries will be tried now, 0 are left") {
		t.Errorf("group: %d %q %q", code, out, errs)
	}
	waitFor(t, "it died again", func() bool {
		_, out, _ := admin(append([]string{"groups"}, at...)...)
		return oneDead(out, group)
	})
	if err := p.sim.SetTrouble(sim.PartAsync, sim.Trouble{}); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := admin(append(append([]string{"drop", "-reason", "told by telephone"}, at...), dead[0].ID)...); code != exitPassed {
		t.Errorf("drop: %d %s", code, errs)
	}
	if code, out, errs := admin(append(append([]string{"retry"}, at...), dead[0].ID, dead[1].ID)...); code != exitFailed || !strings.Contains(out, dead[1].ID+" will be tried now") || !strings.Contains(errs, dead[0].ID) {
		t.Errorf("retry of a dropped and a dead one: %d %q %q", code, out, errs)
	}
	seen := false
	for end := time.Now().Add(20 * time.Second); !seen && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		_, out, _ := admin(append([]string{"list", "-state", "done"}, at...)...)
		seen = strings.Contains(out, dead[1].ID)
	}
	if !seen {
		t.Error("what was tried again was not delivered")
	}
	if _, out, _ := admin(append([]string{"list", "-state", "dropped"}, at...)...); !strings.Contains(out, dead[0].ID) || !strings.Contains(out, "told by telephone") {
		t.Errorf("the dropped one is not kept with its reason: %s", out)
	}
}

// oneDead says whether the list of groups counts one dead letter in a group.
func oneDead(list, group string) bool {
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == group && f[1] == "1" {
			return true
		}
	}
	return false
}

func TestOutboxWrongUse(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, _ := server.NewKey()
	for _, c := range []struct {
		args string
		key  string
		code int
		want string
	}{
		{"", key, exitUsage, "one of list, groups, retry, drop"},
		{"burn", key, exitUsage, "one of list, groups, retry, drop"},
		{"list", "", exitUsage, "an API key is needed"},
		{"list -key-file " + empty, key, exitUsage, "an API key is needed"},
		{"list -key-file /nowhere", key, exitUsage, "no such file"},
		{"list more", key, exitUsage, "takes no arguments"},
		{"list -url ftp://host", key, exitUsage, "is not an http or https address"},
		{"retry", key, exitUsage, "name the deliveries"},
		{"drop 1", key, exitUsage, "-reason WHY is needed"},
		{"drop -group portal:refused:1", key, exitUsage, "-reason WHY is needed"},
		{"retry -group portal:refused:1 7", key, exitUsage, "not both"},
		{"retry -dry-run 7", key, exitUsage, "goes with -group"},
		{"groups 7", key, exitUsage, "takes no arguments"},
		{"list -url http://127.0.0.1:1", key, exitFailed, "cannot be reached: connection refused"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"outbox"}, strings.Fields(c.args)...), stdio{out: &out, err: &errs, env: func(string) string { return c.key }})
		if code != c.code || !strings.Contains(errs.String(), c.want) || strings.Contains(errs.String(), key) {
			t.Errorf("%q: %d %s", c.args, code, errs.String())
		}
	}
}

// The gateway tells the bridge in its own name what it delivered, and the
// outbox shows it.
func TestOutboxShowsWhatTheGatewaySays(t *testing.T) {
	p, err := newPlay(t.Context(), "", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	}()
	p.start(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var sent inbox
	if err := p.post(ctx, p.simulator+"/sim/applications", "application/json", []byte(`{"person":"citizen"}`), &sent); err != nil {
		t.Fatal(err)
	}
	env := func(k string) string { return map[string]string{"KOPIR_KEY": p.admin}[k] }
	if err := until(ctx, func() error {
		var out, errs bytes.Buffer
		code := run(ctx, []string{"outbox", "list", "-url", p.bridge, "-state", "done"}, stdio{in: strings.NewReader(""), out: &out, err: &errs, env: env})
		if n := strings.Count(out.String(), "DELIVERED"); code != exitPassed || n < 2 {
			return fmt.Errorf("%d\n%s%s", code, &out, &errs)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
