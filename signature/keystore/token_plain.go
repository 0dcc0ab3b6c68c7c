//go:build !hsm || !cgo

package keystore

import "fmt"

// OpenToken finds no token: the part that speaks to devices is not in this binary.
func OpenToken(t Token) (*Key, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s: %w", t, ErrNoHSM)
}
