package main

import (
	"fmt"
	"slices"
)

// sender is a system that may put messages through the doors. It is known by
// its password, by the certificates that sign its messages, or by both.
type sender struct {
	ID           string `yaml:"id"`
	Channel      string `yaml:"channel"`
	PasswordFile string `yaml:"password_file"`
	// FormerPasswordFile holds the password before, which is taken too while the
	// partner changes.
	FormerPasswordFile string   `yaml:"former_password_file"`
	BINs               []string `yaml:"bins"`           // organisations whose system certificates it signs with
	Certificates       []string `yaml:"certificates"`   // files of single certificates
	Services           []string `yaml:"services"`       // serviceIds; empty: all
	StatusService      string   `yaml:"status_service"` // its own serviceId, for statuses of applications that it did not send
	Polled             bool     `yaml:"polled"`         // it fetches its messages by getMessages

	REST restConfig `yaml:"rest"` // it speaks REST
}

func (l *loaded) checkSenders() []fault {
	var fs []fault
	if len(l.Senders) == 0 {
		fs = append(fs, l.at("senders", "is missing, so every message would be refused", "name the systems that may send: id, channel, password_file"))
	}
	seen := map[string]bool{}
	for i, s := range l.Senders {
		key := fmt.Sprintf("senders[%d]", i)
		if s.ID == "" {
			fs = append(fs, l.at(key+".id", "is missing", "write the partner's senderId"))
		} else if seen[s.ID] {
			fs = append(fs, l.at(key+".id", fmt.Sprintf("%q stands twice", s.ID), "keep one entry for a sender"))
		}
		seen[s.ID] = true
		if !slices.Contains([]string{"portal", "csc"}, s.Channel) {
			fs = append(fs, l.at(key+".channel", fmt.Sprintf("unknown channel %q", s.Channel), "known: portal, csc"))
		}
		if !s.soap() && len(s.REST.Keys) == 0 {
			fs = append(fs, l.at(key, "has neither a password nor a certificate nor a key, so anybody could speak in its name", "name password_file, bins or certificates, or rest.keys"))
		}
		if s.FormerPasswordFile != "" && (s.PasswordFile == "" || s.FormerPasswordFile == s.PasswordFile) {
			fs = append(fs, l.at(key+".former_password_file", "stands without another password_file", "name the new password's file there, and here that of the one before"))
		}
		for j, bin := range s.BINs {
			l.checkBIN(&fs, fmt.Sprintf("%s.bins[%d]", key, j), bin)
		}
	}
	return fs
}
