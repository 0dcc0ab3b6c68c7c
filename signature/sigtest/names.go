package sigtest

import (
	_ "embed"
	"fmt"
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

var names = sync.OnceValues(func() (authorityNames, error) {
	var n authorityNames
	if err := yaml.UnmarshalWithOptions(namesYAML, &n, yaml.Strict()); err != nil {
		return n, fmt.Errorf("sigtest: names.yaml: %w", err)
	}
	return n, nil
})
