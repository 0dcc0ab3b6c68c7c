package xmltree

import "bytes"

// reference parts of RFC 3986 section 3; nil means absent.
type uriParts struct {
	scheme, authority, path, query []byte
}

// splitURI follows RFC 3986 appendix B. The fragment is dropped.
func splitURI(u []byte) (p uriParts) {
	if i := bytes.IndexByte(u, '#'); i >= 0 {
		u = u[:i]
	}
	if i := bytes.IndexByte(u, '?'); i >= 0 {
		u, p.query = u[:i], u[i+1:]
	}
	if i := bytes.IndexByte(u, ':'); i > 0 && hasScheme(u) {
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

// joinReferences resolves ref against base: join-URI-References of Canonical
// XML 1.1 section 2.4, which is RFC 3986 section 5.2 for a base that may be
// relative, so that leading ".." segments stay.
func joinReferences(base, ref []byte) []byte {
	r := splitURI(ref)
	if r.scheme != nil {
		r.path = removeDots(r.path)
		return r.join()
	}
	b := splitURI(base)
	switch {
	case r.authority != nil:
		r.path = removeDots(r.path)
	case len(r.path) == 0:
		r.path = removeDots(b.path)
		if r.query == nil {
			r.query = b.query
		}
		r.authority = b.authority
	case r.path[0] == '/':
		r.path = removeDots(r.path)
		r.authority = b.authority
	default:
		r.path = removeDots(merge(b, r.path))
		r.authority = b.authority
	}
	r.scheme = b.scheme
	return r.join()
}

// merge is RFC 3986 section 5.2.3; a base that ends in a dot segment names a
// directory.
func merge(base uriParts, path []byte) []byte {
	if base.authority != nil && len(base.path) == 0 {
		return append([]byte{'/'}, path...)
	}
	dir := base.path
	last := dir[bytes.LastIndexByte(dir, '/')+1:]
	if string(last) == ".." || string(last) == "." {
		dir = append(bytes.Clone(dir), '/')
	} else {
		dir = dir[:len(dir)-len(last)]
	}
	return append(bytes.Clone(dir), path...)
}

// removeDots resolves "." and ".." segments and empty ones between slashes;
// ".." segments for which a relative path has nothing to remove stay in front.
func removeDots(path []byte) []byte {
	rooted := len(path) > 0 && path[0] == '/'
	var out [][]byte
	segments := bytes.Split(path, []byte("/"))
	if rooted {
		segments = segments[1:]
	}
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case string(s) == ".":
			if last {
				out = append(out, nil)
			}
		case string(s) == "..":
			switch {
			case len(out) > 0 && string(out[len(out)-1]) != "..":
				out = out[:len(out)-1]
				if last && len(out) > 0 || last && rooted {
					out = append(out, nil)
				}
			case rooted:
				if last {
					out = append(out, nil)
				}
			default:
				out = append(out, s)
				if last {
					out = append(out, nil)
				}
			}
		case len(s) == 0 && !last:
		default:
			out = append(out, s)
		}
	}
	joined := bytes.Join(out, []byte("/"))
	if rooted {
		joined = append([]byte{'/'}, joined...)
	}
	return joined
}

func (p uriParts) join() []byte {
	var out []byte
	if p.scheme != nil {
		out = append(append(out, p.scheme...), ':')
	}
	if p.authority != nil {
		out = append(append(out, "//"...), p.authority...)
	}
	out = append(out, p.path...)
	if p.query != nil {
		out = append(append(out, '?'), p.query...)
	}
	return out
}
