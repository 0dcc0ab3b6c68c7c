package mappings

import (
	"embed"
	_ "time/tzdata" // deadlines are in Almaty time wherever the binary runs
)

//go:embed *.yaml shared/*.yaml
var builtin embed.FS
