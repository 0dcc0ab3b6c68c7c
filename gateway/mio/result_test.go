package mio

import (
	"bytes"
	"database/sql"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
)

// The result stands in its columns with the status that ends the application,
// byte for byte, also where the local system had set that status before.
func TestResultInTheRow(t *testing.T) {
	everywhere(t, "upper-case", func(t *testing.T, s *site) {
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		issued := gateway.Issued{
			Document: gateway.Document{Name: "анықтама.xml", Content: []byte("<result>Ә</result>"), Signature: []byte{0x30, 0, 0xff}, SHA256: strings.Repeat("ab", 32)},
			Paper:    &gateway.Document{Content: append([]byte("%PDF-1.7\x00\xff"), bytes.Repeat([]byte{7}, 100_000)...)},
			Address:  "https://kopir.example/verify/0",
		}
		for i, c := range []struct {
			name  string
			set   string // by the akimat, before
			strip func(*gateway.Issued)
		}{
			{"HA-1", "", nil},
			{"HA-2", "03", nil},
			{"HA-3", "", func(i *gateway.Issued) { i.Document.Signature, i.Paper, i.Address = nil, nil, "" }},
		} {
			write(t, s.DB, application("upper-case", c.name))
			if c.set != "" {
				s.do(t, s.upper("UPDATE ~T_APPLICATION SET ~STATUS_CODE = '"+c.set+"' WHERE ~APPL_NO = '"+c.name+"'"))
			}
			own := issued
			if c.strip != nil {
				c.strip(&own)
			}
			for range 2 {
				write(t, s.DB, gateway.LocalRow{Service: "housing-aid", Number: c.name, State: gateway.Completed, At: at.Add(time.Duration(i) * time.Minute), Issued: &own})
			}
			var status, name, sha string
			var xml, cms, pdf []byte
			var url sql.NullString
			q := s.upper("SELECT ~STATUS_CODE , ~RESULT_NAME , ~RESULT_SHA256 , ~RESULT_XML , ~RESULT_CMS , ~RESULT_PDF , ~RESULT_URL FROM ~T_APPLICATION WHERE ~APPL_NO = '" + c.name + "'")
			if err := s.raw.QueryRowContext(t.Context(), q).Scan(&status, &name, &sha, &xml, &cms, &pdf, &url); err != nil {
				t.Fatal(err)
			}
			var paper []byte
			if own.Paper != nil {
				paper = own.Paper.Content
			}
			if strings.TrimRight(status, " ") != "03" || name != own.Document.Name || sha != own.Document.SHA256 || !bytes.Equal(xml, own.Document.Content) ||
				!bytes.Equal(cms, own.Document.Signature) || !bytes.Equal(pdf, paper) || url.String != own.Address {
				t.Errorf("%s: %s %s %s %s %x, a paper of %d bytes, %s", c.name, status, name, sha, xml, cms, len(pdf), url.String)
			}
		}
	})
}

// A column that cannot hold what is meant for it, or is not there, is named at
// its place in the description.
func TestResultColumnsAreChecked(t *testing.T) {
	everywhere(t, "upper-case", func(t *testing.T, s *site) {
		if s.d == &sqlite {
			return // its columns take anything, and their types are not changed
		}
		for _, q := range []string{"DROP COLUMN ~RESULT_PDF", "DROP COLUMN ~RESULT_SHA256", "ADD ~RESULT_SHA256 CHAR(40)", "DROP COLUMN ~RESULT_CMS", "ADD ~RESULT_CMS INTEGER"} {
			s.do(t, s.upper("ALTER TABLE ~T_APPLICATION "+q))
		}
		faults, _, err := Inspect(t.Context(), s.o, s.set())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range faults {
			got[f.Path] = f.Code
		}
		for path, code := range map[string]string{"local.result.paper": "no-column", "local.result.sha256": "column-short", "local.result.signature": "column-type"} {
			if got[path] != code {
				t.Errorf("%s: %q, want %q", path, got[path], code)
			}
		}
	})
}
