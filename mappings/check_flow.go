package mappings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

func (k *checker) numbering() {
	n := k.s.Numbering
	if !strings.Contains(n.Format, "{seq}") || n.Digits < 1 || n.Digits > 12 {
		k.fault("numbering.format", "bad-number-format", "value", n.Format)
	}
	for _, hole := range placeholders(n.Format) {
		if hole != "seq" && hole != "year" {
			k.fault("numbering.format", "bad-number-format", "value", n.Format)
		}
	}
	k.actor("numbering.owner", n.Owner)
	if n.Linked != "" {
		if _, ok := k.s.Field(n.Linked); !ok {
			k.fault("numbering.linked", "unknown-name", "what", "field", "value", n.Linked)
		}
	}
}

func (k *checker) actor(where, id string) {
	if _, ok := k.set.Actor(id); !ok {
		k.fault(where, "unknown-name", "what", "actor", "value", id)
	}
}

// neededStates are the rows without which an application could not move.
var neededStates = []string{Received, InProgress, Completed, Refused}

func (k *checker) statuses() {
	states, local, portal, csc := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, r := range k.s.Statuses {
		at := fmt.Sprintf("statuses[%d]", i)
		if !isState(r.State) {
			k.oneOf(at+".state", r.State, States()...)
		}
		k.repeated(states, at+".state", "state", r.State)
		k.repeated(local, at+".local", "local code", r.Local)
		k.repeated(portal, at+".portal", "portal code", r.Portal)
		k.repeated(csc, at+".csc", "csc code", r.CSC)
		for _, hole := range placeholders(r.Text.Ru) {
			if !slices.Contains(statusHoles, hole) {
				k.fault(at+".text", "unknown-placeholder", "value", hole, "known", strings.Join(statusHoles, ", "))
			}
		}
	}
	for _, s := range neededStates {
		if !states[s] {
			k.fault("statuses", "state-without-status", "value", s)
		}
	}
}

// limits checks what the acts leave open.
func (k *checker) limits() {
	for _, l := range []struct {
		name, state string
		limit       *Limit
	}{{"extension", Extended, k.s.Extension}, {"suspension", Suspended, k.s.Suspension}} {
		if l.limit == nil {
			continue
		}
		if l.limit.Times < 1 || l.limit.Longest.Unit != WorkingDays {
			k.fault(l.name, "bad-limit", "times", l.limit.Times, "longest", l.limit.Longest)
		}
		if _, ok := k.s.Status(l.state); !ok {
			k.fault(l.name, "state-without-status", "value", l.state)
		}
	}
}

// statusHoles are the placeholders of a status text.
var statusHoles = []string{"number", "reason", "due"}

func (k *checker) state(where, state string) {
	if _, ok := k.s.Status(state); !ok {
		k.fault(where, "state-without-status", "value", state)
	}
}

func (k *checker) ends() {
	ids, kinds := map[string]bool{}, map[string]bool{}
	for i, r := range k.s.Results {
		at := fmt.Sprintf("results[%d]", i)
		k.name(at+".id", r.ID)
		k.repeated(ids, at+".id", "id", r.ID)
		k.oneOf(at+".kind", r.Kind, "positive", "negative")
		kinds[r.Kind] = true
		k.state(at+".state", r.State)
		k.resultPaper(at, r)
	}
	k.foreign()
	if p := k.s.Pickup; p != nil && (p.Days < 1 || p.Days > 3650) {
		k.fault("pickup.days", "out-of-range", "value", p.Days, "min", 1, "max", 3650)
	}
	for _, kind := range []string{"positive", "negative"} {
		if !kinds[kind] {
			k.fault("results", "no-result", "value", kind)
		}
	}
	ids = map[string]bool{}
	for i, r := range k.s.Refusals {
		at := fmt.Sprintf("refusals[%d]", i)
		k.name(at+".id", r.ID)
		k.repeated(ids, at+".id", "id", r.ID)
	}
	k.registries()
	for i, s := range k.s.Questionnaire {
		k.state(fmt.Sprintf("questionnaire[%d]", i), s)
	}
	for i, n := range k.s.Notifications {
		at := fmt.Sprintf("notifications[%d]", i)
		k.channelNames(at+".channels", n.Channels)
		for j, s := range n.On {
			k.state(fmt.Sprintf("%s.on[%d]", at, j), s)
		}
		if n.When.Field != "" {
			if _, ok := k.s.Field(n.When.Field); !ok {
				k.fault(at+".when.field", "unknown-name", "what", "field", "value", n.When.Field)
			}
		}
		if n.Attach != "" {
			k.oneOf(at+".attach", n.Attach, "result")
		}
		for j, to := range n.To {
			where := fmt.Sprintf("%s.to[%d]", at, j)
			kind, direct := addressTypes[to]
			if direct {
				if f, ok := k.s.Field(n.Address); !ok || f.Type != kind {
					k.fault(at+".address", "bad-address", "value", n.Address)
				}
			}
			if !k.oneOf(where, to, "portal", "csc", "email", "mobile") || direct {
				continue
			}
			if _, ok := k.s.Shape(to); !ok {
				k.fault(where, "no-shape", "value", to)
			}
			for _, s := range n.On {
				if row, ok := k.s.Status(s); ok && row.Code(to) == "" {
					k.fault(where, "no-partner-code", "value", to, "state", s)
				}
			}
		}
	}
}

