//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestOneBridgeAStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kopir.db")
	first, err := lockStore(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockStore(path); err == nil || !strings.Contains(err.Error(), "another bridge") {
		t.Errorf("a second bridge: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := lockStore(path)
	if err != nil {
		t.Fatalf("after the first ended: %v", err)
	}
	again.Close()
}
