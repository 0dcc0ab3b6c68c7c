package sigtest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// SoftHSM is a folder of PKCS#11 tokens in software, for tests. Its library
// finds it by the variable SOFTHSM2_CONF, which must name Config.
type SoftHSM struct {
	Module string // the library
	Config string
	Tokens string // the folder
}

// ErrNoSoftHSM: the program and its library are not installed.
var ErrNoSoftHSM = errors.New("SoftHSM 2 is not here (Debian package: softhsm2)")

// NewSoftHSM makes an empty folder of tokens in dir.
func NewSoftHSM(dir string) (*SoftHSM, error) {
	if _, err := exec.LookPath("softhsm2-util"); err != nil {
		return nil, ErrNoSoftHSM
	}
	h := &SoftHSM{Config: filepath.Join(dir, "softhsm2.conf"), Tokens: filepath.Join(dir, "tokens")}
	for _, pattern := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so", "/usr/lib*/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 { // fails for bad patterns alone
			h.Module = found[0]
			break
		}
	}
	if h.Module == "" {
		return nil, ErrNoSoftHSM
	}
	if err := os.Mkdir(h.Tokens, 0o700); err != nil {
		return nil, err
	}
	return h, os.WriteFile(h.Config, []byte("directories.tokendir = "+h.Tokens+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600)
}

// Add makes a token.
func (h *SoftHSM) Add(label, pin string) error {
	return h.util("--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "so-"+pin)
}

// Import puts a credential's private key on a token, without its certificate.
func (h *SoftHSM) Import(token, pin, label string, id []byte, c *Credential) error {
	key, err := c.KeyPEM()
	if err != nil {
		return err
	}
	file := filepath.Join(h.Tokens, "..", "import.pem")
	if err := os.WriteFile(file, key, 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	return h.util("--import", file, "--token", token, "--pin", pin, "--label", label, "--id", hex.EncodeToString(id))
}

func (h *SoftHSM) util(args ...string) error {
	cmd := exec.Command("softhsm2-util", args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+h.Config)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("softhsm2-util %s: %w: %s", args[0], err, out)
	}
	return nil
}
