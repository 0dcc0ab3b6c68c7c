package sim

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed testdata/registry.yaml
var registryYAML []byte

// word is a name in two languages.
type word struct {
	RU string `yaml:"ru"`
	KK string `yaml:"kk"`
}

type registryNames struct {
	Found      word `yaml:"found"`
	NoData     word `yaml:"no_data"`
	NoConsent  word `yaml:"no_consent"`
	Registered word `yaml:"registered"`
	Notary     word `yaml:"notary"`
	Error      word `yaml:"error"`
	Country    word `yaml:"country"`
	Alive      word `yaml:"alive"`
}

var registryWords = sync.OnceValues(func() (registryNames, error) {
	var n registryNames
	if err := yaml.UnmarshalWithOptions(registryYAML, &n, yaml.Strict()); err != nil {
		return n, fmt.Errorf("sim: registry.yaml: %w", err)
	}
	return n, nil
})
