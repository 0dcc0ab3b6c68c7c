package mio

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// clerk is the way of a user of his own, without any right, to the tables of a
// site on a server; to name him in SQL is the second.
func (s *site) clerk(t *testing.T) (*DB, Options, string) {
	t.Helper()
	o, name := s.o, fmt.Sprintf("clerk_%x", time.Now().UnixNano())
	user := name
	drop := func(q string) {
		if _, err := s.raw.Exec(q); err != nil { // the test's own context has ended
			t.Errorf("%s: %v", q, err)
		}
	}
	switch s.d {
	case &postgres:
		s.do(t, "CREATE ROLE "+name+" LOGIN")
		t.Cleanup(func() { drop("DROP OWNED BY " + name); drop("DROP ROLE " + name) })
		o.URL += " user=" + name
	case &mysql:
		user = "'" + name + "'@'localhost'"
		s.do(t, "CREATE USER "+user)
		t.Cleanup(func() { drop("DROP USER " + user) })
		u, err := url.Parse(o.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.User, u.Path = url.User(name), "/"+o.Schema
		o.URL = u.String()
	}
	m, err := Open(o, s.set())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, o, user
}

// grants are the sentences that the faults say to run.
func grants(t *testing.T, faults []mappings.Fault) (all []string) {
	t.Helper()
	for _, f := range faults {
		_, sentence, ok := strings.Cut(f.Remedy(mappings.English), "GRANT ")
		if f.Code != "no-right" || !ok || f.Line < 2 {
			t.Fatalf("%s: %s", f.Code, f)
		}
		all = append(all, "GRANT "+sentence)
	}
	return all
}

// served are the databases that have users.
func served(t *testing.T, do func(t *testing.T, s *site)) {
	everywhere(t, "upper-case", func(t *testing.T, s *site) {
		if s.d != &sqlite {
			do(t, s)
		}
	})
}

// TestRightsAreNamed: what the check tells to run is what is missing, and with
// that alone everything can be done.
func TestRightsAreNamed(t *testing.T) {
	served(t, func(t *testing.T, s *site) {
		m, o, user := s.clerk(t)
		if s.d == &mysql { // without any right he may not even name the schema
			s.do(t, "GRANT SELECT (ID) ON "+s.o.Schema+".S_DEPARTMENT TO "+user)
		}
		for round := 0; ; round++ {
			faults, _, err := Inspect(t.Context(), o, s.set())
			if err != nil {
				t.Fatal(err)
			}
			if len(faults) == 0 {
				break
			}
			if round == 4 {
				t.Fatalf("still: %v", faults)
			}
			for _, g := range grants(t, faults) {
				s.do(t, g)
			}
		}
		write(t, m, application("upper-case", "HA-1"))
		write(t, m, gateway.LocalRow{Service: "housing-aid", Number: "HA-1", State: gateway.Refused, At: at, Reason: gateway.Text{RU: "нет прав"},
			Issued: &gateway.Issued{Document: gateway.Document{Name: "a.xml", Content: []byte("<a/>")}}})
		if got, err := m.Statuses(t.Context(), "housing-aid", []string{"HA-1"}); err != nil || len(got) != 1 || got[0].Code != "04" {
			t.Errorf("%+v, %v", got, err)
		}
		if got, _, err := m.Changed(t.Context(), "housing-aid", "", 10); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// TestColumnRights: a right that is missing on some columns names them.
func TestColumnRights(t *testing.T) {
	served(t, func(t *testing.T, s *site) {
		_, o, user := s.clerk(t)
		table := s.name("T_APPLICATION")
		on := " ON " + s.o.Schema + "." + table + " TO " + user
		if s.d == &postgres {
			s.do(t, "GRANT USAGE ON SCHEMA "+s.o.Schema+" TO "+user)
		}
		for _, other := range []string{"S_DEPARTMENT", "S_RELATION", "T_APPL_MEMBER", "T_APPL_FILE"} {
			s.do(t, "GRANT SELECT, INSERT, UPDATE ON "+s.o.Schema+"."+s.name(other)+" TO "+user)
		}
		columns := func(names string) string {
			var all []string
			for n := range strings.SplitSeq(names, " ") {
				all = append(all, s.name(n))
			}
			return " (" + strings.Join(all, ", ") + ")"
		}
		s.do(t, "GRANT SELECT"+on)
		s.do(t, "GRANT INSERT"+columns("APPL_NO SRC_SYSTEM IS_DELETED CHANNEL IIN SURNAME BIRTH_DATE DEPT_ID ROOM_CNT AREA IS_CONSENT DT_RECEIVED DT_CHANGED STATUS_CODE")+on)
		s.do(t, "GRANT UPDATE"+columns("STATUS_CODE DT_CHANGED")+on)
		faults, _, err := Inspect(t.Context(), o, s.set())
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(grants(t, faults), "\n")
		for _, want := range []string{"INSERT (" + s.d.quote("GIVEN_NAME") + ")", "UPDATE (" + s.d.quote("REFUSE_REASON") + ", " + s.d.quote("RESULT_XML")} {
			if !strings.Contains(said, want) {
				t.Errorf("no %s in\n%s", want, said)
			}
		}
		for _, g := range grants(t, faults) {
			s.do(t, g)
		}
		if faults, _, err = Inspect(t.Context(), o, s.set()); err != nil || len(faults) > 0 {
			t.Errorf("%v %v", faults, err)
		}
	})
}

// TestRightsAreTakenAway: what lacks a right at run time waits for it.
func TestRightsAreTakenAway(t *testing.T) {
	served(t, func(t *testing.T, s *site) {
		m, _, user := s.clerk(t)
		if s.d == &postgres {
			s.do(t, "GRANT USAGE ON SCHEMA "+s.o.Schema+" TO "+user)
		}
		for _, table := range []string{"S_DEPARTMENT", "S_RELATION", "T_APPLICATION", "T_APPL_MEMBER", "T_APPL_FILE"} {
			s.do(t, "GRANT SELECT, INSERT, UPDATE ON "+s.o.Schema+"."+s.name(table)+" TO "+user)
		}
		on := " ON " + s.o.Schema + "." + s.name("T_APPLICATION")
		status := gateway.LocalRow{Service: "housing-aid", Number: "HA-1", State: gateway.InProgress, At: at.Add(time.Minute)}
		statuses := func() error {
			_, err := m.Statuses(t.Context(), "housing-aid", []string{"HA-1"})
			return err
		}
		for _, c := range []struct {
			right string
			do    func() error
		}{
			{"INSERT", func() error { return m.Write(t.Context(), application("upper-case", "HA-1")) }},
			{"UPDATE", func() error { return m.Write(t.Context(), status) }},
			{"SELECT", statuses},
		} {
			s.do(t, "REVOKE "+c.right+on+" FROM "+user)
			err := c.do()
			var se *gateway.SendError
			if classOf(err) != Denied || errors.As(err, &se) && se.Permanent {
				t.Errorf("without %s: %v", c.right, err)
			}
			s.do(t, "GRANT "+c.right+on+" TO "+user)
			if err := c.do(); err != nil {
				t.Errorf("with %s again: %v", c.right, err)
			}
		}
		if got := s.get(t, s.upper("SELECT count(*) FROM ~T_APPLICATION WHERE ~STATUS_CODE = '02'")); got != "1" {
			t.Errorf("%s rows", got)
		}
	})
}
