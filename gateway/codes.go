package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"kopir/mappings"
)

// codesMark is where the last good code list of the local database is kept.
func codesMark(description, list string) string { return "codes/" + description + "/" + list }

// codes makes sure that the code lists of a service were read at least once:
// kept ones first, so that an application can be judged while the local database
// is down. Without any, nobody can say whether a code is right.
func (b *Bridge) codes(ctx context.Context, s *mappings.Service) error {
	for _, list := range s.MissingCodes() {
		kept, err := b.o.Store.Mark(ctx, codesMark(s.Name(), list))
		if err != nil {
			return tryLater(err)
		}
		var codes []mappings.Code
		if kept != "" && json.Unmarshal([]byte(kept), &codes) == nil && s.SetCodes(list, codes) == nil {
			continue
		}
		if err := b.readCodes(ctx, s, list); err != nil {
			return &Error{Code: TryLater, Say: "a code list of the local database could not be read yet", Cause: err}
		}
	}
	return nil
}

// refreshCodes reads every code list of the local database again. A list that
// cannot be read, or is empty, replaces nothing.
func (b *Bridge) refreshCodes(ctx context.Context) error {
	var faults []error
	for _, s := range b.set().Services() {
		for _, c := range s.Local.Codes {
			if err := b.readCodes(ctx, s, c.Name); err != nil {
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}

func (b *Bridge) readCodes(ctx context.Context, s *mappings.Service, list string) error {
	codes, err := b.o.Local.Codes(ctx, s.Name(), list)
	if err != nil {
		return err
	}
	if err := s.SetCodes(list, codes); err != nil {
		return err
	}
	now, err := json.Marshal(codes)
	if err != nil {
		return fmt.Errorf("code list %s: %w", list, err)
	}
	kept, err := b.o.Store.Mark(ctx, codesMark(s.Name(), list))
	if err != nil || kept == string(now) {
		return err
	}
	return b.o.Store.SetMark(ctx, codesMark(s.Name(), list), string(now))
}
