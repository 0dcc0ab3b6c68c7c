//go:build shared

package mappings

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// regulation is the part of regulations/services/*.yaml that is compared.
type regulation struct {
	ID       string
	Title    Text
	Results  []struct{ ID, Kind, Ru, Kk string }
	Channels []struct {
		ID    string
		Steps []struct {
			Number             int
			Kind, Actor        string
			Through            []string
			Action, Completion Text
			Deadline           *struct {
				Value    int
				UnitKind string `yaml:"unit_kind"`
			}
			Status *struct {
				ID      string
				ShownIn string `yaml:"shown_in"`
			}
			Next any // a number, or on_pass and on_fail of a condition
		}
		Conditions []struct {
			Step        int
			PerformedIn string `yaml:"performed_in"`
			Checks      []string
			OnPass      struct{ Step int } `yaml:"on_pass"`
			OnFail      struct {
				Step    int
				Refusal string
				Ground  Text
			} `yaml:"on_fail"`
		}
	}
	Registries []struct {
		ID, Channel string
		Step        int
	}
}

// readings are the cells in which a description follows the reading of a
// contradiction instead of the printed words: service/channel/step/cell. Each
// must really differ, or the list lies.
var readings = map[string]string{
	"almaty-unemployed-certificate/office/3/action.kk":     "C3",
	"almaty-unemployed-certificate/office/5/action.ru":     "a full stop that the table lost",
	"almaty-unemployed-certificate/office/5/action.kk":     "C6",
	"almaty-unemployed-certificate/office/6/completion.kk": "C22",
	"almaty-unemployed-certificate/office/7/action.kk":     "C57",
	"almaty-unemployed-certificate/office/10/action.kk":    "C10, C22",
	"almaty-unemployed-certificate/csc/1/action.ru":        "C51",
	"almaty-unemployed-certificate/csc/1/action.kk":        "C51",
	"almaty-unemployed-certificate/csc/3/action.kk":        "C3",
	"almaty-unemployed-certificate/csc/9/completion.kk":    "C23",
	"almaty-unemployed-certificate/csc/14/action.kk":       "C23",
	"almaty-unemployed-certificate/csc/14/completion.kk":   "C23",
	"almaty-unemployed-certificate/portal/1/action.kk":     "C10",
	"almaty-unemployed-certificate/portal/7/action.kk":     "C23",
	"almaty-unemployed-certificate/portal/7/completion.kk": "C23",
	"almaty-unemployed-certificate/portal/9/completion.kk": "order of words",
	"almaty-unemployed-certificate/portal/15/action.kk":    "C23",

	"almaty-home-taught-disabled-children-support/portal/1/action.ru":     "a full stop that the table lost",
	"almaty-home-taught-disabled-children-support/portal/1/action.kk":     "C10",
	"almaty-home-taught-disabled-children-support/portal/5/completion.ru": "C55",
	"almaty-home-taught-disabled-children-support/portal/5/completion.kk": "C55",
	"almaty-home-taught-disabled-children-support/office/2/action.kk":     "a slip of spelling",
	"almaty-home-taught-disabled-children-support/office/5/action.ru":     "C7",
	"almaty-home-taught-disabled-children-support/office/5/completion.kk": "C7",
	"almaty-job-seeker-registration/portal/condition 2/ground.kk":         "C38",
	"almaty-job-seeker-registration/portal/6/action.kk":                   "C37",
	"almaty-job-seeker-registration/portal/8/action.kk":                   "C38",
	"almaty-job-seeker-registration/csc/condition 1/ground.kk":            "C34",
	"almaty-job-seeker-registration/csc/1/action.kk":                      "C33",
	"almaty-job-seeker-registration/csc/3/action.ru":                      "C36",
	"almaty-job-seeker-registration/csc/3/action.kk":                      "C36",
	"almaty-job-seeker-registration/csc/4/action.kk":                      "C34",
	"almaty-job-seeker-registration/csc/5/action.kk":                      "C34",
	"almaty-job-seeker-registration/csc/6/action.kk":                      "C34",
	"almaty-job-seeker-registration/csc/7/action.kk":                      "C35",
	"almaty-job-seeker-registration/office/1/action.ru":                   "C40",
	"almaty-job-seeker-registration/office/4/action.kk":                   "C39",
	"almaty-employment-measures-referral/portal/condition 2/ground.kk":    "C38",
	"almaty-employment-measures-referral/portal/6/action.kk":              "C37",
	"almaty-employment-measures-referral/portal/8/action.kk":              "C38",
	"almaty-employment-measures-referral/portal/9/action.kk":              "C78",
	"almaty-unemployed-registration/office/2/action.kk":                   "C42",
	"almaty-unemployed-registration/office/4/action.kk":                   "C81",
	"almaty-employment-measures-referral/result 3":                        "C47",
	"almaty-employment-measures-referral/result 3/name.kk":                "C47",
	"almaty-job-seeker-registration/registries":                           "C34",
	"almaty-unemployed-registration/result 1/name.ru":                     "C43",
	"almaty-unemployed-registration/result 1/name.kk":                     "C43",
	"almaty-unemployed-registration/registries":                           "R182: not named",

	"karaganda-asp-recipient-certificate/portal/4/action.ru":            "C58",
	"karaganda-asp-recipient-certificate/portal/11/action.ru":           "C65",
	"karaganda-asp-recipient-certificate/csc/4/action.ru":               "a word that the text lost",
	"karaganda-asp-recipient-certificate/csc/11/action.ru":              "C65",
	"karaganda-rural-specialists-fuel-assistance/csc/11/action.ru":      "C65",
	"karaganda-rural-specialists-fuel-assistance/akim/7/completion.ru":  "a slip of spelling",
	"karaganda-employment-measures-referral/portal/4/action.ru":         "C58",
	"karaganda-employment-measures-referral/portal/7/action.ru":         "C58",
	"karaganda-employment-measures-referral/portal/10/action.ru":        "C58",
	"karaganda-job-seeker-registration/portal/4/action.ru":              "C58",
	"karaganda-job-seeker-registration/office/5/action.ru":              "a word that the text lost",
	"karaganda-special-social-services-home/office/3/action.ru":         "a space that the text lost",
	"karaganda-special-social-services-home/office/4/action.ru":         "a space that the text lost",
	"karaganda-special-social-services-home/office/5/action.ru":         "a space that the text lost",
	"karaganda-special-social-services-institutions/office/1/action.ru": "a space that the text lost",
	"karaganda-special-social-services-institutions/office/2/action.ru": "a space that the text lost",
	"karaganda-special-social-services-institutions/office/5/action.ru": "a space that the text lost",
	"karaganda-targeted-social-assistance/csc/4/action.ru":              "a word that the text lost",
	"karaganda-child-allowance-under-18/csc/4/action.ru":                "a word that the text lost",
	"karaganda-child-allowance-under-18/csc/11/action.ru":               "C65",
	"karaganda-unemployed-registration/result 0/name.ru":                "C66",
}

