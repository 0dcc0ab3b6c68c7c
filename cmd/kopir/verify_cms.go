package main

import (
	"bytes"
	"context"
	"fmt"

	"kopir/signature"
	"kopir/signature/cms"
)

// signedDataID is how a message in DER or BER begins after its first length:
// the object identifier of signed data.
var signedDataID = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}

// cmsFormat tells messages and time stamps from everything else; empty if the
// bytes are neither.
func cmsFormat(src []byte) string {
	raw := cms.Unwrap(src)
	if len(raw) < 5 || raw[0] != 0x30 {
		return ""
	}
	head := 2
	if raw[1] > 0x80 {
		head += int(raw[1] - 0x80)
	}
	if head <= 6 && head <= len(raw) && bytes.HasPrefix(raw[head:], signedDataID) {
		if m, err := cms.Parse(raw); err == nil && m.ContentType == cms.TypeTSTInfo {
			return "tsp"
		}
		return "cms"
	}
	if _, err := cms.ParseResponse(raw); err == nil {
		return "tsp"
	}
	return ""
}

// judgeCMS judges a message or a time stamp.
func (j *judge) judgeCMS(ctx context.Context, format string, src []byte) *signature.Verdict {
	raw := cms.Unwrap(src)
	if format == "tsp" {
		return j.verifier.TSP(ctx, raw, j.detached, j.o.want)
	}
	return j.verifier.CMS(ctx, raw, j.detached, j.o.want)
}

// readDetached reads the content that -detached names.
func (j *judge) readDetached() error {
	if j.o.detached == "" {
		return nil
	}
	var err error
	if j.detached, err = readFile(j.o.detached, cms.MaxMessage); err != nil {
		return fmt.Errorf("-detached: %w", err)
	}
	if j.detached == nil {
		j.detached = []byte{}
	}
	return nil
}
