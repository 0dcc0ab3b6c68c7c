//go:build shared

package sigtest

import (
	"encoding/asn1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// skeleton prints the tags of DER, with object identifiers in full; names,
// numbers, keys and values are only counted by their tag.
func skeleton(t *testing.T, der []byte, depth int, out *strings.Builder) {
	t.Helper()
	for len(der) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(out, "%s%d:%d", strings.Repeat(" ", depth), v.Class, v.Tag)
		switch {
		case v.IsCompound:
			out.WriteByte('\n')
			skeleton(t, v.Bytes, depth+1, out)
		case v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOID:
			var oid asn1.ObjectIdentifier
			if _, err := asn1.Unmarshal(v.FullBytes, &oid); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(out, " %v\n", oid)
		case v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString && len(v.Bytes) > 2 && (v.Bytes[0] == 0x30 || v.Bytes[0] == 3):
			out.WriteString(" {\n") // an extension
			skeleton(t, v.Bytes, depth+1, out)
		case v.Class == asn1.ClassUniversal && (v.Tag == asn1.TagBitString || v.Tag == asn1.TagBoolean):
			fmt.Fprintf(out, " %d", len(v.Bytes))
			if len(v.Bytes) < 4 {
				fmt.Fprintf(out, " %x", v.Bytes)
			}
			out.WriteByte('\n')
		default:
			out.WriteByte('\n')
		}
		der = rest
	}
}

// TestShapeOfRealCertificates: ours have every field, identifier, flag and
// string type of the national ones, in their order.
func TestShapeOfRealCertificates(t *testing.T) {
	dir := os.Getenv("KOPIR_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	a := authorityOf(t, GOST2015, "")
	employee := Profile{Kind: Employee, IIN: IIN(2), BIN: BIN(1), Surname: "Тестов", GivenName: "Тест", Patronymic: "Тестович"}
	head := employee
	head.Kind = Head
	// The order of extensions differs from one real leaf to the next.
	const inOrder, anyOrder = true, false
	for file, ours := range map[string]struct {
		der     []byte
		ordered bool
	}{
		"cert/gost2015-512-individual-20260508-6c425659.cer": {issue(t, a, person()).DER, inOrder},
		"cert/gost2015-512-head-20241029-10f5125f.cer":       {issue(t, a, head).DER, anyOrder},
		"cert/gost2015-512-infosystem-20260508-6b4fa0c2.cer": {issue(t, a, Profile{Kind: System, BIN: BIN(1), CommonName: "ИС"}).DER, anyOrder},
		"ca/test-root-gost2015-512-2022-27d3ab77.cer":        {a.Root(), inOrder},
		"ca/test-nca-gost2015-512-2022-7ad24b1b.cer":         {a.Issuing(), inOrder},
	} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			real, err := os.ReadFile(filepath.Join(dir, "nuc", "corpus", "visible", file))
			if err != nil {
				t.Fatal(err)
			}
			var want, got strings.Builder
			skeleton(t, real, 0, &want)
			skeleton(t, ours.der, 0, &got)
			w, g := strings.Split(want.String(), "\n"), strings.Split(got.String(), "\n")
			if !ours.ordered {
				slices.Sort(w)
				slices.Sort(g)
			}
			if !slices.Equal(w, g) {
				t.Errorf("ours\n%s\n--- real\n%s", strings.Join(g, "\n"), strings.Join(w, "\n"))
			}
		})
	}
}
