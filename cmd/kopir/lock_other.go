//go:build !unix

package main

import "os"

// lockStore: this system has no lock that ends with its process; the address
// that two bridges cannot share must do.
func lockStore(path string) (*os.File, error) {
	return os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
}
