package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/store"
)

// recordedMessages copies the first message of the portal's accepted story,
// and one that is no application, into a folder, and gives its bytes.
func recordedMessages(t *testing.T) (dir string, raw []byte) {
	t.Helper()
	dir = t.TempDir()
	raw = readAll(t, "../../testdata/stories/almaty-unemployed-certificate/accepted/in.xml")
	for name, b := range map[string][]byte{"1.xml": raw, "2.xml": []byte("<other/>")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, raw
}

// changed is a folder with the certificate service otherwise than built in.
func changed(t *testing.T, pairs ...string) string {
	t.Helper()
	dir := t.TempDir()
	src := string(readAll(t, "../../mappings/almaty-unemployed-certificate.yaml"))
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(src, pairs[i]) {
			t.Fatalf("no %q in the description", pairs[i])
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "almaty-unemployed-certificate.yaml"), []byte(strings.NewReplacer(pairs...).Replace(src)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestMappingReplay: what a new version makes of recorded messages otherwise is
// told field by field, without values unless they are asked for.
func TestMappingReplay(t *testing.T) {
	messages, _ := recordedMessages(t)
	replay := func(dir string, more ...string) (int, string, string) {
		return runMappingVerb(t, "", nil, append(append([]string{"test", "-lang", "en", "-replay", messages, "-dir", dir, "-at", "2026-11-25T09:00:00+05:00"}, more...), "almaty-unemployed-certificate")...)
	}
	if code, out, errs := replay(changed(t, "edition: 2012", "edition: 2013")); code != exitPassed || !strings.Contains(out, "Messages 1: same 1, different 0") || !strings.Contains(out, "others 1") {
		t.Errorf("the same under another name: %d %s%s", code, out, errs)
	}
	if code, out, _ := replay(changed(t, "column: address,", "column: home_address,")); code != exitPassed || !strings.Contains(out, "column address: address ***(") || !strings.Contains(out, "-> home_address ***(") || strings.Contains(out, "Тест") {
		t.Errorf("another column: %d %s", code, out)
	}
	if _, out, _ := replay(changed(t, "column: address,", "column: home_address,"), "-show-values"); !strings.Contains(out, "address: address ") || strings.Contains(out, "***") {
		t.Errorf("with values: %s", out)
	}
	code, out, _ := replay(changed(t, "path: residence/address,", "path: residence/home,"), "-json")
	var got struct {
		Messages []replayed
		Summary  struct{ Messages, Different, Lost, Refused, Others int }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitFailed || len(got.Messages) != 1 {
		t.Fatalf("%d %v %s", code, err, out)
	}
	m := got.Messages[0]
	if m.Message != "1.xml" || !m.Before.Accepted || m.After.Accepted || !m.Refused || !m.Lost || !slices.Contains(m.After.Faults, "residence/home required") || !slices.Contains(m.Unread, "residence/address") ||
		len(m.Changes) != 1 || m.Changes[0].Kind != "lost" || m.Changes[0].Field != "address" || !strings.HasPrefix(m.Changes[0].Before.Value, "***(") {
		t.Errorf("%+v", m)
	}
	if got.Summary.Lost != 1 || got.Summary.Refused != 1 || got.Summary.Others != 1 {
		t.Errorf("%+v", got.Summary)
	}
	if code, _, errs := replay(changed(t), "-against", filepath.Join(messages, "none")); code == exitPassed || errs == "" {
		t.Errorf("against a folder that is not there: %d %s", code, errs)
	}
}

// TestMappingReplayOfAStore reads a bridge's own messages, and an edition that
// is to come is compared with the one in force beside it.
func TestMappingReplayOfAStore(t *testing.T) {
	_, raw := recordedMessages(t)
	path := filepath.Join(t.TempDir(), "kopir.db")
	s, err := store.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 25, 4, 0, 0, 0, time.UTC)
	app := &gateway.Application{Number: "UC-1", Service: "almaty-unemployed-certificate", Edition: "2012-03-30-1-231", Channel: gateway.Portal, State: gateway.Received, ReceivedAt: at, Version: 1}
	kept := &gateway.Message{ID: "m-1", Sender: "PEP", Key: "1", SHA256: "ab", Door: gateway.SyncDoor, Operation: "SendMessage", Service: app.Service, At: at, Raw: raw, Reply: []byte("<reply/>"), Application: app.Number}
	if err := s.Commit(t.Context(), gateway.Change{Message: kept, Application: app}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := changed(t)
	next := changed(t, "edition: 2012-03-30-1-231", "edition: next\nin_force: {from: 2027-01-01}", "column: address,", "column: home_address,")
	if err := os.Rename(filepath.Join(next, "almaty-unemployed-certificate.yaml"), filepath.Join(dir, "almaty-unemployed-certificate@2027-01-01.yaml")); err != nil {
		t.Fatal(err)
	}
	code, out, errs := runMappingVerb(t, "", nil, "test", "-lang", "en", "-replay", path, "-dir", dir, "-at", "2026-11-25T09:00:00+05:00", "almaty-unemployed-certificate@2027-01-01")
	if code != exitPassed || !strings.Contains(out, "m-1\n  2012-03-30-1-231: accepted\n  next: accepted\n  column address:") || !strings.Contains(out, "Messages 1: same 0, different 1") {
		t.Errorf("%d %s%s", code, out, errs)
	}
}
