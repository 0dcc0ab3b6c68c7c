package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/failpoint"
	"kopir/gateway/journal"
	"kopir/gateway/server"
	"kopir/gateway/signer"
	"kopir/signature"
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
		tick := time.NewTicker(time.Duration(n.l.Journal.Checkpoint))
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

// checkpoint signs the end of the chain, unless it is signed.
func (n *node) checkpoint(ctx context.Context) error {
	seq, head, err := n.store.Head(ctx)
	if err != nil {
		return err
	}
	if last, _, err := n.store.LastCheckpoint(ctx); err != nil || last == seq {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	mark := journal.Mark{Seq: seq, Hash: head, At: now}
	content, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	signed, err := signature.SignCMS(content, n.m.keys.Signing(now), signature.CMSOptions{SigningTime: now})
	if err != nil {
		return err
	}
	if n.stamper != nil {
		if stamped, err := n.stamper.Stamp(ctx, signed); err == nil {
			signed = stamped
		} else {
			n.log.Warn("the checkpoint of the journal has no time stamp", zap.Error(err))
		}
	}
	failpoint.Here(failpoint.SealSigned)
	if err := n.store.Checkpoint(ctx, mark, signed); err != nil {
		return err
	}
	failpoint.Here(failpoint.SealKept)
	n.log.Info("checkpoint of the journal", zap.Int64("record", seq), zap.Stringer("hash", head))
	return nil
}

// noteConfiguration records on what the bridge runs from now on: the file, the
// descriptions, the key.
func (n *node) noteConfiguration(ctx context.Context) error {
	file, err := os.ReadFile(n.l.file)
	if err != nil {
		return err
	}
	parts := []journal.Part{{What: "configuration", ID: "kopir.yaml", Note: buildVersion(), Digest: journal.Sum(file)}}
	for _, s := range n.services.Load().Services() {
		parts = append(parts, journal.Part{What: "service", ID: s.ID, Note: s.Edition})
	}
	for _, k := range n.m.keys.Standing(time.Now()) {
		parts = append(parts, journal.Part{What: "key", ID: k.Certificate.SerialHex(), Note: string(k.State), Digest: journal.Sum(k.Certificate.Raw)})
	}
	if err := n.store.Note(ctx, journal.Configuration, "", processName(), parts...); err != nil {
		return fmt.Errorf("record the configuration: %w", err)
	}
	return nil
}

// noteAccess records who reads a person's data.
func (n *node) noteAccess(ctx context.Context, a server.Access) error {
	return n.store.Note(ctx, journal.Access, "", a.Who, journal.Part{What: "access", ID: a.Application, Note: a.What})
}

// processName names this process for people.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}
