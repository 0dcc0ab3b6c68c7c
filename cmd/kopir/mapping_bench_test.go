package main

import (
	"context"
	"testing"
	"time"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// BenchmarkMappingBesideVerification maps a document of twenty fields
// both ways, XML to row and row to XML, beside verifying its signature, turn by
// turn in one run. map/verify is the ratio; it is to be under a fifth.
func BenchmarkMappingBesideVerification(b *testing.B) {
	set, faults := mappings.Builtin()
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	s, _ := set.Service("karaganda-asp-recipient-certificate")
	at := sigtest.Noon()
	form, err := s.Fill(mappings.Filling{Channel: "csc", At: at, Whole: true})
	if err != nil {
		b.Fatal(err)
	}
	src, err := s.Document("csc", form.Values, nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, algorithm := range map[string]sigtest.Algorithm{"rsa": sigtest.RSA, "gost": sigtest.GOST2015} {
		b.Run(name, func(b *testing.B) {
			authority, err := sigtest.NewAuthority("", sigtest.Options{Algorithm: algorithm})
			if err != nil {
				b.Fatal(err)
			}
			citizen, err := authority.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(10), Surname: "Тестов", GivenName: "Тест"})
			if err != nil {
				b.Fatal(err)
			}
			key, err := citizen.Key()
			if err != nil {
				b.Fatal(err)
			}
			signed, err := signature.SignEnveloped(src, key, signature.SignOptions{})
			if err != nil {
				b.Fatal(err)
			}
			trust := nuc.NewTrust()
			root, err := nuc.ParseCertificate(authority.Root())
			if err != nil {
				b.Fatal(err)
			}
			issuing, err := nuc.ParseCertificate(authority.Issuing())
			if err != nil {
				b.Fatal(err)
			}
			trust.AddRoot(root)
			trust.AddIntermediate(issuing)
			verifier := &signature.Verifier{Trust: trust, Revoke: signature.RevokeOff}
			verify := func() xmltree.Node {
				doc, err := xmltree.Parse(signed, xmltree.DefaultLimits())
				if err != nil {
					b.Fatal(err)
				}
				v := verifier.XMLDSig(context.Background(), doc, signature.Want{At: at})
				if v.Outcome != verdict.Passed {
					b.Fatal(v.Reason, v.Detail)
				}
				content, _ := v.Content()
				tree, err := content.Tree()
				if err != nil {
					b.Fatal(err)
				}
				return tree.Root()
			}
			both := func(root xmltree.Node) int {
				got := s.Read(root, "csc", at)
				values := make(map[string]string, len(got.Row.Values))
				for _, x := range got.Row.Values {
					values[x.Field] = x.Text()
				}
				if _, err := s.Document("csc", values, nil); err != nil || len(got.Faults) > 0 {
					b.Fatal(err, got.Faults)
				}
				return len(values)
			}
			// In batches, so that the collector's work falls to whom it belongs; the
			// quickest batch of each counts, so that other programs do not.
			const batch = 50
			verifying, mapping := time.Hour, time.Hour
			var signedRoot xmltree.Node
			fields := 0
			for b.Loop() {
				began := time.Now()
				for range batch {
					signedRoot = verify()
				}
				verified := time.Now()
				for range batch {
					fields = both(signedRoot)
				}
				mapping = min(mapping, time.Since(verified))
				verifying = min(verifying, verified.Sub(began))
			}
			if fields < 20 {
				b.Fatalf("%d fields", fields)
			}
			b.ReportMetric(float64(mapping)/float64(verifying), "map/verify")
			b.ReportMetric(float64(mapping.Nanoseconds())/batch/1000, "map-µs/op")
			b.ReportMetric(float64(verifying.Nanoseconds())/batch/1000, "verify-µs/op")
			b.ReportMetric(float64(fields), "fields")
		})
	}
}
