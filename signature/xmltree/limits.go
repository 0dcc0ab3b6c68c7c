package xmltree

import "math"

// Limits bound what Parse takes. A zero field means the default of that field.
type Limits struct {
	Bytes      int // of the input as it came
	Depth      int // of nested elements
	Nodes      int // elements, texts, comments, processing instructions together
	Attributes int // of one element, namespace declarations included
	NameLength int // bytes of one qualified name
}

// The default limits, each with its reason.
const (
	// DefaultBytes: an attachment of 20 MB is 27 MB in Base64, and 36 MB when
	// a document that carries it in Base64 is itself carried in Base64. More
	// is filling memory.
	DefaultBytes = 48 << 20
	// DefaultDepth: the deepest known message has 30 levels; libxml2 stops at
	// 256. Our cost does not depend on depth, but programs that get the
	// message after us recurse.
	DefaultDepth = 1000
	// DefaultNodes: a registry's answer of 10 MB has some 200,000 elements,
	// thus 600,000 nodes with the white space. A node costs 36 bytes.
	DefaultNodes = 2_000_000
	// DefaultAttributes: the richest known element has 30. Sorting is cheap
	// here, but others are quadratic.
	DefaultAttributes = 10_000
	// DefaultNameLength: the longest known name has 80 bytes.
	DefaultNameLength = 4096
)

// Hard bounds: what the fields of a node can hold.
const (
	maxBytes      = math.MaxInt32 / 2 // UTF-16 grows by half when it becomes UTF-8
	maxDepth      = math.MaxInt32
	maxNodes      = math.MaxInt32 - 1
	maxAttributes = math.MaxUint16
	maxNameLength = math.MaxUint16
)

// DefaultLimits lets every honest message through, with a 20 MB attachment.
func DefaultLimits() Limits {
	return Limits{}.orDefault()
}

func (l Limits) orDefault() Limits {
	pick := func(v, standard, most int) int {
		if v <= 0 {
			v = standard
		}
		return min(v, most)
	}
	return Limits{
		Bytes:      pick(l.Bytes, DefaultBytes, maxBytes),
		Depth:      pick(l.Depth, DefaultDepth, maxDepth),
		Nodes:      pick(l.Nodes, DefaultNodes, maxNodes),
		Attributes: pick(l.Attributes, DefaultAttributes, maxAttributes),
		NameLength: pick(l.NameLength, DefaultNameLength, maxNameLength),
	}
}
