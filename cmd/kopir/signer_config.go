package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kopir/gateway/signer"
)

// signerConfig is the file of `kopir signer -config`. Keys that the bridge's
// configuration has too mean the same. The flags add to it.
type signerConfig struct {
	Listen     string             `yaml:"listen"`
	Proxy      string             `yaml:"proxy"`
	Trust      []string           `yaml:"trust"`
	Bundle     bundleConfig       `yaml:"trust_bundle"`
	Revocation revokeConfig       `yaml:"revocation"`
	TSA        []tsaConfig        `yaml:"tsa"`
	Limits     signerLimitsConfig `yaml:"limits"`
	Log        struct {
		Level  string `yaml:"level"`
		Format string `yaml:"format"`
	} `yaml:"log"`
}

// tsaConfig is the address of a time stamp authority, for one policy or,
// without policy, for all that have none of their own.
type tsaConfig struct {
	Policy string `yaml:"policy"`
	URL    string `yaml:"url"`
}

type signerLimitsConfig struct {
	Body        size     `yaml:"body"`
	ReadTimeout duration `yaml:"read_timeout"`
	Request     duration `yaml:"request_timeout"`
	Drain       duration `yaml:"drain_timeout"`
	Concurrent  int      `yaml:"concurrent"`
	Keys        int      `yaml:"keys"`
}

func defaultSignerConfig() signerConfig {
	d, b := signer.DefaultLimits, defaultConfig()
	c := signerConfig{Listen: "127.0.0.1:14579", Limits: signerLimitsConfig{
		Body: size(d.Body), ReadTimeout: duration(d.Read), Request: duration(d.Request), Drain: duration(10 * time.Second),
		Concurrent: d.Concurrent, Keys: d.Keys,
	}}
	c.Revocation, c.Log = b.Revocation, b.Log
	return c
}

// signerSettings is that file, read, with what the bridge's configuration has
// too in the bridge's form, so that the same code checks and opens it.
type signerSettings struct {
	c signerConfig
	*loaded
}

// loadSigner reads the file, if there is one, and joins the flags to it.
func loadSigner(o signerFlags) (*signerSettings, []fault) {
	s := &signerSettings{c: defaultSignerConfig(), loaded: &loaded{config: defaultConfig(), places: map[string]place{}}}
	var fs []fault
	if o.config != "" {
		src, err := os.ReadFile(o.config)
		if err != nil {
			return nil, []fault{{Problem: plainFileError(err), Remedy: "name an existing file with -config"}}
		}
		if s.places, fs = decodeStrict(src, &s.c); len(s.places) == 0 && len(fs) > 0 {
			return nil, fs
		}
		s.file, s.dir = o.config, filepath.Dir(o.config)
	}
	if o.addr != "" {
		s.c.Listen = o.addr
	}
	for _, t := range o.tsa {
		policy, url, found := strings.Cut(t, "=")
		if !found || strings.ContainsAny(policy, ":/") {
			policy, url = "", t
		}
		s.c.TSA = append(s.c.TSA, tsaConfig{policy, url})
	}
	// What a flag names lies where the command runs, not beside the file.
	here := func(to *[]string, paths ...string) {
		for _, p := range paths {
			if whole, err := filepath.Abs(p); err == nil {
				p = whole
			}
			*to = append(*to, p)
		}
	}
	here(&s.c.Trust, o.trust...)
	here(&s.c.Revocation.Files, slices.Concat(o.crl, o.ocsp)...)
	if o.bundle != "" {
		var bundle []string
		here(&bundle, o.bundle)
		s.c.Bundle.File = bundle[0]
	}
	s.c.Bundle.Keys = append(s.c.Bundle.Keys, o.bundleKeys...)
	s.Listen, s.Proxy, s.Trust, s.TrustBundle, s.Revocation, s.Log = s.c.Listen, s.c.Proxy, s.c.Trust, s.c.Bundle, s.c.Revocation, s.c.Log
	s.Store = ownStoreConfig{} // the door keeps nothing but what trust_bundle.kept says
	return s, append(fs, s.check()...)
}

