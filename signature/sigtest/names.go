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

// allNames are those of the two kinds of authority: as the national ones, they
// say in their names with what they sign.
type allNames struct {
	RSA  authorityNames `yaml:"rsa"`
	GOST authorityNames `yaml:"gost"`
}

var names = sync.OnceValues(func() (allNames, error) {
	var n allNames
	if err := yaml.UnmarshalWithOptions(namesYAML, &n, yaml.Strict()); err != nil {
		return n, fmt.Errorf("sigtest: names.yaml: %w", err)
	}
	return n, nil
})
