package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/client"
	"kopir/gateway/journal"
	"kopir/gateway/server"
	"kopir/signature/nuc"
)

// config is the one file that `kopir serve` and `kopir check` read. Every
// secret lives in a file of its own, named here by its path; relative paths
// start from the folder of the configuration.
type config struct {
	// Listen is the address of all doors: host:port.
	Listen string `yaml:"listen"`
	// PublicURL is written into the contract instead of the request's own
	// address, for a bridge behind another name.
	PublicURL string `yaml:"public_url"`
	// TrustedProxies are the networks whose X-Forwarded-* headers are believed.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// Proxy is the HTTP proxy for what the bridge asks of others, or "none";
	// empty: that of the environment.
	Proxy       string           `yaml:"proxy"`
	Limits      limitsConfig     `yaml:"limits"`
	Store       ownStoreConfig   `yaml:"store"`
	Local       localConfig      `yaml:"local"`
	Key         keyConfig        `yaml:"key"`
	Trust       []string         `yaml:"trust"`
	TrustBundle bundleConfig     `yaml:"trust_bundle"`
	Known       []string         `yaml:"known"`
	Revocation  revokeConfig     `yaml:"revocation"`
	Gateway     partnerConfig    `yaml:"gateway"`
	Registry    registryConfig   `yaml:"registry"` // older form, see asks
	Registries  []registryConfig `yaml:"registries"`
	Senders     []sender         `yaml:"senders"`
	Email       emailConfig      `yaml:"email"`
	SMS         smsConfig        `yaml:"sms"`
	// Officials are the BINs of the organisations whose employees file in the
	// office channel and sign results.
	Officials []string `yaml:"officials"`
	// Mappings is a folder of service descriptions; empty means the built-in ones.
	Mappings string `yaml:"mappings"`
	// Services are the ids of those that this bridge offers; empty: all.
	Services  []string        `yaml:"services"`
	APIKeys   []apiKey        `yaml:"api_keys"`
	Journal   journalConfig   `yaml:"journal"`
	Retention retentionConfig `yaml:"retention"`
	Traces    tracesConfig    `yaml:"traces"`
	Disk      diskConfig      `yaml:"disk"`
	Log       struct {
		Level  string `yaml:"level"`
		Format string `yaml:"format"`
	} `yaml:"log"`
}

type limitsConfig struct {
	Body        size     `yaml:"body"`
	Header      size     `yaml:"header"`
	ReadTimeout duration `yaml:"read_timeout"`
	Request     duration `yaml:"request_timeout"`
	Drain       duration `yaml:"drain_timeout"`
	Notice      duration `yaml:"drain_notice"`
	Concurrent  int      `yaml:"concurrent"`
	Connections int      `yaml:"connections"`
	Memory      size     `yaml:"memory"` // of all large bodies at work; zero: by the memory there is
	// Refused is what is kept whole of the refused messages of a sender in a day.
	Refused size `yaml:"refused_per_day"`
}

// keyConfig is the key that signs: of a file, or of a token.
type keyConfig struct {
	P12          string        `yaml:"p12"`
	PasswordFile string        `yaml:"password_file"`
	PKCS11       tokenConfig   `yaml:"pkcs11"`
	Next         nextKeyConfig `yaml:"next"`
	Previous     []string      `yaml:"previous"` // certificates whose keys sign no more
}

// nextKeyConfig is the key that follows, and from when it signs.
type nextKeyConfig struct {
	P12          string      `yaml:"p12"`
	PasswordFile string      `yaml:"password_file"`
	PKCS11       tokenConfig `yaml:"pkcs11"`
	From         string      `yaml:"from"` // RFC 3339; empty: as soon as its certificate is valid
}

// bundleConfig is the signed trust bundle and the fingerprints of the keys
// that may sign it.
type bundleConfig struct {
	File string   `yaml:"file"`
	Keys []string `yaml:"keys"`
	Kept string   `yaml:"kept"` // our copy of the one accepted last
}

type revokeConfig struct {
	OCSP    []string `yaml:"ocsp"`
	CRL     []string `yaml:"crl"`
	Delta   []string `yaml:"delta"`  // delta lists to those of crl
	Folder  string   `yaml:"folder"` // where fetched lists are kept over a restart
	Files   []string `yaml:"files"`
	Timeout duration `yaml:"timeout"`
	Refresh duration `yaml:"refresh"`
	// Authorities have addresses of their own; those above are for all others.
	Authorities []authorityConfig `yaml:"authorities"`
}

