package sigtest

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// Reasons of RFC 5280, 5.3.1, as far as the national lists have them.
const (
	ReasonUnspecified   = 0
	ReasonKeyCompromise = 1
	ReasonAffiliation   = 3
	ReasonSuperseded    = 4
	ReasonCessation     = 5
	ReasonHold          = 6
	ReasonRemoved       = 8 // in a delta CRL only: no longer on hold
)

// revocation is one entry; until is set when a hold was lifted.
type revocation struct {
	serial   *big.Int
	ofCA     bool // the issuing CA's own certificate, revoked by the root
	at       time.Time
	until    time.Time
	reason   int
	notAfter time.Time
}

func (r revocation) active(at time.Time) bool {
	return !r.at.After(at) && (r.until.IsZero() || r.until.After(at))
}

// Revoke takes back a certificate as of a moment (to the second). The
// reason is one of RFC 5280, 5.3.1; ReasonHold can be lifted with Release.
func (a *Authority) Revoke(c *Credential, at time.Time, reason int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revoked = append(a.revoked, revocation{serial: c.Serial(), at: at.UTC().Truncate(time.Second), reason: reason, notAfter: c.Certificate.NotAfter})
}

// RevokeIssuing takes back the issuing CA's certificate: it enters the root's list.
func (a *Authority) RevokeIssuing(at time.Time, reason int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revoked = append(a.revoked, revocation{serial: a.issuing.cert.SerialNumber, ofCA: true, at: at.UTC().Truncate(time.Second), reason: reason, notAfter: a.issuing.cert.NotAfter})
}

// Release lifts a hold. It fails when the certificate is not on hold.
func (a *Authority) Release(c *Credential, at time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.revoked {
		r := &a.revoked[i]
		if r.serial.Cmp(c.Serial()) == 0 && r.reason == ReasonHold && r.active(at) {
			r.until = at.UTC().Truncate(time.Second)
			return nil
		}
	}
	return fmt.Errorf("sigtest: certificate %x is not on hold", c.Serial())
}

// find gives the entry in force at a moment.
func (a *Authority) find(serial *big.Int, ofCA bool, at time.Time) (revocation, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.revoked {
		if r.ofCA == ofCA && r.serial.Cmp(serial) == 0 && r.active(at) {
			return r, true
		}
	}
	return revocation{}, false
}

// CRL is the issuing CA's full list as published at thisUpdate: what was
// revoked by then, without expired certificates. National lists live 180 days.
func (a *Authority) CRL(thisUpdate, nextUpdate time.Time) ([]byte, error) {
	return a.list(a.issuing, crlNumber(thisUpdate), a.entries(false, thisUpdate), thisUpdate, nextUpdate)
}

// RootCRL is the root's list: it can hold the issuing CA.
func (a *Authority) RootCRL(thisUpdate, nextUpdate time.Time) ([]byte, error) {
	return a.list(a.root, crlNumber(thisUpdate), a.entries(true, thisUpdate), thisUpdate, nextUpdate)
}

// DeltaCRL is the difference to the full list of base: newly revoked, and
// released from hold. Its number counts separately and is lower than the
// base's, as the national delta lists have it.
func (a *Authority) DeltaCRL(base, thisUpdate, nextUpdate time.Time) ([]byte, error) {
	before := map[string]bool{}
	for _, e := range a.entries(false, base) {
		before[e.SerialNumber.String()] = true
	}
	var entries []pkix.RevokedCertificate
	for _, e := range a.entries(false, thisUpdate) {
		if !before[e.SerialNumber.String()] {
			entries = append(entries, e)
		}
	}
	a.mu.Lock()
	for _, r := range a.revoked {
		if !r.ofCA && before[r.serial.String()] && !r.active(thisUpdate) {
			entries = append(entries, listEntry(r.serial, r.until, ReasonRemoved))
		}
	}
	a.mu.Unlock()
	indicator, err := extension(oidDeltaCRL, true, crlNumber(base))
	if err != nil {
		return nil, err
	}
	number := big.NewInt(int64(thisUpdate.Sub(base)/time.Minute) + 1)
	return a.list(a.issuing, number, entries, thisUpdate, nextUpdate, indicator)
}

func (a *Authority) entries(ofCA bool, at time.Time) []pkix.RevokedCertificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	var entries []pkix.RevokedCertificate
	for _, r := range a.revoked {
		if r.ofCA == ofCA && r.active(at) && at.Before(r.notAfter) {
			entries = append(entries, listEntry(r.serial, r.at, r.reason))
		}
	}
	return entries
}

// crlNumber grows with time, so that no state has to be kept: seconds since 2020.
func crlNumber(at time.Time) *big.Int {
	return big.NewInt(at.Unix() - time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
}

// listEntry is one line of a list; an unspecified reason is left out (RFC 5280, 5.3.1).
func listEntry(serial *big.Int, at time.Time, reason int) pkix.RevokedCertificate {
	e := pkix.RevokedCertificate{SerialNumber: serial, RevocationTime: at.UTC()}
	if reason != ReasonUnspecified {
		e.Extensions = []pkix.Extension{{Id: oidReason, Value: []byte{asn1.TagEnum, 1, byte(reason)}}}
	}
	return e
}

// list is a CertificateList (RFC 5280, 5.1), version 2.
func (a *Authority) list(by *link, number *big.Int, entries []pkix.RevokedCertificate, thisUpdate, nextUpdate time.Time, extra ...pkix.Extension) ([]byte, error) {
	id, err := identifierOf(by.key)
	if err != nil {
		return nil, err
	}
	var l extensionList
	l.add(authorityKeyExtension(by.cert.SubjectKeyId, nil, nil))
	l.add(extension(oidCRLNumber, false, number))
	if l.err != nil {
		return nil, l.err
	}
	tbs, err := asn1.Marshal(struct {
		Version                int
		Algorithm              pkix.AlgorithmIdentifier
		Issuer                 asn1.RawValue
		ThisUpdate, NextUpdate time.Time
		Entries                []pkix.RevokedCertificate `asn1:"optional"`
		Extensions             []pkix.Extension          `asn1:"explicit,tag:0"`
	}{1, id, asn1.RawValue{FullBytes: by.cert.RawSubject}, thisUpdate.UTC().Truncate(time.Second), nextUpdate.UTC().Truncate(time.Second),
		entries, append(l.list, extra...)})
	if err != nil {
		return nil, fmt.Errorf("sigtest: CRL: %w", err)
	}
	return signedDER(tbs, by.key)
}

// Revoked reports whether a certificate of the issuing CA is revoked or on
// hold at a moment.
func (a *Authority) Revoked(serial *big.Int, at time.Time) bool {
	_, revoked := a.find(serial, false, at)
	return revoked
}
