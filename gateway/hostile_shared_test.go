//go:build shared

package gateway_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/mio"
	"kopir/gateway/store"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
)

// hostileRow is a row of vectors/hostile: a message, and what must become of it.
type hostileRow struct {
	File, Expect, Why, Judge, Kind string
	AlsoOK                         string            `json:"also_ok"`
	MustRead                       map[string]string `json:"must_read"`
	After                          []string
	MaxSeconds                     float64         `json:"max_seconds"`
	Recipe                         json.RawMessage `json:"recipe"`
}

func sharedFolder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KOPIR_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the shared folder is not here: set KOPIR_SHARED")
	}
	return dir
}

// Messages that are rightly signed and must be refused all the same: replays,
// stale times, two of anything, other operations. Each goes through the bridge
// with its store; benign ones must pass.
func TestHostileMessages(t *testing.T) {
	dir := filepath.Join(sharedFolder(t), "vectors", "hostile")
	src, err := os.ReadFile(filepath.Join(dir, "visible", "MANIFEST.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		At       time.Time
		Variants []hostileRow
	}
	if err := json.Unmarshal(src, &manifest); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, row := range manifest.Variants {
		if row.Kind != "soap" || row.Recipe != nil && string(row.Recipe) != "null" {
			continue
		}
		if row.Judge == "verifier" && !strings.HasPrefix(row.File, "benign/") {
			continue // judged by the verifier's own test
		}
		seen++
		t.Run(row.File, func(t *testing.T) {
			t.Parallel()
			w := hostileTown(t, dir, manifest.At)
			for _, before := range row.After {
				if r := w.send(gateway.SyncDoor, readFile(t, dir, before)); r.Code != "" {
					t.Fatalf("%s was refused: %s", before, r.Bytes)
				}
			}
			was := len(w.all())
			began := time.Now()
			r := w.send(gateway.SyncDoor, readFile(t, dir, row.File))
			if took := time.Since(began).Seconds(); row.MaxSeconds > 0 && took > row.MaxSeconds {
				t.Errorf("took %.1f s", took)
			}
			all := w.all()
			accepted := len(all) > was
			if row.Judge == "verifier" && r.Code == "" {
				accepted = true // its document may be another one than the test service's; the message was believed
			}
			if verdict := map[bool]string{true: "accept", false: "reject"}[accepted]; verdict != row.Expect && verdict != row.AlsoOK {
				t.Errorf("%s: %s (%s), want %s: %s", row.Why, verdict, r.Code, row.Expect, r.Bytes)
			}
			if len(all) > was {
				read := map[string]string{"messageId": all[0].MessageID, "senderId": all[0].Sender, "serviceId": "TEST_SERVICE"}
				for _, f := range all[0].Fields {
					read[f.Name] = f.Value
				}
				for name, want := range row.MustRead {
					if got, ok := read[name]; ok && got != want {
						t.Errorf("%s was read as %q, not %q", name, got, want)
					}
				}
			}
			if strings.Contains(row.File, "replay-same-octets") {
				if r.Code != "" || !bytes.Contains(r.Bytes, []byte(all[0].Number)) {
					t.Errorf("a repeated message gets the stored answer, not %s", r.Bytes)
				}
			}
		})
	}
	if seen < 25 {
		t.Errorf("only %d messages were tried", seen)
	}
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "visible", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// hostileTown trusts the authority of the vectors and knows its senders.
func hostileTown(t *testing.T, dir string, at time.Time) *town {
	t.Helper()
	castOnce.Do(cast)
	if castErr != nil {
		t.Fatal(castErr)
	}
	set, faults := mappings.Load(os.DirFS(filepath.Join("testdata", "services")))
	for _, f := range faults {
		t.Fatal(f)
	}
	pki := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, "pki", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	trust := nuc.NewTrust()
	for name, add := range map[string]func(*nuc.Certificate){
		"root.pem": func(c *nuc.Certificate) { trust.AddRoot(c) }, "ca.pem": func(c *nuc.Certificate) { trust.AddIntermediate(c) },
		"signer.pem": func(c *nuc.Certificate) { trust.AddKnown(c) }, "other.pem": func(c *nuc.Certificate) { trust.AddKnown(c) },
	} {
		certs, err := nuc.ParsePEMOrDER(pki(name))
		if err != nil {
			t.Fatal(err)
		}
		add(certs[0])
	}
	crl, err := revocation.ParseCRL(pki("ca.crl"))
	if err != nil {
		t.Fatal(err)
	}
	checker := revocation.NewChecker(revocation.Options{Now: func() time.Time { return at }})
	checker.AddCRL(crl)
	w := &town{t: t, set: set, keys: castKeys, now: at, post: &post{}, reg: &register{}, lists: &lists{}}
	if w.store, err = store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "kopir.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	if w.local, err = mio.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "mio.db"), set); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.local.Close() })
	w.bridge, err = gateway.New(gateway.Options{
		Store: w.store, Verifier: &signature.Verifier{Trust: trust, Revocation: checker}, Key: w.keys["bridge"], Services: set,
		Terms: gateway.Terms{
			Partners: []gateway.Partner{
				{SenderID: "TEST_SENDER", Channel: gateway.Portal, Password: "secret", BINs: []gateway.BIN{"123456789021"}},
				{SenderID: "OTHER_SENDER", Channel: gateway.Portal, Password: "secret", BINs: []gateway.BIN{"987654321098"}},
			},
			Sender: w.post, Registries: map[string]gateway.Registry{mappings.Persons: w.reg, mappings.Notaries: w.notary},
		},
		Local: w.local, Log: zap.NewNop(), Now: w.clock, NewID: w.newID,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}