// partnerConfig is where and as whom the bridge speaks to the gateway, and
// whose signature its answers must carry.
type partnerConfig struct {
	Sync         string       `yaml:"sync"`
	Async        string       `yaml:"async"`
	SenderID     string       `yaml:"sender_id"`
	PasswordFile string       `yaml:"password_file"`
	BINs         []string     `yaml:"bins"`
	Timeout      duration     `yaml:"timeout"`
	CA           []string     `yaml:"ca"` // roots of its https address; empty: the machine's
	NoMessage    []string     `yaml:"no_message"`
	Poll         []pollConfig `yaml:"poll"`
}

type apiKey struct {
	Name   string `yaml:"name"`
	Role   string `yaml:"role"`
	Office string `yaml:"office"`
	SHA256 string `yaml:"sha256"`
}

// defaultConfig is what an empty key means.
func defaultConfig() config {
	var c config
	c.Listen = "127.0.0.1:8080"
	c.Limits = limitsConfig{
		Body:        32 << 20, // a 20 MB attachment in base64 with its envelope
		Header:      64 << 10,
		ReadTimeout: duration(30 * time.Second),
		Request:     duration(60 * time.Second),
		Drain:       duration(30 * time.Second),
		Notice:      duration(3 * time.Second),
		Concurrent:  256,
		Connections: 1024,
		Refused:     256 << 20,
	}
	c.Store.Driver, c.Local = "sqlite", defaultLocal()
	c.Disk = diskConfig{Warn: 90, Refuse: 95}
	c.Journal.Checkpoint = duration(defaultCheckpoint)
	c.Retention.Replies = defaultReplies
	c.Traces.Sample = 1
	c.Revocation.Timeout = duration(5 * time.Second)
	c.Revocation.Refresh = duration(10 * time.Minute)
	c.Gateway.Timeout, c.Gateway.NoMessage = duration(30*time.Second), client.NoMessage
	c.Email.TLS, c.Email.Auth, c.Email.Timeout = "starttls", "plain", duration(30*time.Second)
	c.SMS.Method, c.SMS.Type, c.SMS.Timeout = "POST", "application/json", duration(30*time.Second)
	c.Log.Level, c.Log.Format = "info", "json"
	return c
}

// loaded is a configuration with the place of every key.
type loaded struct {
	config
	file   string
	dir    string
	places map[string]place
	digest journal.Hash    // of the file, for the journal
	stamp  string          // what the file looked like before it was read
	level  zap.AtomicLevel // of the log
}

// loadConfig reads the file and returns every fault of its form and of its
// values; faults of the things it names (files, keys, addresses) are for
// check.go.
func loadConfig(file string) (*loaded, []fault) {
	stamp := stampFiles(file)
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, []fault{{Problem: plainFileError(err), Remedy: "name an existing file with -config"}}
	}
	l := &loaded{config: defaultConfig(), file: file, dir: filepath.Dir(file), digest: journal.Sum(src), stamp: stamp, level: zap.NewAtomicLevel()}
	places, faults := decodeStrict(src, &l.config)
	l.places = places
	if len(places) == 0 && len(faults) > 0 {
		return l, faults // nothing could be read: defaults would only add noise
	}
	return l, append(faults, l.checkValues()...)
}

// at builds a fault at the place of a key, or of its nearest written parent.
func (l *loaded) at(key, problem, remedy string) fault {
	f := fault{Key: key, Problem: problem, Remedy: remedy}
	for k := key; k != ""; {
		if p, ok := l.places[k]; ok {
			f.Line, f.Column = p.line, p.column
			break
		}
		cut := strings.LastIndexAny(k, ".[")
		if cut < 0 {
			break
		}
		k = k[:cut]
	}
	return f
}

// path resolves a path of the configuration.
func (l *loaded) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(l.dir, p)
}

