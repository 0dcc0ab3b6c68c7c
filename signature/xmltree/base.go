package xmltree

import (
	"bytes"
	"slices"
)

// uriParts are the components of RFC 3986 section 3; nil means absent. The
// fragment is dropped.
type uriParts struct {
	scheme, authority, path, query []byte
}

// splitURI follows RFC 3986 appendix B.
func splitURI(u []byte) (p uriParts) {
	if i := bytes.IndexByte(u, '#'); i >= 0 {
		u = u[:i]
	}
	if i := bytes.IndexByte(u, '?'); i >= 0 {
		u, p.query = u[:i], u[i+1:]
	}
	if hasScheme(u) {
		i := bytes.IndexByte(u, ':')
		p.scheme, u = u[:i], u[i+1:]
	}
	if bytes.HasPrefix(u, []byte("//")) {
		u = u[2:]
		i := bytes.IndexByte(u, '/')
		if i < 0 {
			i = len(u)
		}
		p.authority, u = u[:i:i], u[i:]
	}
	p.path = u
	return p
}

// joinReferences resolves the first reference against the second, the result
// against the third, and so on: join-URI-References of Canonical XML 1.1
// section 2.4, which is RFC 3986 section 5.2 for bases that may be relative,
// so that leading ".." segments stay. Each segment is touched once: a chain
// of bases costs no more than its length.
func joinReferences(fromInside [][]byte) []byte {
	u := splitURI(fromInside[0])
	path := pathOf(u.path)
	open := len(u.path) == 0 // the path is that of the base
	for _, outer := range fromInside[1:] {
		if u.scheme != nil {
			break
		}
		base := splitURI(outer)
		u.scheme = base.scheme
		if u.authority != nil {
			continue
		}
		u.authority = base.authority
		switch {
		case open:
			path = pathOf(base.path)
			if u.query == nil {
				u.query = base.query
			}
		case !path.rooted:
			path.under(directory(base))
		}
		open = path.isEmpty()
	}
	var out []byte
	if u.scheme != nil {
		out = append(append(out, u.scheme...), ':')
	}
	if u.authority != nil {
		out = append(append(out, "//"...), u.authority...)
	}
	out = path.append(out)
	if u.query != nil {
		out = append(append(out, '?'), u.query...)
	}
	return out
}

// directory is the path of base up to its last slash; one that ends in a dot
// segment names a directory.
func directory(base uriParts) path {
	if base.authority != nil && len(base.path) == 0 {
		return path{rooted: true}
	}
	p := pathOf(base.path)
	if len(p.reversed) > 0 {
		p.reversed = p.reversed[1:]
	}
	return p
}

// path is a path without dot segments but leading "..", and without empty
// segments but a last one, which stands for a slash at the end.
type path struct {
	rooted   bool
	ups      int      // leading ".." segments
	reversed [][]byte // the other segments, last first
}

func pathOf(raw []byte) (p path) {
	if len(raw) == 0 {
		return p
	}
	if raw[0] == '/' {
		p.rooted, raw = true, raw[1:]
	}
	for more := true; more; {
		var segment []byte
		segment, raw, more = bytes.Cut(raw, []byte("/"))
		switch string(segment) {
		case "..":
			if n := len(p.reversed); n > 0 {
				p.reversed = p.reversed[:n-1]
			} else if !p.rooted {
				p.ups++
			}
			segment = nil
		case ".":
			segment = nil
		}
		if len(segment) > 0 || !more {
			p.reversed = append(p.reversed, segment)
		}
	}
	slices.Reverse(p.reversed)
	return p
}

// under puts a relative path under the directory dir.
func (p *path) under(dir path) {
	for p.ups > 0 && len(dir.reversed) > 0 {
		dir.reversed = dir.reversed[1:]
		p.ups--
	}
	if dir.rooted {
		p.rooted, p.ups = true, 0
	}
	p.ups += dir.ups
	p.reversed = append(p.reversed, dir.reversed...)
}

func (p path) isEmpty() bool {
	return !p.rooted && p.ups == 0 && (len(p.reversed) == 0 || len(p.reversed) == 1 && len(p.reversed[0]) == 0)
}

func (p path) append(out []byte) []byte {
	if p.rooted {
		out = append(out, '/')
	}
	for range p.ups {
		out = append(out, "../"...)
	}
	for i := len(p.reversed) - 1; i >= 0; i-- {
		out = append(out, p.reversed[i]...)
		if i > 0 {
			out = append(out, '/')
		}
	}
	return out
}
