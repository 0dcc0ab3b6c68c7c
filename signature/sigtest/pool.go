package sigtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"sync"
)

// poolPEM holds caKeys RSA keys of 4096 bits, then leafKeys of 2048.
//
//go:embed testdata/keys.pem
var poolPEM []byte

const (
	caKeys   = 8
	leafKeys = 32
	caBits   = 4096
	leafBits = 2048
)

// poolBlocks splits the pool once; each key is parsed when it is first asked for.
var poolBlocks = sync.OnceValue(func() []func() (*rsa.PrivateKey, error) {
	var keys []func() (*rsa.PrivateKey, error)
	for rest := poolPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return keys
		}
		keys = append(keys, sync.OnceValues(func() (*rsa.PrivateKey, error) {
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("sigtest: pool key: %w", err)
			}
			return key.(*rsa.PrivateKey), nil
		}))
	}
})

// PoolKey gives the n-th RSA-2048 key of the pool, counted round: n and n+32
// are the same key. The same n is the same key in every process.
func PoolKey(n int) (*rsa.PrivateKey, error) {
	keys := poolBlocks()
	if len(keys) != caKeys+leafKeys {
		return nil, fmt.Errorf("sigtest: the key pool holds %d keys, not %d", len(keys), caKeys+leafKeys)
	}
	return keys[caKeys+n%leafKeys]()
}

// caKey gives the n-th RSA-4096 key of the pool, counted round.
func caKey(n int) (*rsa.PrivateKey, error) {
	keys := poolBlocks()
	if len(keys) != caKeys+leafKeys {
		return nil, fmt.Errorf("sigtest: the key pool holds %d keys, not %d", len(keys), caKeys+leafKeys)
	}
	return keys[n%caKeys]()
}

// freshKey generates.
func freshKey(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