func (l *loaded) checkValues() []fault {
	var fs []fault
	bad := func(key, problem, remedy string) { fs = append(fs, l.at(key, problem, remedy)) }

	if _, port, err := net.SplitHostPort(l.Listen); err != nil {
		bad("listen", fmt.Sprintf("%q is not an address", l.Listen), "write host:port, such as 0.0.0.0:8080")
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		bad("listen", fmt.Sprintf("port %q is not a number from 0 to 65535", port), "")
	}
	if l.PublicURL != "" {
		l.checkURL(&fs, "public_url", l.PublicURL)
	}
	for i, p := range l.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			if _, err := netip.ParseAddr(p); err != nil {
				bad(fmt.Sprintf("trusted_proxies[%d]", i), fmt.Sprintf("%q is neither an IP address nor a network", p), "write for example 10.0.0.0/8")
			}
		}
	}
	if l.Limits.Body < 1<<10 {
		bad("limits.body", "under 1KB no message fits", "the default is 32MB")
	}
	if l.Limits.Concurrent < 1 {
		bad("limits.concurrent", "must be 1 or more", "the default is 256")
	}
	if l.Limits.Connections < 8 {
		bad("limits.connections", "under 8 a watchdog might find no place", "the default is 1024")
	}
	if l.Limits.Memory > 0 && l.Limits.Memory < l.Limits.Body {
		bad("limits.memory", "is less than limits.body, so the largest message could never be taken", "leave the key out: it follows the memory there is")
	}
	if l.Limits.Refused < l.Limits.Body {
		bad("limits.refused_per_day", "is less than limits.body, so the largest refused message would never be kept whole", "the default is 256MB")
	}
	if l.Limits.Drain > 0 && l.Limits.Notice >= l.Limits.Drain {
		bad("limits.drain_notice", "is not shorter than limits.drain_timeout", "the defaults are 3s and 30s")
	}
	fs = append(fs, l.checkDisk()...)
	for _, k := range []struct {
		key string
		d   duration
	}{{"limits.read_timeout", l.Limits.ReadTimeout}, {"limits.request_timeout", l.Limits.Request}, {"limits.drain_timeout", l.Limits.Drain},
		{"revocation.timeout", l.Revocation.Timeout}, {"revocation.refresh", l.Revocation.Refresh}, {"gateway.timeout", l.Gateway.Timeout}, {"journal.checkpoint", l.Journal.Checkpoint}} {
		if k.d <= 0 {
			bad(k.key, "must be longer than nothing", "leave the key out for its default")
		}
	}
	fs = append(fs, l.checkStore()...)
	fs = append(fs, l.checkRetention()...)
	if l.Journal.TSA != "" {
		l.checkURL(&fs, "journal.tsa", l.Journal.TSA)
	}
	fs = append(fs, l.checkTraces()...)
	fs = append(fs, l.checkLocal()...)
	fs = append(fs, l.checkKeySource(l.Key.source())...)
	if len(l.Trust) == 0 && l.TrustBundle.File == "" {
		bad("trust", "is missing", "name the root and issuing certificates (PEM or DER), or their folder, or a trust_bundle")
	}
	fs = append(fs, l.checkBundle()...)
	if next := l.Key.Next; next != (nextKeyConfig{}) {
		fs = append(fs, l.checkKeySource(next.source())...)
		if _, err := time.Parse(time.RFC3339, next.From); next.From != "" && err != nil {
			bad("key.next.from", fmt.Sprintf("%q is not a time", next.From), "write for example 2026-12-01T00:00:00+05:00")
		}
	}
	if len(l.Revocation.OCSP)+len(l.Revocation.CRL)+len(l.Revocation.Files)+len(l.Revocation.Authorities) == 0 {
		bad("revocation", "no source is named, so no certificate could ever be accepted", "name at least one of ocsp, crl, authorities, files")
	}
	fs = append(fs, l.checkRevocation()...)
	if l.Gateway.Async == "" {
		bad("gateway.async", "is missing, so no status could ever leave", "write the address of the gateway's AsyncChannel")
	} else {
		l.checkURL(&fs, "gateway.async", l.Gateway.Async)
	}
	if l.Gateway.Sync == "" {
		bad("gateway.sync", "is missing, so no registry could be asked", "write the address of the gateway's SyncChannel")
	} else {
		l.checkURL(&fs, "gateway.sync", l.Gateway.Sync)
	}
	if len(l.Gateway.BINs) == 0 {
		bad("gateway.bins", "is missing, so any holder of a certificate could answer in the gateway's name", "name the BINs of the organisations that sign its answers")
	}
	for i, bin := range l.Gateway.BINs {
		l.checkBIN(&fs, fmt.Sprintf("gateway.bins[%d]", i), bin)
	}
	if l.Gateway.SenderID == "" {
		bad("gateway.sender_id", "is missing", "write the senderId that the gateway's operator gave you")
	}
	if len(l.Officials) == 0 {
		bad("officials", "is missing, so nobody's result could be accepted", "name the BINs of the organisations whose employees sign results")
	}
	for i, bin := range l.Officials {
		l.checkBIN(&fs, fmt.Sprintf("officials[%d]", i), bin)
	}
	fs = append(fs, l.checkOutward()...)
	fs = append(fs, l.checkRegistries()...)
	fs = append(fs, l.checkSenders()...)
	fs = append(fs, l.checkREST()...)
	fs = append(fs, l.checkLetters()...)
	fs = append(fs, l.checkAPIKeys()...)
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Log.Level) {
		bad("log.level", fmt.Sprintf("unknown level %q", l.Log.Level), "known: debug, info, warn, error")
	}
	if !slices.Contains([]string{"json", "console"}, l.Log.Format) {
		bad("log.format", fmt.Sprintf("unknown format %q", l.Log.Format), "known: json, console")
	}
	return fs
}

