package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"kopir/gateway"
)

func TestOffices(t *testing.T) {
	b := setup(t)
	b.offices = func() []Office {
		return []Office{
			{ID: "a", Kind: "department", Name: gateway.Text{RU: "Отдел", KK: "Бөлім"}, Phones: []string{"261-08-40"}},
			{ID: "b", Kind: "service-centre", Name: gateway.Text{RU: "ЦОН", KK: "ХҚКО"}},
		}
	}
	for query, want := range map[string]string{"": "a b", "?kind=service-centre": "b", "?kind=none": ""} {
		w := b.call("GET /offices", b.request(Reader, "GET", "/offices"+query, ""))
		var got struct{ Offices []Office }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", query, w.Code, w.Body)
		}
		var ids []string
		for _, o := range got.Offices {
			ids = append(ids, o.ID)
		}
		if strings.Join(ids, " ") != want {
			t.Errorf("%s: %v", query, ids)
		}
	}
	if w := b.call("", b.request(Reader, "GET", "/offices?town=x", "")); w.Code != http.StatusBadRequest {
		t.Errorf("an unknown parameter: %d", w.Code)
	}
}