func sharedFolder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KOPIR_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no folder of facts at %s", dir)
	}
	return dir
}

// TestAgainstRegulations compares every step, actor, deadline, status, order,
// condition, refusal and registry of every service with the facts.
func TestAgainstRegulations(t *testing.T) {
	set := builtinSet(t)
	used := map[string]bool{}
	compared := 0
	for _, s := range set.Services() {
		src, err := os.ReadFile(filepath.Join(sharedFolder(t), "regulations", "services", s.ID+".yaml"))
		if err != nil {
			t.Error(err)
			continue
		}
		var r regulation
		if err := yaml.Unmarshal(src, &r); err != nil {
			t.Fatal(err)
		}
		c := comparison{t, s.ID, used, map[string]int{}}
		compared++
		c.text("title", s.Title, r.Title)
		for i, v := range r.Results {
			c.same(fmt.Sprint("result ", i), s.Results[i].ID+" "+s.Results[i].Kind, v.ID+" "+v.Kind)
			c.text(fmt.Sprint("result ", i, "/name"), Text{Ru: s.Results[i].Name.Ru, Kk: s.Results[i].Name.Kk}, Text{Ru: v.Ru, Kk: v.Kk})
		}
		if len(s.Channels) != len(r.Channels) || len(r.Channels) == 0 {
			t.Errorf("%s: %d channels, want %d", s.ID, len(s.Channels), len(r.Channels))
		}
		for _, rc := range r.Channels {
			ch, ok := s.Channel(rc.ID)
			if !ok {
				t.Errorf("%s has no channel %s", s.ID, rc.ID)
				continue
			}
			if len(ch.Steps) != len(rc.Steps) || len(ch.Conditions) != len(rc.Conditions) {
				t.Errorf("%s %s: %d steps and %d conditions, want %d and %d", s.ID, rc.ID, len(ch.Steps), len(ch.Conditions), len(rc.Steps), len(rc.Conditions))
				continue
			}
			for i, want := range rc.Steps {
				step := ch.Steps[i]
				at := fmt.Sprintf("%s/%d", rc.ID, want.Number)
				c.same(at+"/number", step.No, want.Number)
				c.same(at+"/does", step.Does, want.Kind)
				c.same(at+"/actor", step.Actor, want.Actor)
				c.same(at+"/through", fmt.Sprint(step.Through), fmt.Sprint(want.Through))
				next, _ := want.Next.(uint64)
				c.same(at+"/next", step.Next, int(next))
				c.text(at+"/action", step.Action, want.Action)
				c.text(at+"/completion", step.Completion, want.Completion)
				status, shown := "", ""
				if want.Status != nil {
					status, shown = want.Status.ID, want.Status.ShownIn
				}
				c.same(at+"/status", step.Status+" in "+step.ShownIn, status+" in "+shown)
				term := Term{}
				if want.Deadline != nil {
					actor, _ := set.Actor(want.Actor)
					term.N = want.Deadline.Value
					switch want.Deadline.UnitKind {
					case "minutes":
						// R172: minutes of people run in office hours, those of systems by the clock.
						term.Unit = Minutes
						if actor.People() {
							term.Unit = WorkingMinutes
						}
					case "working_hours":
						term.Unit = WorkingHours
					case "working_days":
						term.Unit = WorkingDays
					default:
						t.Errorf("%s: unit %s", at, want.Deadline.UnitKind)
					}
				}
				c.same(at+"/within", step.Within, term)
			}
			for i, want := range rc.Conditions {
				have := ch.Conditions[i]
				at := fmt.Sprintf("%s/condition %d", rc.ID, i+1)
				c.same(at, fmt.Sprint(have.Point, have.Actor, have.Checks, have.OnPass, have.OnFail, have.Refusal),
					fmt.Sprint(want.Step, want.PerformedIn, want.Checks, want.OnPass.Step, want.OnFail.Step, want.OnFail.Refusal))
				c.text(at+"/ground", have.Ground, want.OnFail.Ground)
			}
		}
		var have, want []string
		for _, v := range s.Registries {
			for _, ch := range v.Channels {
				have = append(have, fmt.Sprint(ch, " ", v.ID, " ", v.Step))
			}
		}
		for _, v := range r.Registries {
			want = append(want, fmt.Sprint(v.Channel, " ", v.ID, " ", v.Step))
		}
		t.Logf("%s: texts rendered by us, by language: %v", s.ID, c.rendered)
		slices.Sort(have)
		slices.Sort(want)
		c.same("registries", fmt.Sprint(have), fmt.Sprint(want))
	}
	all, err := filepath.Glob(filepath.Join(sharedFolder(t), "regulations", "services", "*.yaml"))
	if err != nil || compared != len(all) {
		t.Errorf("%d services compared of %d: %v", compared, len(all), err)
	}
	for cell := range readings {
		if !used[cell] {
			t.Errorf("%s is listed as a reading, but does not differ", cell)
		}
	}
}

