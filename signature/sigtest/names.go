package sigtest

import (
	_ "embed"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed testdata/names.yaml
var namesYAML []byte

// authorityNames is what the authority and its services are called.
type authorityNames struct {
	Root         string `yaml:"root"`
	Issuing      string `yaml:"issuing"`
	Responder    string `yaml:"responder"`
	Organization string `yaml:"organization"`
}

var names = sync.OnceValue(func() authorityNames {
	var n authorityNames
	if err := yaml.UnmarshalWithOptions(namesYAML, &n, yaml.Strict()); err != nil {
		// An embedded file of this package: wrong only in a wrong build, which every test shows.
		panic("sigtest: names.yaml: " + err.Error())
	}
	return n
})
