package mappings

import (
	"strings"
	"sync"
	"testing"
)

// A set is never changed after it is loaded, so tests share one.
var builtinOnce = sync.OnceValues(Builtin)

// builtinSet fails the test on any fault of the descriptions in the binary.
func builtinSet(t testing.TB) *Set {
	t.Helper()
	set, faults := builtinOnce()
	for _, f := range faults {
		t.Error(f.Error())
	}
	if len(faults) > 0 {
		t.FailNow()
	}
	return set
}

func TestBuiltin(t *testing.T) {
	set := builtinSet(t)
	s, ok := set.Service("almaty-unemployed-certificate")
	if !ok {
		t.Fatal("the first service is missing")
	}
	if by, ok := set.ByGateway("ALMATY_UNEMPLOYED_CERTIFICATE"); !ok || by != s {
		t.Error("the service is not found by its id at the gateway")
	}
	for channel, want := range map[string]int{"portal": 15, "csc": 15, "office": 12} {
		c, ok := s.Channel(channel)
		if !ok || len(c.Steps) != want {
			t.Errorf("%s: %d steps, want %d", channel, len(c.Steps), want)
		}
	}
	if got := s.SignerField("portal"); got != "applicant_iin" {
		t.Errorf("portal is signed by %s", got)
	}
	if got := s.SignerField("csc"); got != "operator_iin" {
		t.Errorf("csc is signed by %s", got)
	}
}

func TestOpenStep(t *testing.T) {
	s, _ := builtinSet(t).Service("almaty-unemployed-certificate")
	for _, c := range []struct {
		channel, state, term string
		no                   int
	}{
		{"portal", Held, "10wm", 5}, {"portal", Received, "10wm", 5}, {"portal", InProgress, "1wd", 6}, {"portal", Extended, "1wd", 6},
		{"csc", Received, "10wm", 5}, {"csc", InProgress, "3wd", 6},
		{"office", Received, "10wm", 5}, {"office", InProgress, "10wm", 5},
		{"portal", Completed, "", 0}, {"portal", Refused, "", 0},
	} {
		ch, _ := s.Channel(c.channel)
		step, ok := ch.Open(c.state)
		if step.No != c.no || step.Within.String() != c.term || ok != (c.no != 0) {
			t.Errorf("%s %s: step %d within %s, want %d within %s", c.channel, c.state, step.No, step.Within, c.no, c.term)
		}
	}
}

func TestRefusalText(t *testing.T) {
	s, _ := builtinSet(t).Service("almaty-unemployed-certificate")
	text, ok := s.Refusal("eds-not-confirmed", "csc", Text{})
	if !ok || !strings.HasSuffix(text.Ru, "в связи с не подтверждением подлинности ЭЦП оператора") || !strings.HasPrefix(text.Kk, "ХҚКО операторының ЭЦҚ") {
		t.Errorf("refusal of the service centre: %+v", text)
	}
	if text, _ = s.Refusal("reasoned-refusal", "portal", Text{Ru: "основание", Kk: "негіз"}); !strings.HasSuffix(text.Ru, "основание") || !strings.HasSuffix(text.Kk, "негіз") {
		t.Errorf("ground of a specialist: %+v", text)
	}
	if _, ok := s.Refusal("no-such", "portal", Text{}); ok {
		t.Error("an unknown refusal was found")
	}
}
