package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stamps are what the files of a configuration look like from outside: by them
// a running bridge sees that they were changed.
type stamps struct{ file, named, keys, mappings string }

// stamps are of what the files are now; of the configuration's own, of what it was
// when it was read.
func (l *loaded) stamps() stamps {
	return stamps{l.stamp, l.stampOf(l.named()), l.stampOf(l.keyFiles()), l.mappingsStamp()}
}

// stamps are of all files that would change what the bridge runs on. As long as
// the configuration that was read last is not in force, a change of anything it
// names may mend it.
func (n *node) stamps() stamps {
	now := n.conf().stamps()
	if n.tried != n.conf() {
		t := n.tried.stamps()
		now.named = t.named + t.keys + t.mappings
	}
	now.file = stampFiles(n.conf().file)
	return now
}

// keyFiles are those of keys and trust.
func (l *loaded) keyFiles() []string {
	return slices.Concat(l.Key.source().files(), l.Key.Next.source().files(), []string{l.TrustBundle.File}, l.Key.Previous, l.Trust, l.Known)
}

// named are all others that the configuration names, but for the descriptions.
func (l *loaded) named() []string {
	all := slices.Concat(l.Revocation.Files, l.Gateway.CA, l.Email.CA, l.SMS.CA,
		[]string{l.Store.DSNFile, l.Local.DSNFile, l.Local.PasswordFile, l.Gateway.PasswordFile, l.Email.PasswordFile, l.SMS.SecretFile})
	for _, a := range l.Revocation.Authorities {
		all = append(all, a.Certificate)
	}
	for _, a := range l.asks() {
		all = append(all, a.Shape, a.Consent.TicketKey)
	}
	for _, s := range l.Senders {
		all = append(append(all, s.PasswordFile, s.FormerPasswordFile), slices.Concat(s.Certificates, s.REST.CA)...)
		for _, k := range s.REST.Keys {
			all = append(all, k.File)
		}
	}
	return all
}

// mappingsStamp is that of the folder of descriptions; empty when there is none.
func (l *loaded) mappingsStamp() string {
	if l.Mappings == "" {
		return ""
	}
	return l.stampOf([]string{l.Mappings, filepath.Join(l.Mappings, "shared")})
}

// stampOf is that of files, and of those in folders, that a configuration names.
func (l *loaded) stampOf(paths []string) string {
	var files []string
	for _, p := range paths {
		if p == "" {
			continue
		}
		p = l.path(p)
		files = append(files, p)
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			inside, _ := filepath.Glob(filepath.Join(p, "*")) // fails for patterns alone
			files = append(files, inside...)
		}
	}
	return stampFiles(files...)
}

func stampFiles(files ...string) string {
	var b strings.Builder
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", f, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
