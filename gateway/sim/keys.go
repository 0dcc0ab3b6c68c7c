package sim

import (
	"bytes"
	"fmt"
	"net/http"

	"kopir/signature/sigtest"
)

// Keys says with what the simulation signs: people, systems and the
// certification authorities themselves.
type Keys string

// The words of configuration and control interface. The zero value is RSA.
const (
	KeysRSA   Keys = "rsa"
	KeysGOST  Keys = "gost"  // GOST R 34.10-2015 with 512 bits, throughout
	KeysMixed Keys = "mixed" // both authorities run: systems begin with RSA, people with GOST
)

// ParseKeys reads the word; empty: RSA.
func ParseKeys(word string) (Keys, error) {
	switch k := Keys(word); k {
	case "":
		return KeysRSA, nil
	case KeysRSA, KeysGOST, KeysMixed:
		return k, nil
	}
	return "", fmt.Errorf("%q is none of rsa, gost, mixed", word)
}

// KeyUse says who signs with what: rsa or gost.
type KeyUse struct {
	Systems Keys `json:"systems"`
	People  Keys `json:"people"`
}

func (k Keys) use() KeyUse {
	if k == KeysMixed {
		return KeyUse{Systems: KeysRSA, People: KeysGOST}
	}
	return KeyUse{Systems: k, People: k}
}

// authority is one certification authority that runs, with another one beside
// it that nobody trusts.
type authority struct {
	*sigtest.Authority
	strangers *sigtest.Authority
	keys      Keys
	path      string // of its addresses
	stamps    *stamps
}

// newAuthorities makes those that a word asks for. The first has the addresses
// below /ca, whatever its keys.
func (s *Sim) newAuthorities(keys Keys, o sigtest.Options) error {
	wanted := []Keys{keys}
	if keys == KeysMixed {
		wanted = []Keys{KeysRSA, KeysGOST}
	}
	for i, k := range wanted {
		a := &authority{keys: k, path: "/ca"}
		if i > 0 {
			a.path += "/" + string(k)
		}
		if k == KeysGOST {
			o.Algorithm = sigtest.GOST2015
		}
		o.BaseURL = s.base + a.path
		var err error
		if a.Authority, err = sigtest.NewAuthority("", o); err != nil {
			return err
		}
		stranger := o
		stranger.FreshKeys = false
		if a.strangers, err = sigtest.NewAuthority("STRANGER", stranger); err != nil {
			return err
		}
		s.authorities = append(s.authorities, a)
	}
	return nil
}

// authorityWith finds the authority that issues keys of a kind.
func (s *Sim) authorityWith(k Keys) (*authority, error) {
	for _, a := range s.authorities {
		if a.keys == k {
			return a, nil
		}
	}
	return nil, fmt.Errorf("no authority issues %s keys in this simulation: start it with -keys mixed", k)
}

// authorityOf finds the authority that issued a certificate; ours is false for
// one of those that nobody trusts.
func (s *Sim) authorityOf(c *sigtest.Credential) (a *sigtest.Authority, ours bool) {
	for _, one := range s.authorities {
		switch {
		case bytes.Equal(c.Chain[1], one.Issuing()):
			return one.Authority, true
		case bytes.Equal(c.Chain[1], one.strangers.Issuing()):
			return one.strangers, false
		}
	}
	return s.authorities[0].strangers, false // cannot be: every certificate comes from one of them
}

// KeyUse tells who signs with what.
func (s *Sim) KeyUse() KeyUse {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.use
}

// SetKeyUse has systems and people sign with other keys from now on: each gets
// a new certificate, and the old ones stay good. An empty word changes nothing.
func (s *Sim) SetKeyUse(u KeyUse) error {
	for _, k := range []Keys{u.Systems, u.People} {
		if k == "" {
			continue
		}
		if _, err := s.authorityWith(k); err != nil {
			return err
		}
	}
	s.mu.Lock()
	before := s.use
	if u.Systems != "" {
		s.use.Systems = u.Systems
	}
	if u.People != "" {
		s.use.People = u.People
	}
	now := s.use
	people := append([]string(nil), s.order...)
	s.mu.Unlock()
	var keys []string
	if now.Systems != before.Systems {
		for key := range s.members {
			keys = append(keys, key)
		}
	}
	if now.People != before.People {
		keys = append(keys, people...)
	}
	for _, key := range keys {
		if err := s.Replace(key, "good"); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sim) getKeys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.KeyUse())
}

func (s *Sim) putKeys(w http.ResponseWriter, r *http.Request) {
	var u KeyUse
	if !readJSON(w, r, &u) {
		return
	}
	if err := s.SetKeyUse(u); err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	s.getKeys(w, r)
}

// joined puts the same part of every authority into one.
func (s *Sim) joined(part func(*sigtest.Authority) []byte) []byte {
	var out []byte
	for _, a := range s.authorities {
		out = append(out, part(a.Authority)...)
	}
	return out
}

// RootsPEM holds the trust anchors, ChainPEM anchors and issuing CAs.
func (s *Sim) RootsPEM() []byte { return s.joined((*sigtest.Authority).RootsPEM) }

// ChainPEM gives roots and issuing CAs in one file.
func (s *Sim) ChainPEM() []byte { return s.joined((*sigtest.Authority).ChainPEM) }
