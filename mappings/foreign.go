package mappings

import (
	"fmt"
	"strings"

	"kopir/signature/xmltree"
)

// ForeignResult finds the shape of a result document of the akimat's own
// system by its root.
func (s *Service) ForeignResult(root xmltree.Node) (Foreign, bool) {
	for _, f := range s.Foreign {
		if root.Is(f.Root.NS, f.Root.Name) {
			return f, true
		}
	}
	return Foreign{}, false
}

// ForeignValues are what a foreign result says of its application.
type ForeignValues struct{ Number, Applicant, Result string }

// Read takes the values from their paths. A path that is not there, or there
// twice, is an error that names it.
func (f Foreign) Read(root xmltree.Node) (v ForeignValues, err error) {
	d := Data{Namespaces: f.Namespaces}
	for _, one := range []struct {
		path string
		at   *string
	}{{f.Number, &v.Number}, {f.Applicant, &v.Applicant}, {f.Result, &v.Result}} {
		if one.path == "" {
			continue
		}
		n := root
		for seg := range strings.SplitSeq(one.path, "/") {
			space, local := d.resolve(seg)
			next, found, err := n.Child(space, local)
			if err != nil {
				return v, fmt.Errorf("mappings: result: %w", err)
			}
			if !found {
				return v, fmt.Errorf("mappings: the result has no element %s", one.path)
			}
			n = next
		}
		*one.at = strings.TrimSpace(n.Text())
	}
	return v, nil
}
