package mappings

import "testing"

// BenchmarkBuiltin reads and checks everything that is in the binary: most of
// what a start takes.
func BenchmarkBuiltin(b *testing.B) {
	for b.Loop() {
		if _, faults := Builtin(); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
}
