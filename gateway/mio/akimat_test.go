package mio

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// name is a column or table as the schema of upper-case has it in a database.
func (s *site) name(n string) string {
	if s.d == &postgres {
		return `"` + n + `"`
	}
	return n
}

// upper writes the names of upper-case tables in a query as the database has them.
func (s *site) upper(q string) string {
	var out []string
	for w := range strings.SplitSeq(q, " ") {
		bare := strings.Trim(w, "(),")
		if strings.ToUpper(bare) == bare && strings.ContainsAny(bare, "_ABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.HasPrefix(bare, "~") {
			w = strings.Replace(w, bare, s.name(bare[1:]), 1)
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// Each of the three akimats: the schema fits, a row arrives once with all its
// parts and right values, a status goes both ways.
func TestAkimats(t *testing.T) {
	for akimat, c := range map[string]struct {
		rows   map[string]string // after the writes
		status string
		set    string // by the akimat
		code   string
		want   string
	}{
		"upper-case": {
			rows: map[string]string{
				"SELECT count(*) FROM ~T_APPLICATION":                                                       "1",
				"SELECT ~APPL_NO FROM ~T_APPLICATION":                                                       "HA-2026-000001",
				"SELECT ~SURNAME FROM ~T_APPLICATION":                                                       "ӘБІЛҚАЙЫР'); --",
				"SELECT ~IIN FROM ~T_APPLICATION":                                                           "001101300017",
				"SELECT ~IS_CONSENT FROM ~T_APPLICATION":                                                    "Y",
				"SELECT ~SRC_SYSTEM FROM ~T_APPLICATION":                                                    "KOPIR",
				"SELECT ~IS_DELETED FROM ~T_APPLICATION":                                                    "0",
				"SELECT ~DEPT_ID FROM ~T_APPLICATION":                                                       "11",
				"SELECT CAST( ~BIRTH_DATE AS CHAR(10)) FROM ~T_APPLICATION":                                 "1990-01-31",
				"SELECT substr(CAST( ~DT_RECEIVED AS CHAR(30)), 1, 22) FROM ~T_APPLICATION":                 "2026-11-25 09:00:00.25", // the wall clock of the akimat
				"SELECT count(*) FROM ~T_APPL_MEMBER":                                                       "2",
				"SELECT count(*) FROM ~T_APPL_MEMBER , ~T_APPLICATION WHERE ~APPL_ID = ~ID":                 "2",
				"SELECT count(*) FROM ~T_APPL_MEMBER WHERE ~ORD_NO = 2 AND ~INCOME IS NULL":                 "1",
				"SELECT count(*) FROM ~T_APPL_MEMBER WHERE ~ORD_NO = 1 AND ~REL_ID = 2 AND ~IS_DELETED = 0": "1", // of CHILD
				"SELECT count(*) FROM ~T_APPL_MEMBER WHERE ~ORD_NO = 2 AND ~REL_ID IS NULL":                 "1",
				"SELECT count(*) FROM ~T_APPL_FILE WHERE ~IS_DELETED = 0":                                   "1",
				"SELECT count(*) FROM ~T_APPL_FILE":                                                         "1",
				"SELECT ~FILE_NAME FROM ~T_APPL_FILE":                                                       "шарт ә.pdf",
				"SELECT length( ~BODY ) FROM ~T_APPL_FILE":                                                  "10",
				"SELECT count(*) FROM ~T_APPL_FILE WHERE ~APPL_ID IN (SELECT ~ID FROM ~T_APPLICATION )":     "1",
			},
			status: "SELECT ~STATUS_CODE FROM ~T_APPLICATION",
			set:    "UPDATE ~T_APPLICATION SET ~STATUS_CODE = '04', ~REFUSE_REASON = 'нет прав', ~DT_CHANGED = '2026-11-25 12:00:00'",
			code:   "04", want: "02",
		},
		"transliterated": {
			rows: map[string]string{
				"SELECT count(*) FROM putevki":                         "1",
				"SELECT otdel_id FROM putevki":                         "7",
				"SELECT kod_lagerya FROM putevki":                      "L1",
				"SELECT CAST(data_zaezda AS CHAR(10)) FROM putevki":    "2026-06-01",
				"SELECT yazyk FROM putevki":                            "ru", // the default, as the document names none
				"SELECT count(*) FROM putevki_deti WHERE nomer_pp = 1": "1",
				"SELECT count(*) FROM putevki WHERE lgota":             "1",
			},
			status: "SELECT kod FROM putevki JOIN spr_sostoyaniya ON id = sostoyanie_id",
			set:    "UPDATE putevki SET sostoyanie_id = 4, prichina_otkaza = 'нет прав'",
			code:   "OTK", want: "RAB",
		},
		"normalised": {
			rows: map[string]string{
				"SELECT count(*) FROM application": "1",
				"SELECT count(*) FROM person":      "2",
				"SELECT p.surname FROM application a JOIN person p ON p.person_id = a.applicant_id":                     "ТЕСТОВ",
				"SELECT p.iin FROM application a JOIN person p ON p.person_id = a.caretaker_id":                         "900101300017",
				"SELECT source FROM person WHERE iin = '900101300017'":                                                  "kopir",
				"SELECT count(*) FROM application_document d JOIN application a ON a.application_id = d.application_id": "1",
				"SELECT service_code FROM v_application":                                                                "CARE",
			},
			status: "SELECT status FROM v_application",
			set:    "UPDATE v_application SET status = 'denied', changed_at = '2026-11-25 12:00:00'",
			code:   "denied", want: "work",
		},
	} {
		t.Run(akimat, func(t *testing.T) {
			everywhere(t, akimat, func(t *testing.T, s *site) {
				if err := s.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
				r := application(akimat, "HA-2026-000001")
				for range 3 {
					write(t, s.DB, r)
				}
				for q, want := range c.rows {
					if got := s.get(t, s.upper(q)); got != want {
						t.Errorf("%s: %q, want %q", q, got, want)
					}
				}
				if filed, ok := map[*Dialect]string{&postgres: "2026-11-25 04:00:00.250", &mysql: "2026-11-25 04:00:00"}[s.d]; ok && akimat == "transliterated" {
					// MariaDB's TIMESTAMP keeps whole seconds.
					if got := s.get(t, "SELECT count(*) FROM putevki WHERE data_podachi = '"+filed+"'"); got != "1" {
						t.Errorf("%s filed at %s", got, filed)
					}
				}
				next := gateway.LocalRow{Service: r.Service, Number: r.Number, State: gateway.InProgress, At: at.Add(time.Minute)}
				for range 2 {
					write(t, s.DB, next)
				}
				if got := s.get(t, s.upper(c.status)); got != c.want {
					t.Errorf("status %q, want %q", got, c.want)
				}
				_, cursor, err := s.Changed(t.Context(), r.Service, "", 10)
				if err != nil {
					t.Fatal(err)
				}
				s.do(t, s.upper(c.set))
				changed, _, err := s.Changed(t.Context(), r.Service, cursor, 10)
				if marked := akimat != "transliterated"; err != nil || (len(changed) == 1) != marked {
					t.Errorf("changed: %v, %v", changed, err)
				}
				now, err := s.Statuses(t.Context(), r.Service, []string{r.Number, "HA-2026-000002"})
				if err != nil || len(now) != 1 || now[0].Code != c.code || now[0].Number != r.Number {
					t.Errorf("statuses: %+v, %v", now, err)
				}
				// What ended there stays ended.
				write(t, s.DB, next)
				if now, err = s.Statuses(t.Context(), r.Service, []string{r.Number}); err != nil || now[0].Code != c.code {
					t.Errorf("an ended application went on: %+v, %v", now, err)
				}
				missing := next
				missing.Number = "HA-2026-000009"
				if err := s.Write(t.Context(), missing); err == nil {
					t.Error("a status was set on a row that is not there")
				}
			})
		})
	}
}

// A list of the akimat's comes in both languages, without padding.
func TestCodes(t *testing.T) {
	everywhere(t, "transliterated", func(t *testing.T, s *site) {
		codes, err := s.Codes(t.Context(), "child-camp", "lagerya")
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(codes)
		want := fmt.Sprint([]mappings.Code{{Value: "L1", Ru: "Лагерь «Солнечный»", Kk: "Күншуақ лагері"}, {Value: "L2", Ru: "Лагерь «Горный»", Kk: "Лагерь «Горный»"}})
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if _, err := s.Codes(t.Context(), "child-camp", "others"); err == nil {
			t.Error("a list that is none was read")
		}
	})
}

// Persons are shared: a second application of the same person makes no second
// one and changes nothing of the first.
func TestEntitiesAreShared(t *testing.T) {
	everywhere(t, "normalised", func(t *testing.T, s *site) {
		write(t, s.DB, application("normalised", "CV-1"))
		second := application("normalised", "CV-2")
		second.Fields[1].Value = "ДРУГОЙ"
		second.Fields = append(second.Fields[:3], second.Fields[4:]...) // without a caretaker
		write(t, s.DB, second)
		for q, want := range map[string]string{
			"SELECT count(*) FROM person":                                 "2",
			"SELECT surname FROM person WHERE iin = '001101300017'":       "ТЕСТОВ",
			"SELECT count(DISTINCT applicant_id) FROM application":        "1",
			"SELECT count(*) FROM application WHERE caretaker_id IS NULL": "1",
		} {
			if got := s.get(t, q); got != want {
				t.Errorf("%s: %s, want %s", q, got, want)
			}
		}
	})
}

// What a table does not take leaves nothing behind, goes to a person, and its
// error names no value.
func TestRefusedRow(t *testing.T) {
	everywhere(t, "upper-case", func(t *testing.T, s *site) {
		write(t, s.DB, application("upper-case", "HA-1"))
		for what, c := range map[string]struct {
			change func(*gateway.LocalRow)
			stays  bool // it is not permanent
		}{
			"a child's key twice": {func(r *gateway.LocalRow) { r.Groups[1].Number = 1 }, false},
			"no date":             {func(r *gateway.LocalRow) { r.Fields[3].Value = "СЕКРЕТ" }, false},
			"no number":           {func(r *gateway.LocalRow) { r.Fields[5].Value = "СЕКРЕТ" }, false},
			"no such department":  {func(r *gateway.LocalRow) { r.Fields[4].Value = "СЕКРЕТ" }, true},
			"a field of nobody":   {func(r *gateway.LocalRow) { r.Fields[0].Name = "nobody" }, false},
		} {
			r := application("upper-case", "HA-2")
			c.change(&r)
			err := s.Write(t.Context(), r)
			var se *gateway.SendError
			if err == nil || (errors.As(err, &se) && se.Permanent) == c.stays {
				t.Errorf("%s: %v", what, err)
			}
			if err != nil && (strings.Contains(err.Error(), "СЕКРЕТ") || strings.Contains(err.Error(), "001101300017")) {
				t.Errorf("%s: the error names a value: %v", what, err)
			}
			if got := s.get(t, s.upper("SELECT count(*) FROM ~T_APPLICATION")) + s.get(t, s.upper("SELECT count(*) FROM ~T_APPL_MEMBER")); got != "12" {
				t.Errorf("%s left something behind: %s", what, got)
			}
		}
	})
}

// A value that is too long is refused by the database, not cut.
func TestNothingIsCut(t *testing.T) {
	everywhere(t, "upper-case", func(t *testing.T, s *site) {
		if s.d == &sqlite {
			return // which has no lengths
		}
		r := application("upper-case", "HA-1")
		r.Fields[1].Value = strings.Repeat("Ә", 61)
		var se *gateway.SendError
		if err := s.Write(t.Context(), r); !errors.As(err, &se) || !se.Permanent {
			t.Errorf("%v", err)
		}
		r.Fields[1].Value = strings.Repeat("Ә", 60)
		write(t, s.DB, r)
		if got := s.get(t, s.upper("SELECT ~SURNAME FROM ~T_APPLICATION")); got != r.Fields[1].Value {
			t.Errorf("it is %s", got)
		}
	})
}

// Tables that somebody changes while the bridge runs are found again.
func TestTablesThatChange(t *testing.T) {
	everywhere(t, "normalised", func(t *testing.T, s *site) {
		write(t, s.DB, application("normalised", "CV-1"))
		s.do(t, "ALTER TABLE application_document RENAME COLUMN title TO name_of")
		if err := s.Write(t.Context(), application("normalised", "CV-2")); err == nil || classOf(err) != Missing {
			t.Errorf("%v", err)
		}
		faults, _, err := Inspect(t.Context(), s.o, s.set())
		if err != nil || len(faults) != 1 || faults[0].Code != "no-column" || faults[0].Path != "local.files.name" || faults[0].Line < 2 {
			t.Errorf("%v %v", faults, err)
		}
		s.do(t, "ALTER TABLE application_document RENAME COLUMN name_of TO title")
		if err := s.Write(t.Context(), application("normalised", "CV-2")); err != nil {
			t.Error(err)
		}
	})
}
