package signature

import (
	"strings"
	"time"

	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// stampNode is a wsu:Timestamp and where it stands.
type stampNode struct {
	Timestamp
	node xmltree.Node
}

// readTimestamp reads wsu:Timestamp (SOAP Message Security section 10): at
// most one Created, at most one Expires, in this order, with a time zone.
func readTimestamp(n xmltree.Node) (*stampNode, *verdict.Check) {
	t := &stampNode{node: n}
	step := 0
	for c := range n.Elements() {
		at := &t.Created
		switch {
		case step == 0 && c.Is(nsWSU, "Created"):
			step = 1
		case step <= 1 && c.Is(nsWSU, "Expires"):
			at, step = &t.Expires, 2
		default:
			return nil, malformed(c, "Timestamp must hold one Created and then at most one Expires")
		}
		value, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(c.Text()))
		if err != nil || c.HasElements() {
			return nil, malformed(c, "not a time with a time zone, as 2026-11-25T06:00:00Z")
		}
		*at = value.UTC()
	}
	return t, nil
}
