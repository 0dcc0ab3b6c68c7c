package sim

import (
	"embed"
	"io/fs"

	"kopir/mappings"
)

//go:embed testdata/akimat/*.yaml
var ownFiles embed.FS

// OwnServices are the descriptions of an akimat's own services that are played
// beside the built-in ones, to lie in a folder of their own.
func OwnServices() fs.FS {
	own, err := fs.Sub(ownFiles, "testdata/akimat")
	if err != nil {
		panic(err) // the path is a constant
	}
	return own
}

// Services are the built-in descriptions and the akimat's own.
func Services() (*mappings.Set, []mappings.Fault) { return mappings.Load(OwnServices()) }