func (s *signerSettings) check() []fault {
	var fs []fault
	bad := func(key, problem, remedy string) { fs = append(fs, s.at(key, problem, remedy)) }
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		bad("listen", fmt.Sprintf("%q is not an address", s.Listen), "write host:port, such as 127.0.0.1:14579")
	}
	if len(s.Trust) == 0 && s.TrustBundle.File == "" {
		bad("trust", "is missing, so nothing could ever be valid", "name the root and issuing certificates (PEM or DER), or their folder: -trust PATH; or a signed bundle: -bundle FILE")
	}
	fs = append(fs, s.checkBundle()...)
	if s.c.Limits.Body < 1<<10 {
		bad("limits.body", "under 1KB no request fits", "the default is 32MB")
	}
	for key, n := range map[string]int{"limits.concurrent": s.c.Limits.Concurrent, "limits.keys": s.c.Limits.Keys} {
		if n < 1 {
			bad(key, "must be 1 or more", "leave the key out for its default")
		}
	}
	for _, k := range []struct {
		key string
		d   duration
	}{{"limits.read_timeout", s.c.Limits.ReadTimeout}, {"limits.request_timeout", s.c.Limits.Request}, {"limits.drain_timeout", s.c.Limits.Drain},
		{"revocation.timeout", s.Revocation.Timeout}, {"revocation.refresh", s.Revocation.Refresh}} {
		if k.d <= 0 {
			bad(k.key, "must be longer than nothing", "leave the key out for its default")
		}
	}
	fs = append(fs, s.checkRevocation()...)
	fs = append(fs, s.checkOutward()...)
	seen := map[string]bool{}
	for i, t := range s.c.TSA {
		key := fmt.Sprintf("tsa[%d]", i)
		s.checkURL(&fs, key+".url", t.URL)
		if known := []string{"", signer.PolicyGOST, signer.PolicyGOSTGT, signer.PolicyGOST2015}; !slices.Contains(known, t.Policy) {
			bad(key+".policy", fmt.Sprintf("unknown policy %q", t.Policy), "known: "+strings.Join(known[1:], ", "))
		}
		if seen[t.Policy] {
			bad(key+".policy", "has an address already", "name one address for a policy")
		}
		seen[t.Policy] = true
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, s.Log.Level) {
		bad("log.level", fmt.Sprintf("unknown level %q", s.Log.Level), "known: debug, info, warn, error")
	}
	if !slices.Contains([]string{"json", "console"}, s.Log.Format) {
		bad("log.format", fmt.Sprintf("unknown format %q", s.Log.Format), "known: json, console")
	}
	return fs
}

// open opens the door's materials: what to trust, and what is known to be revoked.
func (s *signerSettings) open() (signer.Options, []fault) {
	m := &materials{}
	fs := s.openTrust(m)
	fs = append(fs, s.openRevocation(m)...)
	if len(fs) > 0 || m.trust == nil {
		return signer.Options{}, fs
	}
	if fs = s.openOutward(m); len(fs) > 0 {
		return signer.Options{}, fs
	}
	if err := s.keepBundle(m); err != nil {
		return signer.Options{}, []fault{s.at("trust_bundle.kept", plainFileError(err), "name a file that this user may write")}
	}
	l := s.c.Limits
	o := signer.Options{Trust: m.trust, Revocation: s.checker(m, nil), Clock: time.Now, Limits: signer.Limits{
		Body: int64(l.Body), Read: time.Duration(l.ReadTimeout), Request: time.Duration(l.Request), Concurrent: l.Concurrent, Keys: l.Keys,
	}}
	addresses := map[string]string{}
	for _, t := range s.c.TSA {
		addresses[t.Policy] = t.URL
	}
	if len(addresses) > 0 {
		authority, err := signer.NewAuthority(addresses, s.proxy())
		if err != nil {
			return o, []fault{s.at("tsa", err.Error(), "")}
		}
		o.Authority = authority
	}
	return o, nil
}
