package xmltree

// Document is a parsed document: a read-only tree in a few slices, over the
// bytes it was read from. Nodes lie in document order, so that the
// descendants of a node are the nodes between it and its end.
type Document struct {
	src   []byte // UTF-8
	start int    // behind the byte order mark
	wide  wide

	nodes    []node
	attrs    []attribute
	bindings []binding
	prefixes names
	uris     names
	root     int32

	idValues names
	ids      []identifier // by number of the value

	// First room for the slices above, so that a small message needs few
	// allocations.
	attrRoom    [24]attribute
	bindingRoom [14]binding
	prefixRoom  [12][]byte
	uriRoom     [12][]byte
	idRoom      [8]identifier
	idNameRoom  [8][]byte
}

// node is one node of any kind, 36 bytes.
type node struct {
	start, stop uint32 // element: its qualified name; text, comment: the raw content; PI: target to end of data
	parent      int32  // index, or none
	end         int32  // index behind the last descendant
	bind        int32  // element: the binding of its prefix; PI: offset of its data
	attr        uint32 // first attribute; those of an element lie together, in canonical order
	decl        uint32 // first namespace declaration; they lie together, ordered by prefix
	nattr       uint16
	ndecl       uint16
	plen        uint16 // element: length of the prefix; PI: length of the target
	kind        Kind
	flags       flags
}

// none is no node and no binding.
const none int32 = -1

type flags uint8

const (
	coded    flags = 1 << iota // the value differs from the raw bytes
	escaped                    // the canonical form differs from the raw bytes
	verbatim                   // a CDATA section
)

// attribute is one attribute that is not a namespace declaration.
type attribute struct {
	name, value uint32 // offsets of the qualified name and of the raw value
	vlen        uint32
	bind        int32 // the binding of its prefix; noBinding without one
	nlen, plen  uint16
	flags       flags
}

// binding is one namespace declaration.
type binding struct {
	prefix int32 // in Document.prefixes
	uri    int32 // in Document.uris
	outer  int32 // the binding of the same prefix that this one hides, or none
	at     uint32
	idle   bool // declares what is in scope already
}

// The names and bindings that every document begins with.
const (
	noPrefix  int32 = 0
	xmlPrefix int32 = 1

	noURI    int32 = 0
	xmlURI   int32 = 1
	xmlnsURI int32 = 2

	noBinding  int32 = 0 // the default namespace before any declaration
	xmlBinding int32 = 1
)

// The namespaces that the standards reserve.
const (
	XMLNamespace   = "http://www.w3.org/XML/1998/namespace"
	XMLNSNamespace = "http://www.w3.org/2000/xmlns/"
)

var (
	emptyName  = []byte{}
	xmlName    = []byte("xml")
	xmlURIName = []byte(XMLNamespace)
	xmlnsURIs  = []byte(XMLNSNamespace)
)

func (d *Document) init() {
	d.root = none
	d.attrs = d.attrRoom[:0]
	d.bindings = append(d.bindingRoom[:0],
		binding{prefix: noPrefix, uri: noURI, outer: none},
		binding{prefix: xmlPrefix, uri: xmlURI, outer: none})
	d.prefixes.list = append(d.prefixRoom[:0], emptyName, xmlName)
	d.uris.list = append(d.uriRoom[:0], emptyName, xmlURIName, xmlnsURIs)
	d.ids, d.idValues.list = d.idRoom[:0], d.idNameRoom[:0]
}

// Root is the document's one element that has no parent.
func (d *Document) Root() Node { return Node{d, d.root} }

// Source is the bytes that the tree refers to: those given to Parse, or their
// UTF-8 form if they came in UTF-16. They must not be changed.
func (d *Document) Source() []byte { return d.src[:len(d.src):len(d.src)] }