type comparison struct {
	t       *testing.T
	service string
	used    map[string]bool
	// rendered counts the cells whose act has no text in a language.
	rendered map[string]int
}

func (c comparison) same(at string, have, want any) {
	c.t.Helper()
	if have == want {
		return
	}
	cell := c.service + "/" + at
	if _, ok := readings[cell]; ok {
		c.used[cell] = true
		return
	}
	c.t.Errorf("%s: %v, want %v", cell, have, want)
}

// text compares the languages that the act has; where it has none, the
// description holds a rendering, which is only ours.

func (c comparison) text(at string, have, want Text) {
	c.t.Helper()
	for _, l := range []struct{ lang, have, want string }{{"ru", have.Ru, want.Ru}, {"kk", have.Kk, want.Kk}, {"en", have.En, want.En}} {
		if l.have == "" && l.lang == "en" || strings.EqualFold(l.have, l.want) {
			continue // the tables begin cells in either case
		}
		if l.want == "" && l.have != "" && (want.Ru != "" || want.Kk != "") {
			c.rendered[l.lang]++
			continue
		}
		cell := c.service + "/" + at + "." + l.lang
		if _, ok := readings[cell]; ok {
			c.used[cell] = true
			continue
		}
		c.t.Errorf("%s: %q, want %q", cell, l.have, l.want)
	}
}