// addressTypes are the ways to the applicant himself, and the type of the
// field that holds his address.
var addressTypes = map[string]string{"email": "email", "mobile": "phone"}

func (k *checker) refusal(where, id string) {
	if !slices.ContainsFunc(k.s.Refusals, func(r Refusal) bool { return r.ID == id }) {
		k.fault(where, "unknown-name", "what", "refusal", "value", id)
	}
}

// checkNames are the checks a condition may list, as the regulations number them.
var checkNames = []string{"credentials-iin-password", "credentials-login-password-or-eds", "eds-iin-match", "eds-validity", "eds-not-revoked", "credentials-eds", "registry-person-present", "registry-poa-present", "documents-conformity"}

// Steps that are not made one after the other: a condition branches, by the
// condition of its number, and a refusal ends the way.
const (
	stepCondition = "condition"
	stepRefusal   = "refusal"
)

// stepKinds say what a step does.
var stepKinds = []string{
	stepCondition, stepRefusal, "user_registration", "authorisation", "authorisation_check", "form", "form_and_signing", "signing_and_routing",
	"resolution", "review", "covering_letter", "intake_review_issue", "decision_and_delivery", "notification",
	"intake", "signature_check", "registry_query", "routing", "numbering", "status_display", "acceptance", "decision",
	"document_creation", "document_signing", "status_inquiry", "delivery", "forwarding", "assignment", "registration",
}

func (k *checker) channels() {
	for _, c := range k.s.Channels {
		at := "channels." + c.ID
		if !slices.Contains([]string{"portal", "csc", "office", "akim"}, c.ID) {
			k.oneOf(at, c.ID, "portal", "csc", "office", "akim")
		}
		k.actor(at+".signed_by", c.SignedBy)
		if _, ok := k.s.Shape(c.ID); !ok && (c.ID == "portal" || c.ID == "csc") {
			k.fault(at, "no-shape", "value", c.ID) // such a partner awaits an answer
		}
		if c.SignsToo != "" {
			k.signer(at+".signs_too", c.SignsToo, c.ID)
		}
		if c.Signer != "" {
			k.signer(at+".signer", c.Signer, c.ID)
		} else if f, ok := k.s.Field(k.s.Request.Signer); ok && !f.In(c.ID) {
			k.fault(at, "bad-signer", "value", k.s.Request.Signer)
		}
		for i, cond := range c.Conditions {
			w := fmt.Sprintf("%s.conditions[%d]", at, i)
			k.actor(w+".actor", cond.Actor)
			k.refusal(w+".refusal", cond.Refusal)
			for j, name := range cond.Checks {
				k.oneOf(fmt.Sprintf("%s.checks[%d]", w, j), name, checkNames...)
			}
			if cond.No != i+1 {
				k.fault(w+".no", "condition-order", "value", cond.No, "want", i+1)
			}
			if cond.OnPass <= cond.Point || cond.OnFail <= cond.Point {
				k.fault(w, "condition-back", "value", cond.Point)
			}
		}
		k.steps(at, &c)
	}
	if len(k.s.Channels) == 0 {
		k.fault("channels", "no-channel")
	}
	k.work()
}

func (k *checker) steps(at string, c *Channel) {
	order, reached := States(), -1
	for i, s := range c.Steps {
		w := fmt.Sprintf("%s.steps[%d]", at, i)
		if s.No != i+1 {
			k.fault(w+".no", "step-order", "value", s.No, "want", i+1)
		}
		// A condition branches by its numbers, a refusal and the last step end.
		want := i + 2
		if i == len(c.Steps)-1 || s.Does == stepCondition || s.Does == stepRefusal {
			want = 0
		}
		if s.Next != want {
			k.fault(w+".next", "step-next", "value", s.Next, "no", s.No)
		}
		k.actor(w+".actor", s.Actor)
		for j, t := range s.Through {
			k.actor(fmt.Sprintf("%s.through[%d]", w, j), t)
		}
		k.oneOf(w+".does", s.Does, stepKinds...)
		if s.ShownIn != "" {
			k.actor(w+".shown_in", s.ShownIn)
		}
		a, _ := k.set.Actor(s.Actor)
		if s.Within.Working() && (a.ID == "" || a.Kind == "system") {
			k.fault(w+".within", "system-in-office-hours", "value", s.Within, "actor", s.Actor)
		}
		if !s.WarnBefore.IsZero() && (s.Within.IsZero() || s.WarnBefore.Working() != s.Within.Working()) {
			k.fault(w+".warn_before", "warn-without-term", "value", s.WarnBefore)
		}
		if s.LeadsTo == "" {
			continue
		}
		k.state(w+".leads_to", s.LeadsTo)
		if n := slices.Index(order, s.LeadsTo); n >= 0 && n <= reached {
			k.fault(w+".leads_to", "state-back", "value", s.LeadsTo)
		} else {
			reached = n
		}
	}
	if _, ok := c.Open(Received); !ok {
		k.fault(at+".steps", "no-open-step", "value", Received)
	}
	k.branches(at, c)
}

