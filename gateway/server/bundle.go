package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// Bundles makes the evidence bundles of applications.
type Bundles interface {
	// Weight is about how many bytes the bundle of an application will have.
	Weight(ctx context.Context, number string) (int64, error)
	// Bundle is the whole file. The error is a *gateway.Error.
	Bundle(ctx context.Context, number string) ([]byte, error)
}

const (
	bundleType = "application/vnd.etsi.asic-e+zip"
	// bundleCopies is how often a bundle stands in memory while it is made: its
	// rows, the container, and the container's growth.
	bundleCopies = 4
)

// readBundle hands out the evidence bundle of an application. One is made at a
// time, of at most half of what all bodies may take together: it must not turn
// away messages.
func (s *Server) readBundle(c *gin.Context) *fail {
	ctx, number := c.Request.Context(), c.Param("number")
	if _, err := s.doors.Application(ctx, number); err != nil {
		return failOf(err)
	}
	weight, err := s.bundles.Weight(ctx, number)
	if err != nil {
		return failOf(err)
	}
	most := max(s.limits.Memory, s.limits.Body) / 2
	if weight > most/bundleCopies {
		return &fail{code: codeTooLarge, values: []any{"limit", most / bundleCopies}, detail: "kopir journal export " + number}
	}
	if !s.bundling.TryLock() {
		return s.busy("bundle")
	}
	defer s.bundling.Unlock()
	if !s.room.take(weight * bundleCopies) {
		return s.busy("memory")
	}
	defer s.room.give(weight * bundleCopies)
	b, err := s.bundles.Bundle(ctx, number)
	if err != nil {
		return failOf(err)
	}
	sum := sha256.Sum256(b)
	writeDocument(c, &gateway.Document{Name: number + ".asice", MediaType: bundleType, SHA256: hex.EncodeToString(sum[:]), Content: b})
	return nil
}

// busy turns a request away whose connection is well.
func (s *Server) busy(reason string) *fail {
	f := s.overloaded(reason)
	delete(f.header, "Connection")
	return f
}
