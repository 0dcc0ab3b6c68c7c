package mappings

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"

	"kopir/signature/xmltree"
)

// Attachment is one enclosed document. Type is what its first bytes say.
type Attachment struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	SHA256  string `json:"sha256"` // of Content, in hexadecimal
	Content []byte `json:"-"`
}

// media tells a type from the first bytes; a claim in the document or a file
// name proves nothing.
type media struct {
	name   string
	starts []string
}

var medias = []media{
	{"application/pdf", []string{"%PDF-"}},
	{"image/jpeg", []string{"\xff\xd8\xff"}},
	{"image/png", []string{"\x89PNG\r\n\x1a\n"}},
	{"image/tiff", []string{"II*\x00", "MM\x00*"}},
}

func knownMedia(name string) bool {
	return slices.ContainsFunc(medias, func(m media) bool { return m.name == name })
}

func mediaOf(content []byte) string {
	for _, m := range medias {
		for _, s := range m.starts {
			if bytes.HasPrefix(content, []byte(s)) {
				return m.name
			}
		}
	}
	return ""
}

// In says whether the kind belongs to a channel.
func (a *AttachmentKind) In(channel string) bool {
	return len(a.Channels) == 0 || slices.Contains(a.Channels, channel)
}

// MediaType tells the type of a file from its first bytes: one of those that an
// attachment may have, or empty.
func MediaType(content []byte) string { return mediaOf(content) }

// Parts names the children of an attachment element as the partner has them,
// with prefix; those that are not named do not come. Content . is the element
// itself.
type Parts struct {
	Name    string `yaml:"name"`
	Type    string `yaml:"type"`
	SHA256  string `yaml:"sha256"`
	Content string `yaml:"content,required"`
}

// attachmentRoles are what the children of an attachment element can be.
var attachmentRoles = []string{"name", "type", "sha256", "content"}

// part is the name of a child in the document, with prefix; empty: there is none.
func (a *AttachmentKind) part(role string) string {
	if p := a.Parts; p != nil {
		return map[string]string{"name": p.Name, "type": p.Type, "sha256": p.SHA256, "content": p.Content}[role]
	}
	// The names of ours, in the namespace of the element.
	if prefix, _, ok := strings.Cut(a.Path[strings.LastIndexByte(a.Path, '/')+1:], ":"); ok {
		return prefix + ":" + role
	}
	return role
}

// role finds what a child of the element is.
func (a *AttachmentKind) role(d Data, child xmltree.Node) (string, bool) {
	for _, role := range attachmentRoles {
		if name := a.part(role); name != "" && name != "." {
			if space, local := d.resolve(name); child.Is(space, local) {
				return role, true
			}
		}
	}
	return "", false
}

func (r *reader) attachment(e xmltree.Node, b *branch) {
	kind := &r.s.Request.Attachments[b.attachment]
	r.files[b.attachment]++
	if n := r.files[b.attachment]; n > max(kind.MaxCount, 1) {
		if n == max(kind.MaxCount, 1)+1 {
			r.file(kind, "attachment-count")
		}
		return
	}
	parts := map[string][]byte{}
	if kind.part("content") == "." {
		if e.HasElements() {
			r.file(kind, "has-elements")
			return
		}
		parts["content"] = e.TextBytes()
	}
	for c := range e.Elements() {
		role, ok := kind.role(r.s.Request.Data, c)
		if !ok {
			r.unknown(b.path+"/"+c.Local(), c)
			continue
		}
		if _, twice := parts[role]; twice {
			r.file(kind, "repeated")
			return
		}
		if c.HasElements() {
			r.file(kind, "has-elements")
			return
		}
		parts[role] = c.TextBytes()
	}
	if a, broken := readAttachment(kind, parts); broken != "" {
		r.file(kind, broken)
	} else {
		r.out.Attachments = append(r.out.Attachments, a)
	}
}

func readAttachment(kind *AttachmentKind, parts map[string][]byte) (Attachment, string) {
	a := Attachment{Kind: kind.Name, Name: string(bytes.TrimSpace(parts["name"]))}
	if kind.part("name") == "" {
		a.Name = kind.Name // the document gives it none
	}
	if a.Name == "" || len(a.Name) > 255 || strings.ContainsAny(a.Name, `/\`) || a.Name == "." || a.Name == ".." ||
		strings.ContainsFunc(a.Name, unicode.IsControl) {
		return a, "attachment-name"
	}
	// Refused by the length of the text, before anything is decoded: base64
	// takes four thirds, the rest is for line breaks and indentation.
	if encoded := parts["content"]; len(encoded) > 2*int(kind.MaxSize)+1024 {
		return a, "attachment-too-big"
	} else if content, err := decodeBase64(encoded); err != nil {
		return a, "attachment-base64"
	} else {
		a.Content = content
	}
	switch {
	case len(a.Content) == 0:
		return a, "attachment-empty"
	case len(a.Content) > int(kind.MaxSize):
		return a, "attachment-too-big"
	}
	if a.Type = mediaOf(a.Content); !slices.Contains(kind.Types, a.Type) {
		return a, "attachment-type"
	}
	sum := sha256.Sum256(a.Content)
	a.SHA256 = hex.EncodeToString(sum[:])
	if claimed := strings.TrimSpace(string(parts["sha256"])); claimed != "" && !strings.EqualFold(claimed, a.SHA256) {
		return a, "attachment-digest"
	}
	return a, ""
}

// decodeBase64 ignores white space, as xs:base64Binary does, and nothing else.
func decodeBase64(src []byte) ([]byte, error) {
	clean := make([]byte, 0, len(src))
	for _, c := range src {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			clean = append(clean, c)
		}
	}
	n, err := base64.StdEncoding.Strict().Decode(clean, clean)
	return clean[:n], err
}

func (r *reader) file(kind *AttachmentKind, rule string) {
	r.fault(kind.Name, kind.Path, rule, kind.Label,
		"max", kind.MaxSize, "count", max(kind.MaxCount, 1), "types", strings.Join(kind.Types, ", "))
}