// branches checks conditions that stand among the steps: as many as there are
// conditions, each with its number, with ways on that lead to a refusal and
// past it. In other channels the points are those of a procedure that the
// steps do not repeat.
func (k *checker) branches(at string, c *Channel) {
	branching := 0
	for _, s := range c.Steps {
		if s.Does != stepCondition {
			continue
		}
		branching++
		if !slices.ContainsFunc(c.Conditions, func(x Condition) bool { return x.Point == s.No }) {
			k.fault(fmt.Sprintf("%s.steps[%d]", at, s.No-1), "step-condition", "value", s.No)
		}
	}
	if branching == 0 {
		return
	}
	for i, x := range c.Conditions {
		w := fmt.Sprintf("%s.conditions[%d]", at, i)
		if s, ok := c.Step(x.Point); !ok || s.Does != stepCondition {
			k.fault(w+".point", "step-condition", "value", x.Point)
		}
		if s, ok := c.Step(x.OnFail); !ok || s.Does != stepRefusal {
			k.fault(w+".on_fail", "unknown-step", "value", x.OnFail, "channel", c.ID)
		}
		if s, ok := c.Step(x.OnPass); !ok || s.Does == stepRefusal {
			k.fault(w+".on_pass", "unknown-step", "value", x.OnPass, "channel", c.ID)
		}
	}
}

// work checks the channels whose terms are those of another.
func (k *checker) work() {
	for _, c := range k.s.Channels {
		if c.Work == "" {
			continue
		}
		at := "channels." + c.ID
		if other, ok := k.s.Channel(c.Work); !ok || other.ID == c.ID || other.Work != "" {
			k.fault(at+".work", "unknown-name", "what", "channel with steps of its own", "value", c.Work)
		}
		for i, s := range c.Steps {
			if s.LeadsTo != "" {
				k.fault(fmt.Sprintf("%s.steps[%d].leads_to", at, i), "leads-elsewhere", "value", c.Work)
			}
		}
	}
}

func (k *checker) shapes() {
	for _, sh := range k.s.Notices {
		at := "notices." + sh.Partner
		k.oneOf(at, sh.Partner, "portal", "csc")
		k.data(at+".data", sh.Data)
		paths := map[string]bool{}
		for i, e := range sh.Elements {
			w := fmt.Sprintf("%s.elements[%d]", at, i)
			k.path(w+".path", e.Path, sh.Data)
			k.repeated(paths, w+".path", "path", e.Path)
			given := 0
			for _, is := range []bool{e.Value != "", e.Text != "", len(e.Codes) > 0} {
				if is {
					given++
				}
			}
			switch {
			case given != 1:
				k.fault(w, "element-value")
			case e.Value != "":
				k.oneOf(w+".value", e.Value, NoticeValues()...)
			}
			for j, state := range e.On {
				k.state(fmt.Sprintf("%s.on[%d]", w, j), state)
			}
			states := map[string]bool{}
			for j, c := range e.Codes {
				at := fmt.Sprintf("%s.codes[%d].state", w, j)
				k.state(at, c.State)
				k.repeated(states, at, "state", c.State)
			}
		}
	}
}

// texts checks every Text of the description: both languages, the same placeholders.
func (k *checker) texts() { k.walkTexts(reflect.ValueOf(*k.s), "") }

var textType = reflect.TypeFor[Text]()

func (k *checker) walkTexts(v reflect.Value, at string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			k.walkTexts(v.Elem(), at)
		}
	case reflect.Slice:
		for i := range v.Len() {
			item := fmt.Sprintf("%s[%d]", at, i)
			if v.Index(i).Kind() == reflect.Struct {
				if id := v.Index(i).FieldByName("ID"); at == "channels" && id.IsValid() {
					item = at + "." + id.String()
				}
			}
			k.walkTexts(v.Index(i), item)
		}
	case reflect.Struct:
		if v.Type() == textType {
			text := v.Interface().(Text)
			if code, names := differ(text); code != "" && !text.IsZero() {
				k.fault(at, code, "names", names)
			}
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				name, _, _ := keyTag(f)
				k.walkTexts(v.Field(i), join(at, name))
			}
		}
	}
}

// differ says what is wrong with a text: an empty language, or placeholders
// that are not the same in all.
func differ(t Text) (code, names string) {
	if strings.TrimSpace(t.Ru) == "" || strings.TrimSpace(t.Kk) == "" {
		return "empty-text", ""
	}
	want := placeholders(t.Ru)
	if kk := placeholders(t.Kk); !slices.Equal(want, kk) {
		return "placeholders", fmt.Sprintf("ru {%s}, kk {%s}", strings.Join(want, " "), strings.Join(kk, " "))
	}
	if t.En != "" && !slices.Equal(want, placeholders(t.En)) {
		return "placeholders", fmt.Sprintf("ru {%s}, en {%s}", strings.Join(want, " "), strings.Join(placeholders(t.En), " "))
	}
	return "", ""
}
