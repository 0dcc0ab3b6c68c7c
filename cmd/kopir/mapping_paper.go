package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"time"

	"kopir/gateway/paper"
	"kopir/mappings"
)

// preview prints a result of a service as PDF with sample data: what a changed
// shared/paper-*.yaml looks like. The first result when none is named.
func (m *mappingRun) preview(s *mappings.Service, file, result string) int {
	r := s.Results[0]
	if result != "" {
		var ok bool
		if r, ok = s.Result(result); !ok {
			var ids []string
			for _, one := range s.Results {
				ids = append(ids, one.ID)
			}
			m.complain("mapping show: %s has no result %q; it has %s", s.ID, result, strings.Join(ids, ", "))
			return exitUsage
		}
	}
	doc, err := m.sample(s, r)
	if err == nil {
		var content []byte
		if content, err = paper.Print(doc); err == nil {
			err = os.WriteFile(file, content, 0o644)
		}
	}
	if err != nil {
		m.complain("mapping show: %v", err)
		return exitUsage
	}
	return exitPassed
}

// sample is a result with data of nobody.
func (m *mappingRun) sample(s *mappings.Service, r mappings.Result) (paper.Document, error) {
	at := time.Now().In(m.set.Calendar.Zone())
	say := func(key string) mappings.Text { return m.set.Texts.Text("mapping." + key) }
	w := mappings.OutcomeWish{Number: strings.NewReplacer("{year}", at.Format("2006"), "{seq}", "000001").Replace(s.Numbering.Format), Channel: s.Channels[0].ID, ReceivedAt: at, At: at,
		IIN: "000000000000", Applicant: say("sample-name").Ru, Result: r.ID, Post: say("sample-post"), Values: r.Sample(at)}
	for _, o := range m.set.Offices.All() {
		if o.Kind == s.Provider.Offices {
			w.Office = o
			break
		}
	}
	if r.State == mappings.Refused {
		w.GroundCode, w.Ground = "sample", say("sample-ground")
	}
	out, _, err := s.Outcome(w)
	if err != nil {
		return paper.Document{}, err
	}
	content, err := out.Document()
	if err != nil {
		return paper.Document{}, err
	}
	p, _ := s.Paper(r) // checked when the description was read
	sum := sha256.Sum256(content)
	return paper.Document{
		Paper: p, Outcome: out, Signer: say("sample-name").Ru, Organization: s.Provider.Name.Ru, Serial: "0", SignedAt: at, ValidTo: at.AddDate(1, 0, 0),
		Address: "https://example.kz/verify/" + strings.Repeat("0", 32),
		File:    paper.File{Name: r.ID + ".xml", MediaType: "application/xml", Content: content, SHA256: hex.EncodeToString(sum[:])},
	}, nil
}
