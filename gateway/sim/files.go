package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"kopir/signature/keystore"
)

// dayFile keeps the authority's day, so that a simulator that is started
// again in the same folder issues the same certificates.
const dayFile = "authority-day"

// maxDay is when a new day is taken: certificates live a year.
const maxDay = 180 * 24 * time.Hour

// Day gives the day of the authority of a data folder: the one kept there, or
// today, which is then kept. Renewed is true when the one kept had become too old.
func Day(dir string, now time.Time) (day time.Time, renewed bool, err error) {
	today := now.UTC().Truncate(24 * time.Hour)
	file := filepath.Join(dir, dayFile)
	text, err := os.ReadFile(file)
	if err == nil {
		kept, err := time.Parse(time.DateOnly, string(text))
		if err != nil {
			return today, false, fmt.Errorf("%s holds no date; delete it and the simulator starts a new authority", file)
		}
		if age := today.Sub(kept); age >= 0 && age < maxDay {
			return kept, false, nil
		}
		renewed = true
	} else if !os.IsNotExist(err) {
		return today, false, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return today, false, err
	}
	return today, renewed, os.WriteFile(file, []byte(today.Format(time.DateOnly)), 0o644)
}

// BridgeKey is the system key of the bridge under test.
func (s *Sim) BridgeKey() *keystore.Key { return s.members["bridge"].signing() }

// BridgeP12 is the same as a file with a password.
func (s *Sim) BridgeP12(password string) ([]byte, error) {
	c, _ := s.members["bridge"].keys()
	return c.PKCS12(password)
}

// Files are what WriteFiles leaves in a folder, by their names there.
type Files struct {
	Dir     string
	Root    string // trust anchor, PEM
	Chain   string // anchor and issuing CA, PEM
	Bridge  string // the bridge's system key, PKCS#12
	KeysDir string // everybody's keys, KEY.p12
}

// WriteFiles puts trust material and everybody's keys into a folder. The key
// files' password is DefaultPassword.
func (s *Sim) WriteFiles(dir string) (Files, error) {
	f := Files{Dir: dir, Root: filepath.Join(dir, "root.pem"), Chain: filepath.Join(dir, "chain.pem"), KeysDir: filepath.Join(dir, "keys")}
	f.Bridge = filepath.Join(f.KeysDir, "bridge.p12")
	if err := os.MkdirAll(f.KeysDir, 0o755); err != nil {
		return f, err
	}
	if err := os.WriteFile(f.Root, s.RootsPEM(), 0o644); err != nil {
		return f, err
	}
	if err := os.WriteFile(f.Chain, s.ChainPEM(), 0o644); err != nil {
		return f, err
	}
	s.mu.Lock()
	keys := append([]string(nil), s.order...)
	s.mu.Unlock()
	for key := range s.members {
		keys = append(keys, key)
	}
	for _, key := range keys {
		c, err := s.Credential(key)
		if err != nil {
			return f, err
		}
		p12, err := c.PKCS12(DefaultPassword)
		if err != nil {
			return f, err
		}
		if err := os.WriteFile(filepath.Join(f.KeysDir, key+".p12"), p12, 0o600); err != nil {
			return f, err
		}
		if err := os.WriteFile(filepath.Join(f.KeysDir, key+".pem"), c.PEM(), 0o644); err != nil {
			return f, err
		}
	}
	return f, nil
}
