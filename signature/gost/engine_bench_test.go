//go:build unix

package gost

import (
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// engineConfig loads OpenSSL's gost engine into any program of OpenSSL.
const engineConfig = `openssl_conf = init
[init]
engines = engines
[engines]
gost = gost
[gost]
engine_id = gost
default_algorithms = ALL
`

// engineKeys are the identifiers under which the engine knows our curves.
var engineKeys = []struct {
	curve  *Curve
	digest string
	oid    asn1.ObjectIdentifier
	params []asn1.ObjectIdentifier
}{
	{tc26A512, "md_gost12_512", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}, []asn1.ObjectIdentifier{{1, 2, 643, 7, 1, 2, 1, 2, 1}, {1, 2, 643, 7, 1, 1, 2, 3}}},
	{cryptoProA, "md_gost12_256", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}, []asn1.ObjectIdentifier{{1, 2, 643, 2, 2, 35, 1}, {1, 2, 643, 7, 1, 1, 2, 2}}},
}

// BenchmarkAgainstEngine sets verification and signing beside OpenSSL's gost
// engine, which bench/rawbench of the peers calls in C without a process or a
// parser between (KOPIR_PEERS names their folder). Our figure is taken before
// and after the engine's, the best of both sides counts: what each needs when
// nobody disturbs it. Reported: our time, the engine's, and ours as a part of it.
func BenchmarkAgainstEngine(b *testing.B) {
	rawbench := filepath.Join(os.Getenv("KOPIR_PEERS"), "bench", "rawbench")
	if _, err := os.Stat(rawbench); err != nil {
		b.Skip("witness not present: bench/rawbench of the peers (KOPIR_PEERS)")
	}
	for _, row := range engineKeys {
		k, err := GenerateKey(row.curve, nil)
		if err != nil {
			b.Fatal(err)
		}
		digest := randomBytes(row.curve.size)
		sig, err := k.Sign(nil, digest)
		if err != nil {
			b.Fatal(err)
		}
		dir := b.TempDir()
		write := func(name string, data []byte) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				b.Fatal(err)
			}
			return path
		}
		key := write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: enginePrivateKey(b, k, row.oid, row.params)}))
		config := write("openssl.cnf", []byte(engineConfig))
		type rate struct{ Max float64 }
		engine := func() (sign, verify time.Duration) {
			cmd := exec.Command(rawbench, key, row.digest, "0.3", "3")
			cmd.Env = append(os.Environ(), "OPENSSL_CONF="+config)
			out, err := cmd.Output()
			if err != nil {
				b.Skipf("the engine does not work here: %v", err)
			}
			var rates map[string]json.RawMessage
			if err := json.Unmarshal(out, &rates); err != nil {
				b.Fatal(err)
			}
			each := func(name string) time.Duration {
				var r rate
				if err := json.Unmarshal(rates[name], &r); err != nil || r.Max <= 0 {
					b.Fatalf("no %s in %s", name, out)
				}
				return time.Duration(float64(time.Second) / r.Max)
			}
			return each("sign_per_cpu_s"), each("verify_per_cpu_s")
		}
		verify := func() {
			if !k.public.Verify(digest, sig) {
				b.Fatal("refused")
			}
		}
		sign := func() {
			if _, err := k.Sign(nil, digest); err != nil {
				b.Fatal(err)
			}
		}
		ourVerify, ourSign := fastest(verify), fastest(sign)
		theirSign, theirVerify := engine()
		ourVerify, ourSign = min(ourVerify, fastest(verify)), min(ourSign, fastest(sign))
		b.Run(row.curve.name+"/verify", func(b *testing.B) {
			for b.Loop() {
				verify()
			}
			compare(b, ourVerify, theirVerify)
		})
		b.Run(row.curve.name+"/sign", func(b *testing.B) {
			for b.Loop() {
				sign()
			}
			compare(b, ourSign, theirSign)
		})
	}
}

func enginePrivateKey(b *testing.B, k *PrivateKey, oid asn1.ObjectIdentifier, params []asn1.ObjectIdentifier) []byte {
	d, err := asn1.Marshal(k.Bytes())
	if err != nil {
		b.Fatal(err)
	}
	type algorithm struct {
		OID    asn1.ObjectIdentifier
		Params []asn1.ObjectIdentifier
	}
	der, err := asn1.Marshal(struct {
		Version   int
		Algorithm algorithm
		Key       []byte
	}{0, algorithm{oid, params}, d})
	if err != nil {
		b.Fatal(err)
	}
	return der
}

// fastest is the processor's time for one call in the best of several batches:
// what the code needs when nobody disturbs it. The engine's is counted so too.
func fastest(f func()) time.Duration {
	const batch = 100
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	best := time.Duration(1 << 62)
	for range 9 {
		start := used()
		for range batch {
			f()
		}
		best = min(best, (used()-start)/batch)
	}
	return best
}

func compare(b *testing.B, ours, theirs time.Duration) {
	b.ReportMetric(float64(ours.Nanoseconds())/1e3, "ours-us")
	b.ReportMetric(float64(theirs.Nanoseconds())/1e3, "engine-us")
	b.ReportMetric(float64(ours)/float64(theirs), "x-engine")
}

var speedLine = regexp.MustCompile(`(?m)^\S+ +([0-9.]+)k\s*$`)

// BenchmarkDigestsAgainstEngine sets the digests beside the engine's, in
// blocks of 8 KB. Reported: MB/s of both, and ours as a part of the engine's.
// Its GOST 34.311-95 has other S-boxes, which cost the same.
func BenchmarkDigestsAgainstEngine(b *testing.B) {
	engine(b)
	config := filepath.Join(b.TempDir(), "openssl.cnf")
	if err := os.WriteFile(config, []byte(engineConfig), 0o600); err != nil {
		b.Fatal(err)
	}
	block := randomBytes(8192)
	for _, row := range []struct {
		name, engine string
		new          func() hash.Hash
	}{{"streebog512", "md_gost12_512", NewStreebog512}, {"streebog256", "md_gost12_256", NewStreebog256}, {"gost94", "md_gost94", NewGOST94}} {
		b.Run(row.name, func(b *testing.B) {
			h := row.new()
			sum := make([]byte, 0, 64)
			f := func() {
				h.Reset()
				h.Write(block)
				sum = h.Sum(sum[:0])
			}
			ours := fastest(f)
			cmd := exec.Command("openssl", "speed", "-evp", row.engine, "-bytes", "8192", "-seconds", "1")
			cmd.Env = append(os.Environ(), "OPENSSL_CONF="+config)
			out, err := cmd.Output()
			if err != nil {
				b.Skipf("openssl speed: %v", err)
			}
			found := speedLine.FindSubmatch(out)
			if found == nil {
				b.Fatalf("no figure in %s", out)
			}
			theirs, err := strconv.ParseFloat(string(found[1]), 64)
			if err != nil {
				b.Fatal(err)
			}
			ours = min(ours, fastest(f))
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
			speed := float64(len(block)) / ours.Seconds() / 1e6
			b.ReportMetric(theirs/1e3, "engine-MB/s")
			b.ReportMetric(speed/(theirs/1e3), "x-engine")
		})
	}
}
