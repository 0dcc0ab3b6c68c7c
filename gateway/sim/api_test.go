package sim

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestEverythingIsDocumented: no word of the control interface without its
// place in api.md.
func TestEverythingIsDocumented(t *testing.T) {
	s := newStage(t, nil)
	text := s.ask("GET", "/sim/", "", http.StatusOK, nil)
	var words []string
	var collect func(reflect.Type)
	collect = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				words = append(words, name)
			} else if f.Anonymous {
				collect(f.Type)
			}
		}
	}
	for _, v := range []any{Trouble{}, Tweaks{}, Case{}, Notice{}, Result{}, order{}, Person{}, Power{}, Bridge{}, KeyUse{}, AuthorityAddress{}, Certificate{}, Login{}, Offer{}, Opening{}} {
		collect(reflect.TypeOf(v))
	}
	for _, p := range Parts() {
		words = append(words, string(p))
		if err := s.SetTrouble(p, Trouble{Down: true}); err != nil {
			t.Error(err)
		}
	}
	s.calm()
	c, err := cast()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.People {
		words = append(words, p.Key)
	}
	for _, m := range c.Systems {
		words = append(append(words, m.Key), m.Services...)
	}
	for word := range reasons {
		words = append(words, word)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("api.md does not mention %s", w)
		}
	}
	s.ask("GET", "/sim/nothing", "", http.StatusNotFound, nil)
	s.ask("GET", "/sim/portal/applications?colour=red", "", http.StatusBadRequest, nil)
	s.ask("GET", "/sim/portal/applications?wait=1h", "", http.StatusBadRequest, nil)
	s.ask("GET", "/sim/csc/applications/none", "", http.StatusNotFound, nil)
	s.ask("POST", "/sim/people", `{"key":"citizen","iin":"1","surname":"a","given_name":"b"}`, http.StatusConflict, nil)
	s.ask("POST", "/sim/people", `{"key":"new","kind":"robot","iin":"1","surname":"a","given_name":"b"}`, http.StatusConflict, nil)
	s.ask("POST", "/sim/people", `{"key":"new","kind":"employee","iin":"820404300087","bin":"010540000009","organization":"X","surname":"a","given_name":"b"}`, http.StatusCreated, nil)
	if p, _ := s.Person("new"); p.Born != "1982-04-04" || p.District == "" || p.Organization != "X" {
		t.Errorf("%+v", p)
	}
	s.ask("POST", "/sim/people/new/sign", "no xml", http.StatusUnprocessableEntity, nil)
	s.ask("GET", "/sim/certificates/noone", "", http.StatusNotFound, nil)
	s.ask("POST", "/sim/certificates/new/release", "", http.StatusUnprocessableEntity, nil)
}
