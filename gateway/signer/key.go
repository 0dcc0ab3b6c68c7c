package signer

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"kopir/signature/keystore"
)

// namedKey is a key of a request and where it stood there.
type namedKey struct {
	*keystore.Key
	reference string // referenceUri
}

// outOfTime ends a request whose work took longer than it may.
var outOfTime = &fail{http.StatusServiceUnavailable, "the work on the request took longer than it may; send fewer keys at once"}

// keys opens the key files of a list of signers, and gives the answer to all
// faults of the request so far.
func (s *Signer) keys(ctx context.Context, f *fields, name string) ([]namedKey, *fail) {
	var out []namedKey
	for _, one := range f.objects(name, s.limits.Keys) {
		if ctx.Err() != nil {
			return nil, outOfTime // a key file may ask for much work
		}
		if k := one.key(); k != nil {
			out = append(out, namedKey{k, one.text("referenceUri")})
		}
	}
	return out, f.bad()
}

// key opens the key file of an object with key, password and keyAlias; nil
// where that is not possible, and the fault is gathered.
func (f *fields) key() *keystore.Key {
	file := f.requiredBytes("key")
	*f.secrets = append(*f.secrets, file)
	password, alias := f.text("password"), f.text("keyAlias")
	if _, there := f.raw("password"); !there {
		f.fault("password", "is required")
	}
	if f.bad() != nil {
		return nil
	}
	k, err := keystore.OpenPKCS12(file, password)
	switch {
	case errors.Is(err, keystore.ErrPassword):
		f.fault("password", "does not open this key file")
		return nil
	case err != nil:
		f.fault("key", "%s", strings.TrimPrefix(err.Error(), "key file: "))
		return nil
	case alias != "" && !strings.EqualFold(alias, aliasOf(k)):
		f.fault("keyAlias", "the key file has another one: %s", aliasOf(k))
		return nil
	}
	return k
}

// aliasOf is the name of a key in its file; in files without names the key
// identifier of the certificate, which is what the authority names them by.
func aliasOf(k *keystore.Key) string {
	if k.Name != "" {
		return k.Name
	}
	return hex.EncodeToString(k.Certificate.SubjectKeyID)
}
