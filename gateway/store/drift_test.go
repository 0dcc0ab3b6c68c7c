package store

import (
	"testing"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

func driftsCounted(t *testing.T, s *Store) {
	at := func(path string, hours int, message string) gateway.Drift {
		return gateway.Drift{Service: "svc", Partner: "PEP", Kind: mappings.DriftElement, Path: path, LastAt: t0.Add(time.Duration(hours) * time.Hour), Message: message}
	}
	commit(t, s, gateway.Change{Drifts: []gateway.Drift{at("a", 0, "m-1"), at("b", 0, "m-1")}})
	commit(t, s, gateway.Change{Drifts: []gateway.Drift{at("a", 2, "m-2")}})
	got, err := s.Drifts(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("%v %+v", err, got)
	}
	if a := got[0]; a.Path != "a" || a.Times != 2 || !a.FirstAt.Equal(t0) || !a.LastAt.Equal(t0.Add(2*time.Hour)) || a.Message != "m-1" || a.Kind != mappings.DriftElement {
		t.Errorf("%+v", a)
	}
	if got[1].Times != 1 {
		t.Errorf("%+v", got[1])
	}
}
