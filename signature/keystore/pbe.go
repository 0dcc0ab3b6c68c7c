package keystore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"unicode/utf16"

	"kopir/signature/der"
)

// Ceilings on what a file may ask for. Real files ask for 1,000 to 10,000
// iterations, some tools for 600,000; a million is about half a second.
const (
	maxIterations = 1_000_000
	maxWork       = 3_000_000 // iterations of one whole file
)

// errDecrypt: the padding came out wrong, so password or bytes are.
var errDecrypt = errors.New("what came out of the decryption is not what was encrypted")

// secret is a password in the two spellings that the standards ask for, and
// the work that was done with it.
type secret struct {
	utf8 []byte
	bmp  []byte // big-endian UTF-16 with a zero character at the end (RFC 7292 appendix B.1)
	left int    // iterations that may still be done for this file
}

func newSecret(password string, work int) *secret {
	units := utf16.Encode([]rune(password))
	s := &secret{utf8: []byte(password), bmp: make([]byte, 0, 2*len(units)+2), left: work}
	for _, u := range units {
		s.bmp = binary.BigEndian.AppendUint16(s.bmp, u)
	}
	s.bmp = append(s.bmp, 0, 0)
	return s
}

// spend counts iterations against the ceilings.
func (s *secret) spend(v der.Value, iterations int) error {
	if iterations < 1 || iterations > maxIterations {
		return v.Errorf("%d iterations; 1 to %d are done", iterations, maxIterations)
	}
	if s.left -= iterations; s.left < 0 {
		return v.Errorf("the file asks for more than %d iterations altogether", maxWork)
	}
	return nil
}

// hashes are those of MACs and key derivations, by the identifier of the hash
// and of the HMAC with it.
var hashes = []struct {
	oid, hmac string
	new       func() hash.Hash
}{
	{"1.3.14.3.2.26", "1.2.840.113549.2.7", sha1.New},
	{"2.16.840.1.101.3.4.2.4", "1.2.840.113549.2.8", sha256.New224},
	{"2.16.840.1.101.3.4.2.1", "1.2.840.113549.2.9", sha256.New},
	{"2.16.840.1.101.3.4.2.2", "1.2.840.113549.2.10", sha512.New384},
	{"2.16.840.1.101.3.4.2.3", "1.2.840.113549.2.11", sha512.New},
}

// derive is the key derivation of RFC 7292 appendix B.2. id is 1 for a key,
// 2 for an initialisation vector, 3 for a MAC key.
func derive(newHash func() hash.Hash, password, salt []byte, iterations int, id byte, size int) []byte {
	h := newHash()
	u, v := h.Size(), h.BlockSize()
	fill := func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		out := make([]byte, (len(b)+v-1)/v*v)
		for i := range out {
			out[i] = b[i%len(b)]
		}
		return out
	}
	d := make([]byte, v)
	for i := range d {
		d[i] = id
	}
	in := append(fill(salt), fill(password)...)
	var out []byte
	a := make([]byte, 0, u)
	for {
		h.Reset()
		h.Write(d)
		h.Write(in)
		a = h.Sum(a[:0])
		for range iterations - 1 {
			h.Reset()
			h.Write(a)
			a = h.Sum(a[:0])
		}
		if out = append(out, a...); len(out) >= size {
			return out[:size]
		}
		// in := in + (a repeated to v bytes) + 1, in blocks of v bytes.
		for at := 0; at < len(in); at += v {
			carry := 1
			for i := v - 1; i >= 0; i-- {
				carry += int(in[at+i]) + int(a[i%u])
				in[at+i] = byte(carry)
				carry >>= 8
			}
		}
	}
}

// oldSchemes are the password based encryptions of RFC 7292 appendix C: SHA-1
// and a cipher with its key length in bytes.
var oldSchemes = map[string]struct {
	key    int
	cipher func(key []byte) (cipher.Block, error)
}{
	"1.2.840.113549.1.12.1.3": {24, des.NewTripleDESCipher},
	"1.2.840.113549.1.12.1.4": {16, func(k []byte) (cipher.Block, error) {
		return des.NewTripleDESCipher(append(k[:16:16], k[:8]...))
	}},
	"1.2.840.113549.1.12.1.5": {16, func(k []byte) (cipher.Block, error) { return newRC2(k, 128) }},
	"1.2.840.113549.1.12.1.6": {5, func(k []byte) (cipher.Block, error) { return newRC2(k, 40) }},
}

// decrypt opens what was encrypted under an AlgorithmIdentifier.
func (s *secret) decrypt(alg der.Value, data []byte) ([]byte, error) {
	parts := alg.Seq()
	id, err := parts.Next("algorithm", der.ObjectID)
	if err != nil {
		return nil, err
	}
	oid, err := id.OID()
	if err != nil {
		return nil, err
	}
	params, err := parts.Next("parameters", der.Sequence)
	if err != nil {
		return nil, err
	}
	var block cipher.Block
	var iv []byte
	if old, ok := oldSchemes[oid]; ok {
		salt, iterations, err := s.saltAndIterations(params)
		if err != nil {
			return nil, err
		}
		if err := s.spend(params, iterations); err != nil { // once more, for the vector
			return nil, err
		}
		if block, err = old.cipher(derive(sha1.New, s.bmp, salt, iterations, 1, old.key)); err != nil {
			return nil, err
		}
		iv = derive(sha1.New, s.bmp, salt, iterations, 2, block.BlockSize())
	} else if oid == "1.2.840.113549.1.5.13" {
		if block, iv, err = s.pbes2(params); err != nil {
			return nil, err
		}
	} else {
		return nil, id.Errorf("the encryption %s is not known here", oid)
	}
	return unpad(block, iv, data)
}

