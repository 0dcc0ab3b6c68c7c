package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"kopir/gateway"
	"kopir/gateway/bundle"
	"kopir/gateway/journal"
	"kopir/gateway/server"
	"kopir/gateway/store"
	"kopir/signature/verdict"
)

// bundle makes the evidence bundle of an application.
func (s sealer) bundle(ctx context.Context, owner string) ([]byte, error) {
	d, err := s.store.Dossier(ctx, owner)
	if err != nil {
		return nil, err
	}
	if _, err := s.checkpoint(ctx); err != nil { // over all that was just read
		return nil, err
	}
	at := time.Now().UTC().Truncate(time.Second)
	c := bundle.Contents{Owner: owner, MadeAt: at, MadeBy: "kopir " + buildVersion(), Stamped: s.stamper != nil, Key: d.Key, Things: d.Things}
	for _, p := range d.Proofs {
		c.Proofs = append(c.Proofs, bundle.Proof{Kind: string(p.Kind), Content: p.Content})
	}
	if d.Mapping != nil {
		c.Proofs = append(c.Proofs, bundle.Proof{Kind: string(store.ProofMapping), Content: d.Mapping})
	}
	for _, a := range s.m.trust.Authorities() { // those of our own certificate and of the time stamps among them
		c.Proofs = append(c.Proofs, bundle.Proof{Kind: string(verdict.ProofAuthority), Content: a.Raw})
	}
	if c.Chain, err = chainOf(ctx, s.store, d); err != nil {
		return nil, err
	}
	return bundle.Write(&c, func(manifest []byte) ([]byte, error) {
		sealed, stamped, err := s.sign(ctx, manifest, at, true)
		if err == nil && c.Stamped && !stamped {
			return nil, errUnstamped
		}
		return sealed, err
	})
}

// export is the evidence bundle for whoever runs this command, which is recorded
// first, and stands in it: what cannot be recorded is not given. Who asks for what
// is not there reads nothing.
func (k keeper) export(ctx context.Context, owner string) ([]byte, error) {
	if _, err := k.store.Secret(ctx, owner); errors.Is(err, gateway.ErrNotFound) {
		return nil, err
	}
	if err := noteAccess(ctx, k.store, server.Access{Who: operator(), What: "kopir journal export", Application: owner}); err != nil {
		return nil, err
	}
	return k.bundleOf(ctx, owner)
}

// errUnstamped: the authority is silent.
var errUnstamped = errors.New("the authority of journal.tsa gave no time stamp; try again, or with -unstamped")

// bundles makes them for the REST door, as `kopir journal export` does.
type bundles struct{ keeper }

// Weight is the size of an archived file, else of what the store has.
func (b bundles) Weight(ctx context.Context, number string) (int64, error) {
	n, err := b.store.Weight(ctx, number)
	if path := b.archived(number); err == nil && path != "" {
		if i, missing := os.Stat(path); missing == nil {
			n += i.Size()
		}
	}
	if err != nil {
		return 0, &gateway.Error{Code: gateway.TryLater, Cause: err}
	}
	return n, nil
}

// Bundle is made anew, with the record of who asks for it.
func (b bundles) Bundle(ctx context.Context, number string) ([]byte, error) {
	made, err := b.bundleOf(ctx, number)
	var away *awayError
	switch {
	case err == nil:
		return made, nil
	case errors.Is(err, gateway.ErrNotFound):
		return nil, &gateway.Error{Code: gateway.NotFound, Cause: err}
	case errors.As(err, &away): // another bridge may have it
		return nil, &gateway.Error{Code: gateway.TryLater, Say: away.file + " is not in the retention.folder of this bridge, which all bridges on one store must share", Cause: err}
	case errors.Is(err, errUnstamped), ctx.Err() != nil:
		return nil, &gateway.Error{Code: gateway.TryLater, Cause: err}
	}
	return nil, &gateway.Error{Code: gateway.Internal, Cause: err}
}

// errPieceDone ends the reading of a piece of the chain.
var errPieceDone = errors.New("done")

// chainOf writes the records of a dossier, each piece up to the next checkpoint.
func chainOf(ctx context.Context, st *store.Store, d *store.Dossier) ([]byte, error) {
	wanted := d.Links
	if d.Configuration != nil {
		wanted = append([]store.Link{*d.Configuration}, wanted...)
	}
	var w bundle.ChainWriter
	for len(wanted) > 0 {
		first := wanted[0].Seq
		before, err := st.HashOf(ctx, first-1)
		if err != nil {
			return nil, err
		}
		w.After(first-1, before)
		err = st.Journal(ctx, first-1, "", func(l store.Link) error {
			if len(wanted) > 0 && l.Seq == wanted[0].Seq {
				w.Record(l.Body)
				wanted = wanted[1:]
			} else {
				w.Other(l.Body)
			}
			if l.Checkpoint == nil {
				return nil
			}
			w.Checkpoint(l.Checkpoint)
			return errPieceDone
		})
		if err == nil {
			return nil, &journal.Fault{Seq: first, What: "no checkpoint follows it"}
		}
		if !errors.Is(err, errPieceDone) {
			return nil, err
		}
	}
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	return b, nil
}
