//go:build shared

package signature

import (
	"os"
	"path/filepath"
	"testing"
)

// shared gives a path in the folder of shared material.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	dir := os.Getenv("KOPIR_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	path := filepath.Join(append([]string{dir}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the shared material is needed for the tag `shared`: %v", err)
	}
	return path
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
