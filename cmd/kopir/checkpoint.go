package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/bundle"
	"kopir/gateway/failpoint"
	"kopir/gateway/journal"
	"kopir/gateway/server"
	"kopir/gateway/signer"
	"kopir/gateway/store"
	"kopir/signature"
	"kopir/signature/nuc"
)

// journalConfig is how the chain of records is sealed.
type journalConfig struct {
	// Checkpoint is how often the end of the chain is signed, when something was
	// added to it.
	Checkpoint duration `yaml:"checkpoint"`
	// TSA is the address of a time stamp authority (RFC 3161); empty: a
	// checkpoint's time is our own word.
	TSA string `yaml:"tsa"`
}

const defaultCheckpoint = 10 * time.Minute

// stamper asks the configured authority, or is nil.
func (l *loaded) stamper() (*signer.Authority, error) {
	if l.Journal.TSA == "" {
		return nil, nil
	}
	return signer.NewAuthority(map[string]string{"": l.Journal.TSA}, l.proxy())
}

// seal signs the end of the chain from time to time, in one of the processes
// on the store. The log names each checkpoint too: who collects logs elsewhere
// holds a witness that nobody can reach from here.
func (n *node) seal(ctx context.Context) {
	n.bridge.WhileLeading(ctx, "checkpoint", func(ctx context.Context) {
		tick := time.NewTicker(time.Duration(n.conf().Journal.Checkpoint))
		defer tick.Stop()
		for {
			if err := n.checkpoint(ctx); err != nil && ctx.Err() == nil {
				n.log.Error("no checkpoint of the journal", zap.Error(err))
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// lastCheckpoint bounds the wait for the time stamp of a checkpoint at the end.
const lastCheckpoint = 10 * time.Second

// sealEnd signs the end of the chain when the process was told to stop, so that
// what is cut off before the next start shows.
func (n *node) sealEnd(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCheckpoint)
	defer cancel()
	if err := n.checkpoint(ctx); err != nil {
		n.log.Error("no checkpoint of the journal at the end", zap.Error(err))
	}
}

// checkpoint signs the end of the chain, unless it is signed.
func (n *node) checkpoint(ctx context.Context) error {
	ctx, span := n.tracer().Start(ctx, "checkpoint") // for the question to the time stamp authority
	defer span.End()
	_, err := n.sealer().checkpoint(ctx)
	return err
}

// sealer signs with the bridge's key and asks for time stamps.
type sealer struct {
	store   *store.Store
	m       *materials
	stamper *signer.Authority // nil without one
	log     *zap.Logger
}

func (n *node) sealer() sealer { return sealer{n.store, n.m, n.stamper, n.log} }

// sealer signs in the name of the configured bridge.
func (l *loaded) sealer(st *store.Store, m *materials, log *zap.Logger) (sealer, error) {
	stamper, err := l.stamper()
	if err != nil {
		return sealer{}, fmt.Errorf("journal.tsa: %w", err)
	}
	return sealer{st, m, stamper, log}, nil
}

// checkpoint signs the end of the chain, unless it is signed, and stamped where an
// authority is configured, and gives its number.
func (s sealer) checkpoint(ctx context.Context) (seq int64, err error) {
	seq, head, err := s.store.Head(ctx)
	if err != nil {
		return 0, err
	}
	last, _, err := s.store.LastCheckpoint(ctx)
	if err != nil || last == seq && s.stamper == nil {
		return seq, err
	}
	if last == seq { // one without a time stamp is made again, if there is one to be had now
		if last, err := s.store.LastStamped(ctx); err != nil || last == seq {
			return seq, err
		}
	}
	mark := journal.Mark{Seq: seq, Hash: head, At: time.Now().UTC().Truncate(time.Second)}
	content, err := json.Marshal(mark)
	if err != nil {
		return 0, err
	}
	signed, stamped, err := s.sign(ctx, content, mark.At, false)
	if err != nil {
		return 0, err
	}
	if last == seq && !stamped {
		return seq, nil
	}
	failpoint.Here(failpoint.SealSigned)
	if err := s.store.Checkpoint(ctx, mark, signed, stamped); err != nil {
		return 0, err
	}
	failpoint.Here(failpoint.SealKept)
	s.log.Info("checkpoint of the journal", zap.Int64("record", seq), zap.Stringer("hash", head))
	return seq, nil
}

// sign makes a CMS message, with a time stamp where one is to be had.
func (s sealer) sign(ctx context.Context, content []byte, at time.Time, detached bool) (signed []byte, stamped bool, err error) {
	signed, err = signature.SignCMS(content, s.m.keys.Signing(at), signature.CMSOptions{SigningTime: at, Detached: detached})
	if err != nil || s.stamper == nil {
		return signed, false, err
	}
	with, err := s.stamper.Stamp(ctx, signed)
	if err != nil {
		s.log.Warn("what was signed has no time stamp", zap.Error(err))
		return signed, false, nil
	}
	return with, true, nil
}

// noteConfiguration records on what the bridge runs from now on: the file, the
// descriptions, the key, and whom it believes, so that this can be proven of any
// time. Candidates are not believed.
func (n *node) noteConfiguration(ctx context.Context) error {
	parts := []journal.Part{{What: "configuration", ID: "kopir.yaml", Note: buildVersion(), Digest: n.conf().digest}}
	var sources [][]byte
	for _, s := range n.services.Load().Services() {
		sources = append(sources, s.Source())
		parts = append(parts, journal.Part{What: bundle.Mapping, ID: s.ID, Note: s.Edition, Digest: journal.Sum(s.Source())})
	}
	certificate := func(what, note string, c *nuc.Certificate) {
		parts = append(parts, journal.Part{What: what, ID: c.SerialHex(), Note: note, Digest: journal.Sum(c.Raw)})
	}
	m := n.opened()
	for _, k := range m.keys.Standing(time.Now()) {
		certificate("key", string(k.State), k.Certificate)
	}
	if b := m.bundle; b != nil {
		parts = append(parts, journal.Part{What: "trust-bundle", ID: strconv.FormatUint(b.Issue, 10), Note: "key " + b.Signer.String(), Digest: journal.Sum(b.Raw)})
	}
	for _, e := range m.trust.Entries() {
		if !e.Candidate {
			certificate(e.Kind(), e.Purpose.String(), e.Certificate)
		}
	}
	for _, c := range m.known {
		certificate("known", "", c)
	}
	for _, s := range n.conf().Senders {
		for _, c := range m.senderCertificates[s.ID] {
			certificate("sender-certificate", s.ID, c)
		}
		for _, k := range m.partnerKeys[s.ID] {
			parts = append(parts, journal.Part{What: bundle.PartnerKey, ID: k.ID, Note: s.ID, Digest: journal.Sum(k.Public)})
		}
	}
	if err := n.store.KeepMappings(ctx, sources); err != nil {
		return fmt.Errorf("keep the descriptions: %w", err)
	}
	if err := n.store.Note(ctx, journal.Configuration, "", processName(), parts...); err != nil {
		return fmt.Errorf("record the configuration: %w", err)
	}
	return nil
}

// listOwner is under which the readings of lists are recorded.
const listOwner = "lists"

// noteAccess records who reads a person's data, of a list by which filter.
func (n *node) noteAccess(ctx context.Context, a server.Access) error {
	return noteAccess(ctx, n.store, a)
}

func noteAccess(ctx context.Context, st *store.Store, a server.Access) error {
	owner := cmp.Or(a.Application, listOwner)
	return st.Note(ctx, journal.Access, owner, a.Who, journal.Part{What: "access", ID: owner, Note: strings.TrimSpace(a.What + " " + a.Filter)})
}

// processName names this process for people.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}