func unpad(block cipher.Block, iv, data []byte) ([]byte, error) {
	n := block.BlockSize()
	if len(iv) != n {
		return nil, fmt.Errorf("key file: initialisation vector of %d bytes, the cipher has blocks of %d", len(iv), n)
	}
	if len(data) == 0 || len(data)%n != 0 {
		return nil, fmt.Errorf("key file: %d encrypted bytes are not a whole number of blocks", len(data))
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > n {
		return nil, errDecrypt
	}
	for _, b := range out[len(out)-pad:] {
		if int(b) != pad {
			return nil, errDecrypt
		}
	}
	return out[:len(out)-pad], nil
}

func (s *secret) saltAndIterations(params der.Value) ([]byte, int, error) {
	parts := params.Seq()
	salt, err := parts.Next("salt", der.OctetString)
	if err != nil {
		return nil, 0, err
	}
	count, err := parts.Next("iterations", der.Integer)
	if err != nil {
		return nil, 0, err
	}
	n, err := count.Int()
	if err != nil {
		return nil, 0, err
	}
	if err := s.spend(count, n); err != nil {
		return nil, 0, err
	}
	return salt.Body, n, parts.End()
}

// pbes2Ciphers are the ciphers of PBES2: key length in bytes and constructor.
var pbes2Ciphers = map[string]struct {
	key    int
	cipher func(key []byte) (cipher.Block, error)
}{
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
}

// pbes2 reads the parameters of RFC 8018 section 6.2.
func (s *secret) pbes2(params der.Value) (cipher.Block, []byte, error) {
	parts := params.Seq()
	kdf, err := parts.Next("keyDerivationFunc", der.Sequence)
	if err != nil {
		return nil, nil, err
	}
	enc, err := parts.Next("encryptionScheme", der.Sequence)
	if err != nil {
		return nil, nil, err
	}
	encParts := enc.Seq()
	id, err := encParts.Next("algorithm", der.ObjectID)
	if err != nil {
		return nil, nil, err
	}
	oid, err := id.OID()
	if err != nil {
		return nil, nil, err
	}
	scheme, ok := pbes2Ciphers[oid]
	if !ok {
		return nil, nil, id.Errorf("the encryption %s is not known here", oid)
	}
	iv, err := encParts.Next("iv", der.OctetString)
	if err != nil {
		return nil, nil, err
	}
	key, err := s.pbkdf2(kdf, scheme.key)
	if err != nil {
		return nil, nil, err
	}
	block, err := scheme.cipher(key)
	return block, iv.Body, err
}

// pbkdf2 reads the parameters of RFC 8018 appendix A.2 and derives the key.
func (s *secret) pbkdf2(alg der.Value, size int) ([]byte, error) {
	parts := alg.Seq()
	id, err := parts.Next("algorithm", der.ObjectID)
	if err != nil {
		return nil, err
	}
	if oid, err := id.OID(); err != nil || oid != "1.2.840.113549.1.5.12" {
		return nil, id.Errorf("the key derivation %s is not known here", oid)
	}
	params, err := parts.Next("parameters", der.Sequence)
	if err != nil {
		return nil, err
	}
	in := params.Seq()
	salt, err := in.Next("salt", der.OctetString)
	if err != nil {
		return nil, err
	}
	count, err := in.Next("iterationCount", der.Integer)
	if err != nil {
		return nil, err
	}
	iterations, err := count.Int()
	if err != nil {
		return nil, err
	}
	if err := s.spend(count, iterations); err != nil {
		return nil, err
	}
	if length, ok, err := in.Optional("keyLength", der.Integer); err != nil {
		return nil, err
	} else if ok {
		if n, err := length.Int(); err != nil || size != 0 && n != size || n < 1 || n > 64 {
			return nil, length.Errorf("a key length that does not fit the cipher")
		} else {
			size = n
		}
	}
	if size == 0 {
		return nil, params.Errorf("the length of the key is missing")
	}
	newHash := sha1.New
	if prf, ok, err := in.Optional("prf", der.Sequence); err != nil {
		return nil, err
	} else if ok {
		if newHash, err = hashOf(prf, true); err != nil {
			return nil, err
		}
	}
	return pbkdf2.Key(newHash, string(s.utf8), salt.Body, iterations, size)
}

// hashOf finds the hash of a digest or HMAC AlgorithmIdentifier.
func hashOf(alg der.Value, hmac bool) (func() hash.Hash, error) {
	parts := alg.Seq()
	id, err := parts.Next("algorithm", der.ObjectID)
	if err != nil {
		return nil, err
	}
	oid, err := id.OID()
	if err != nil {
		return nil, err
	}
	for _, h := range hashes {
		if hmac && h.hmac == oid || !hmac && h.oid == oid {
			return h.new, nil
		}
	}
	return nil, id.Errorf("the hash %s is not known here", oid)
}