// checkRevocation looks at the addresses of OCSP and lists for all authorities.
func (l *loaded) checkRevocation() []fault {
	var fs []fault
	for _, list := range []struct {
		name string
		urls []string
	}{{"ocsp", l.Revocation.OCSP}, {"crl", l.Revocation.CRL}, {"delta", l.Revocation.Delta}} {
		for i, u := range list.urls {
			l.checkURL(&fs, fmt.Sprintf("revocation.%s[%d]", list.name, i), u)
		}
	}
	return fs
}

// checkBIN: twelve digits. The check digit is the authority's business.
func (l *loaded) checkBIN(fs *[]fault, key, bin string) {
	if len(bin) != 12 || strings.Trim(bin, "0123456789") != "" {
		*fs = append(*fs, l.at(key, fmt.Sprintf("%q is not a BIN", bin), "write its twelve digits in quotes"))
	}
}

func (l *loaded) checkAPIKeys() []fault {
	var fs []fault
	names, sums := map[string]bool{}, map[string]bool{}
	for i, k := range l.APIKeys {
		key := fmt.Sprintf("api_keys[%d]", i)
		switch {
		case k.Name == "":
			fs = append(fs, l.at(key+".name", "is missing", "name the system or person that holds the key"))
		case names[k.Name]:
			fs = append(fs, l.at(key+".name", fmt.Sprintf("%q stands twice", k.Name), "give every key its own name"))
		}
		names[k.Name] = true
		if _, err := server.ParseRole(k.Role); err != nil {
			fs = append(fs, l.at(key+".role", err.Error(), ""))
		}
		switch {
		case !server.IsHash(k.SHA256):
			fs = append(fs, l.at(key+".sha256", "is not a SHA-256 in 64 hexadecimal digits", "`kopir apikey -name NAME -role ROLE` makes a key and prints this entry"))
		case sums[k.SHA256]:
			fs = append(fs, l.at(key+".sha256", "is the hash of another entry too", "make a key for each"))
		}
		sums[k.SHA256] = true
	}
	return fs
}

func (l *loaded) checkURL(fs *[]fault, key, s string) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		*fs = append(*fs, l.at(key, "is not an http or https address", "write for example https://host:port/path"))
		return
	}
	if u.User != nil {
		*fs = append(*fs, l.at(key, "holds a user or a password", "addresses are logged: secrets go into files"))
	}
}

// plainFileError says what is wrong with a file in one sentence, without the
// system call's name.
func plainFileError(err error) string {
	var pe *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.Is(err, fs.ErrPermission):
		return "may not be read by this user"
	case errors.As(err, &pe):
		return pe.Err.Error()
	}
	return err.Error()
}

// checkBundle judges what is said of the trust bundle without opening it.
func (l *loaded) checkBundle() []fault {
	var fs []fault
	if l.TrustBundle.File != "" && len(l.TrustBundle.Keys) == 0 {
		fs = append(fs, l.at("trust_bundle.keys", "is missing", "pin the operator's key: `kopir trust key FILE` prints its fingerprint"))
	}
	if l.TrustBundle.File == "" && len(l.TrustBundle.Keys) > 0 {
		fs = append(fs, l.at("trust_bundle.file", "is missing", "name the bundle that the pinned key signs"))
	}
	for i, k := range l.TrustBundle.Keys {
		if _, err := nuc.ParsePin(k); err != nil {
			fs = append(fs, l.at(fmt.Sprintf("trust_bundle.keys[%d]", i), err.Error(), "`kopir trust key FILE` prints it"))
		}
	}
	return fs
}
