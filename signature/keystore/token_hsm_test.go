//go:build hsm && cgo

package keystore_test

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"

	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
)

const pin = "1234"

// softHSM is a folder with one token, "bridge", on which three people have keys.
type softHSM struct {
	*sigtest.SoftHSM
	first, second *sigtest.Credential
}

// newSoftHSM: a process has one folder of tokens at a time, so one test asks for it.
func newSoftHSM(t *testing.T) *softHSM {
	t.Helper()
	h, err := sigtest.NewSoftHSM(t.TempDir())
	if errors.Is(err, sigtest.ErrNoSoftHSM) {
		t.Skip(err)
	}
	a, aerr := sigtest.NewAuthority("keystore", sigtest.Options{})
	if err != nil || aerr != nil {
		t.Fatal(err, aerr)
	}
	t.Setenv("SOFTHSM2_CONF", h.Config)
	out := &softHSM{h, issue(t, a, 1), issue(t, a, 2)}
	t.Cleanup(func() { out.unloaded(t) })
	if err := h.Add("bridge", pin); err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		label string
		id    string
		whose *sigtest.Credential
	}{{"signing", "\x01", out.first}, {"bare", "\x02", out.second}, {"twice", "\x03", out.first}, {"twice", "\x04", out.second}, {"crossed", "\x05", out.first}} {
		if err := h.Import("bridge", pin, k.label, []byte(k.id), k.whose); err != nil {
			t.Fatal(err)
		}
	}
	context, err := crypto11.Configure(&crypto11.Config{Path: h.Module, TokenLabel: "bridge", Pin: pin})
	if err != nil {
		t.Fatal(err)
	}
	defer context.Close()
	for id, whose := range map[string]*sigtest.Credential{"\x01": out.first, "\x05": out.second} {
		cert, err := x509.ParseCertificate(whose.DER)
		if err == nil {
			err = context.ImportCertificateWithLabel([]byte(id), []byte("certificate"), cert)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (h *softHSM) token() keystore.Token {
	return keystore.Token{Module: h.Module, Label: "bridge", PIN: pin, KeyLabel: "signing"}
}

// library lends PKCS#11 itself, of which a process has one.
func (h *softHSM) library(t *testing.T, use func(p *pkcs11.Ctx, slots []uint)) {
	t.Helper()
	p := pkcs11.New(h.Module)
	if p == nil {
		t.Fatal("the module does not load")
	}
	if p.Initialize() == nil { // else a key is open
		defer p.Finalize()
	}
	slots, err := p.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	use(p, slots)
}

// unloaded: a key that nobody holds any more gives its sessions back, and the
// last one the library.
func (h *softHSM) unloaded(t *testing.T) {
	p := pkcs11.New(h.Module)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		runtime.GC()
		if p.Initialize() == nil {
			_ = p.Finalize()
			return
		}
	}
	t.Error("keys that nobody holds keep the library loaded")
}

// closeSessions is what a token does to a program when it is pulled out.
func (h *softHSM) closeSessions(t *testing.T) {
	t.Helper()
	h.library(t, func(p *pkcs11.Ctx, slots []uint) {
		for _, s := range slots {
			if err := p.CloseAllSessions(s); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestToken(t *testing.T) {
	h := newSoftHSM(t)
	file, err := nuc.ParseCertificate(h.second.DER)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("errors", func(t *testing.T) {
		nowhere := 7
		notLibrary := filepath.Join(t.TempDir(), "module.so")
		if err := os.WriteFile(notLibrary, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			change func(*keystore.Token)
			want   error
			says   string
		}{
			"no module":          {func(k *keystore.Token) { k.Module = "/nowhere/module.so" }, keystore.ErrModule, "no such file"},
			"no library":         {func(k *keystore.Token) { k.Module = notLibrary }, keystore.ErrModule, "not a PKCS#11 library"},
			"no token":           {func(k *keystore.Token) { k.Label = "another" }, keystore.ErrNoToken, `token "another"`},
			"no slot":            {func(k *keystore.Token) { k.Label, k.Slot = "", &nowhere }, keystore.ErrNoToken, "in slot 7"},
			"wrong PIN":          {func(k *keystore.Token) { k.PIN = "4321" }, keystore.ErrPIN, "CKR_PIN_INCORRECT"},
			"no key":             {func(k *keystore.Token) { k.KeyLabel = "nobody" }, keystore.ErrNoTokenKey, `key "nobody"`},
			"no key of this id":  {func(k *keystore.Token) { k.KeyID = []byte{9} }, keystore.ErrNoTokenKey, `"signing", id 09`},
			"two keys":           {func(k *keystore.Token) { k.KeyLabel = "twice" }, keystore.ErrNoTokenKey, "2 have this name"},
			"two ways":           {func(k *keystore.Token) { k.Slot = &nowhere }, nil, "either by its label or by its slot"},
			"no name of the key": {func(k *keystore.Token) { k.KeyLabel = "" }, nil, "name the key"},
		} {
			k := h.token()
			c.change(&k)
			key, err := keystore.OpenToken(k)
			if key != nil || err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), k.PIN) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})

	// First, while no other key keeps the library loaded with the tokens that it saw.
	t.Run("token pulled out and put back", func(t *testing.T) {
		key, err := keystore.OpenToken(h.token())
		if err != nil {
			t.Fatal(err)
		}
		signs(t, key)
		h.closeSessions(t)
		signs(t, key)
		away := h.Tokens + ".away"
		if err := os.Rename(h.Tokens, away); err != nil {
			t.Fatal(err)
		}
		h.closeSessions(t)
		if _, err := key.Sign(key.Algorithm.Digest.Sum(nil)); err == nil || !strings.Contains(err.Error(), `token "bridge", key "signing"`) {
			t.Errorf("signed by a token that is not there: %v", err)
		}
		if err := os.Rename(away, h.Tokens); err != nil {
			t.Fatal(err)
		}
		signs(t, key)
	})

	t.Run("signs", func(t *testing.T) {
		bySlot := h.token()
		bySlot.Label, bySlot.Slot = "", h.slot(t)
		byID := h.token()
		byID.KeyLabel, byID.KeyID = "", []byte{1}
		withFile := h.token()
		withFile.KeyLabel, withFile.Certificates = "bare", []*nuc.Certificate{file}
		one := h.token()
		one.KeyLabel, one.KeyID, one.Certificates = "twice", []byte{4}, []*nuc.Certificate{file}
		for name, k := range map[string]keystore.Token{"by label": h.token(), "by slot": bySlot, "by id": byID, "with a file": withFile, "one of two": one} {
			key, err := keystore.OpenToken(k)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			signs(t, key)
			if out, err := signature.SignEnveloped([]byte("<a/>"), key, signature.SignOptions{}); err != nil || len(out) == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
	})

	// A key is never used with a certificate of another.
	t.Run("mismatch", func(t *testing.T) {
		crossed, bare, foreign := h.token(), h.token(), h.token()
		crossed.KeyLabel, bare.KeyLabel, foreign.Certificates = "crossed", "bare", []*nuc.Certificate{file}
		for name, k := range map[string]keystore.Token{"on the token": crossed, "none": bare, "in the file": foreign} {
			_, err := keystore.OpenToken(k)
			var mismatch *keystore.MismatchError
			if !errors.As(err, &mismatch) || (mismatch.Certificate == nil) != (name == "none") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})

	t.Run("from many hands", func(t *testing.T) {
		key, err := keystore.OpenToken(h.token())
		if err != nil {
			t.Fatal(err)
		}
		h.closeSessions(t) // all hands find the connection broken at once
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				if _, err := key.Sign(key.Algorithm.Digest.Sum([]byte{byte(i)})); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// slot is the number under which the library has the token.
func (h *softHSM) slot(t *testing.T) *int {
	t.Helper()
	found := -1
	h.library(t, func(p *pkcs11.Ctx, slots []uint) {
		for _, s := range slots {
			if info, err := p.GetTokenInfo(s); err == nil && info.Label == "bridge" {
				found = int(s)
			}
		}
	})
	return &found
}