// TestOfficesAgainstRegulations: every listed office with its names, address and phones.
func TestOfficesAgainstRegulations(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(sharedFolder(t), "regulations", "offices.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var facts struct {
		Departments []struct {
			ID, Kind string
			Listings []struct {
				Name, Address Text
				Email         string
			}
		}
		ServiceCentres []struct {
			ID      string
			Address Text
		} `yaml:"service_centres"`
	}
	if err := yaml.Unmarshal(src, &facts); err != nil {
		t.Fatal(err)
	}
	offices := builtinSet(t).Offices
	listed := 0
	for _, o := range offices.All() {
		// Those that the acts only name have no address.
		if !o.Address.IsZero() {
			listed++
		}
	}
	if want := len(facts.Departments) + len(facts.ServiceCentres); listed != want || want < 16 {
		t.Errorf("%d offices, want %d", listed, want)
	}
	for _, d := range facts.Departments {
		o, ok := offices.Office(d.ID)
		l := d.Listings[0]
		if !ok || o.Kind != d.Kind || o.Name.Ru != l.Name.Ru || o.Name.Kk != l.Name.Kk || o.Address.Ru != l.Address.Ru || o.Address.Kk != l.Address.Kk || o.Email != l.Email {
			t.Errorf("%s: %+v, want %+v", d.ID, o, l)
		}
	}
	for _, d := range facts.ServiceCentres {
		if o, ok := offices.Office(d.ID); !ok || o.Kind != "service-centre" || o.Address.Ru != d.Address.Ru || o.Address.Kk != d.Address.Kk {
			t.Errorf("%s: %+v", d.ID, o)
		}
	}
}

// No act sends a question to the register of legal entities: it is named in the
// Kazakh text of one only, where the Russian one has that of persons (C34). So
// no built-in service asks it, and an akimat's own shows that it can be asked.
func TestNoActAsksAboutLegalEntities(t *testing.T) {
	texts, err := filepath.Glob(filepath.Join(sharedFolder(t), "regulations", "texts", "*.txt"))
	if err != nil || len(texts) != 5 {
		t.Fatalf("%d texts, %v", len(texts), err)
	}
	for _, file := range texts {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"ГБД ЮЛ", "база данных юридических лиц", "базы данных юридических лиц"} {
			if strings.Contains(string(src), name) {
				t.Errorf("%s names %s", filepath.Base(file), name)
			}
		}
		if n := strings.Count(string(src), "ЗТ ММБ"); n > 0 && (!strings.HasPrefix(filepath.Base(file), "002_") || !strings.Contains(string(src), "ГБД ФЛ")) {
			t.Errorf("%s names ЗТ ММБ %d times", filepath.Base(file), n)
		}
	}
	for _, s := range builtinSet(t).Services() {
		for _, u := range s.Registries {
			if u.ID == Entities {
				t.Errorf("%s asks about a legal entity", s.ID)
			}
		}
	}
}
