package mio

import (
	"errors"
	"testing"

	"kopir/gateway"
)

// What repeats in the document goes into tables of its own, together with the
// row or not at all, and once however often it is written.
func TestGroupsWrittenOnce(t *testing.T) {
	m := open(t)
	r := gateway.LocalRow{
		Service: "karaganda-targeted-social-assistance", Number: "TA-1", State: gateway.Received, At: at,
		Fields: []gateway.Field{{Name: "applicant_iin", Column: "applicant_iin", Value: "900101300017"}},
		Groups: []gateway.GroupRow{
			{Group: "family", Number: 1, Fields: []gateway.Field{{Name: "surname", Column: "surname", Value: "ТЕСТОВА"}}},
			{Group: "family", Number: 2, Fields: []gateway.Field{{Name: "surname", Column: "surname", Value: "ПРОБОВА'); --"}}},
			{Group: "incomes", Number: 1, Fields: []gateway.Field{{Name: "amount", Column: "amount", Value: "85000.50"}}},
		},
	}
	write(t, m, r)
	write(t, m, r)
	for q, want := range map[string]string{
		"SELECT count(*) FROM social_assistance":                                          "1",
		"SELECT count(*) FROM social_assistance_family":                                   "2",
		"SELECT surname FROM social_assistance_family WHERE member_no = 2":                "ПРОБОВА'); --",
		"SELECT amount || application_no FROM social_assistance_income":                   "85000.50TA-1",
		"SELECT count(*) FROM social_assistance_family WHERE typeof(member_no)='integer'": "2",
	} {
		if got := m.ask(t, q); got != want {
			t.Errorf("%s: %s, want %s", q, got, want)
		}
	}
	for what, g := range map[string]gateway.GroupRow{
		"group": {Group: "friends", Number: 1},
		"field": {Group: "family", Number: 1, Fields: []gateway.Field{{Name: "age", Column: "age", Value: "5"}}},
	} {
		bad := r
		bad.Number, bad.Groups = "TA-2", append(r.Groups[:2:2], g)
		var e *gateway.SendError
		if err := m.Write(t.Context(), bad); !errors.As(err, &e) || !e.Permanent {
			t.Errorf("an unknown %s: %v", what, err)
		}
		if got := m.ask(t, "SELECT (SELECT count(*) FROM social_assistance WHERE application_no = 'TA-2') + (SELECT count(*) FROM social_assistance_family WHERE application_no = 'TA-2')"); got != "0" {
			t.Errorf("an unknown %s left %s rows behind", what, got)
		}
	}
}
