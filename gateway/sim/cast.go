package sim

import (
	_ "embed"
	"fmt"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"kopir/signature/sigtest"
)

//go:embed testdata/cast.yaml
var castYAML []byte

// castFile is testdata/cast.yaml.
type castFile struct {
	Organizations map[string]organization `yaml:"organizations"`
	Systems       []castSystem            `yaml:"systems"`
	District      string                  `yaml:"district"`
	People        []Person                `yaml:"people"`
	Powers        []Power                 `yaml:"powers"`
}

type organization struct {
	BIN  string `yaml:"bin"`
	Name string `yaml:"name"`
}

type castSystem struct {
	Key          string   `yaml:"key"`
	Sender       string   `yaml:"sender"`
	Password     string   `yaml:"password"`
	Organization string   `yaml:"organization"`
	Name         string   `yaml:"name"`
	Services     []string `yaml:"services"`
}

// Person is somebody with a certificate of the simulator's authority.
type Person struct {
	Key          string `yaml:"key" json:"key"`
	Kind         string `yaml:"kind" json:"kind"` // person, employee, signatory, head
	IIN          string `yaml:"iin" json:"iin"`
	BIN          string `yaml:"-" json:"bin,omitempty"`
	Organization string `yaml:"organization" json:"organization,omitempty"`
	Surname      string `yaml:"surname" json:"surname"`
	GivenName    string `yaml:"given_name" json:"given_name"`
	Patronymic   string `yaml:"patronymic" json:"patronymic,omitempty"`
	Email        string `yaml:"email" json:"email,omitempty"`
	District     string `yaml:"district" json:"district,omitempty"`
	Born         string `yaml:"born" json:"born,omitempty"` // 2006-01-02
	Registry     string `yaml:"registry" json:"registry,omitempty"`
	Consent      string `yaml:"consent" json:"consent,omitempty"` // to the access to personal data: given (also when empty), pending, refused, expired
}

var cast = sync.OnceValues(func() (castFile, error) {
	var c castFile
	if err := yaml.UnmarshalWithOptions(castYAML, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("sim: cast.yaml: %w", err)
	}
	return c, nil
})

var personKinds = map[string]sigtest.Kind{
	"person": sigtest.Person, "employee": sigtest.Employee, "signatory": sigtest.Signatory, "head": sigtest.Head,
}

// profile is the certificate that a person gets, valid from the authority's day on.
func (p Person) profile(usage sigtest.Usage) (sigtest.Profile, error) {
	kind, ok := personKinds[p.Kind]
	if !ok {
		return sigtest.Profile{}, fmt.Errorf("sim: person %s: kind %q is none of person, employee, signatory, head", p.Key, p.Kind)
	}
	if kind != sigtest.Person && p.BIN == "" {
		return sigtest.Profile{}, fmt.Errorf("sim: person %s: kind %s needs an organization with a BIN", p.Key, p.Kind)
	}
	return sigtest.Profile{
		Kind: kind, Usage: usage, IIN: p.IIN, BIN: p.BIN, Organization: p.Organization,
		Surname: p.Surname, GivenName: p.GivenName, Patronymic: p.Patronymic, Email: p.Email,
	}, nil
}

// born derives a date of birth from an IIN, for people who bring none: the
// century by the seventh digit. Empty where the digits are no date.
func born(iin string) string {
	if len(iin) < 7 {
		return ""
	}
	century := map[byte]string{'1': "18", '2': "18", '3': "19", '4': "19", '5': "20", '6': "20"}[iin[6]]
	date := century + iin[:2] + "-" + iin[2:4] + "-" + iin[4:6]
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return ""
	}
	return date
}
