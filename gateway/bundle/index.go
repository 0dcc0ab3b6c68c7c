package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"kopir/gateway/journal"
)

// Format is the version of what is written.
const Format = "kopir evidence 1"

// Mapping is the part of a configuration's record that names a service
// description; its note is the edition.
const Mapping = "service"

// PartnerKey is the part that names the key of a partner's HTTP requests, by
// its keyid; its note is the partner, its digest that of the key or certificate.
const PartnerKey = "partner-key"

// Contents is what a bundle is made of.
type Contents struct {
	Owner   string // an application's number, or message/ and the id of a message that became none
	MadeAt  time.Time
	MadeBy  string // the program and its version
	Stamped bool   // the seal will have a time stamp
	Key     []byte // of the digests; nil if it was destroyed
	Things  []journal.Thing
	Proofs  []Proof
	Chain   []byte // as ChainWriter wrote it
}

// Proof is a certificate, an answer about revocation, or a description.
type Proof struct {
	Kind    string
	Content []byte
}

// The kinds of proof; those of package verdict and the description.
const proofMapping = "mapping"

var extensions = map[string]string{"signer": ".cer", "authority": ".cer", "crl": ".crl", "ocsp": ".ocsp", "signature": ".p7s", "key": ".spki", proofMapping: ".yaml"}

// index is index.json.
type index struct {
	Format  string       `json:"format"`
	Owner   string       `json:"owner"`
	MadeAt  time.Time    `json:"made_at"`
	MadeBy  string       `json:"made_by"`
	Stamped bool         `json:"stamped"`
	Key     string       `json:"key,omitempty"` // hexadecimal
	Things  []indexThing `json:"things"`
	Proofs  []indexProof `json:"proofs"`
}

type indexThing struct {
	What   string       `json:"what"`
	ID     string       `json:"id"`
	Pieces []indexPiece `json:"pieces"`
}

// indexPiece stands in the index as it is, or in a file.
type indexPiece struct {
	Name string `json:"name"`
	Text string `json:"text,omitempty"`
	File string `json:"file,omitempty"`
}

type indexProof struct {
	Kind string `json:"kind"`
	File string `json:"file"`
}

const (
	indexName = "index.json"
	chainName = "journal/chain.jsonl"
)

// folders are where the rows of each kind lie.
var folders = map[string]string{
	"message": "messages", "verdict": "verdicts", "application": "application", "event": "history", "due": "terms", "result": "result",
	"paper": "papers", "payload": "deliveries", "delivery": "deliveries", "try": "tries",
}

// apart are the columns that are files of their own; the others are short.
var apart = map[string]bool{
	"raw": true, "reply": true, "verdict": true, "document": true, "finding": true, "proofs": true, "body": true, "content": true,
	"signature": true, "payload": true, "sent": true, "answer": true,
}

// Sign makes the seal: a CMS message beside the manifest.
type Sign func(manifest []byte) ([]byte, error)

// Write makes a bundle.
func Write(c *Contents, sign Sign) ([]byte, error) {
	x := index{Format: Format, Owner: c.Owner, MadeAt: c.MadeAt, MadeBy: c.MadeBy, Stamped: c.Stamped, Key: hex.EncodeToString(c.Key), Things: []indexThing{}, Proofs: []indexProof{}}
	data := []file{{chainName, c.Chain}}
	counts := map[string]int{}
	for i := range c.Things {
		t := &c.Things[i]
		counts[t.What]++
		one := indexThing{What: t.What, ID: t.ID, Pieces: []indexPiece{}}
		for _, p := range t.Pieces {
			piece := indexPiece{Name: p.Name, Text: string(p.Content)}
			if apart[p.Name] && len(p.Content) > 0 {
				folder, ok := folders[t.What]
				if !ok {
					return nil, fmt.Errorf("bundle: there is no folder for a %s", t.What)
				}
				name := fmt.Sprintf("%s/%04d-%s%s", folder, counts[t.What], p.Name, extension(p.Content))
				piece = indexPiece{Name: p.Name, File: name}
				data = append(data, file{name, p.Content})
			}
			one.Pieces = append(one.Pieces, piece)
		}
		x.Things = append(x.Things, one)
	}
	seen := map[[sha256.Size]byte]bool{}
	for _, p := range c.Proofs {
		sum := sha256.Sum256(p.Content)
		if seen[sum] {
			continue
		}
		seen[sum] = true
		name := "proofs/" + hex.EncodeToString(sum[:]) + extensions[p.Kind]
		x.Proofs = append(x.Proofs, indexProof{p.Kind, name})
		data = append(data, file{name, p.Content})
	}
	b, err := encodeIndex(&x)
	if err != nil {
		return nil, err
	}
	data = append(data, file{indexName, b})
	sort.Slice(data, func(i, j int) bool { return data[i].name < data[j].name })
	m := writeManifest(data)
	seal, err := sign(m)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	files := append([]file{{mimeName, []byte(mimeType)}}, data...)
	return pack(append(files, file{manifestName, m}, file{sealName, seal}))
}

func encodeIndex(x *index) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(x); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return b.Bytes(), nil
}

// extension is for people who look into the bundle; nothing goes by it.
func extension(content []byte) string {
	trimmed := bytes.TrimLeft(content, "\ufeff \t\r\n")
	switch {
	case bytes.HasPrefix(trimmed, []byte("<")):
		return ".xml"
	case bytes.HasPrefix(trimmed, []byte("{")), bytes.HasPrefix(trimmed, []byte("[")):
		return ".json"
	case bytes.HasPrefix(content, []byte("%PDF-")):
		return ".pdf"
	case content[0] == 0x30:
		return ".der"
	}
	return ".bin"
}

// readIndex reads the index and takes the files that it names out of files.
func readIndex(files map[string][]byte) (*index, []journal.Thing, []Proof, *Fault) {
	src, ok := files[indexName]
	if !ok {
		return nil, nil, nil, fault(indexName, "missing")
	}
	x := new(index)
	d := json.NewDecoder(bytes.NewReader(src))
	d.DisallowUnknownFields()
	err := d.Decode(x)
	if err == nil && x.Format != Format {
		return nil, nil, nil, fault(indexName, "other-format", "want", Format)
	}
	if err == nil {
		var again []byte
		if again, err = encodeIndex(x); err == nil && !bytes.Equal(again, src) {
			err = errors.New("it is not written as this program writes")
		}
	}
	if err != nil {
		return nil, nil, nil, fault(indexName, "unreadable", "detail", err)
	}
	named := map[string]bool{indexName: true, chainName: true}
	take := func(name string) ([]byte, *Fault) {
		content, ok := files[name]
		if !ok {
			return nil, fault(quoted(name), "missing")
		}
		if named[name] {
			return nil, fault(name, "named-twice")
		}
		named[name] = true
		return content, nil
	}
	var things []journal.Thing
	for _, t := range x.Things {
		one := journal.Thing{What: t.What, ID: t.ID}
		for _, p := range t.Pieces {
			content := []byte(p.Text)
			if p.File != "" {
				var bad *Fault
				if content, bad = take(p.File); bad != nil {
					return nil, nil, nil, bad
				}
			}
			one.Pieces = append(one.Pieces, journal.Piece{Name: p.Name, Content: content})
		}
		things = append(things, one)
	}
	var proofs []Proof
	for _, p := range x.Proofs {
		content, bad := take(p.File)
		if bad != nil {
			return nil, nil, nil, bad
		}
		proofs = append(proofs, Proof{p.Kind, content})
	}
	for name := range files {
		if !named[name] {
			return nil, nil, nil, fault(name, "not-in-index")
		}
	}
	return x, things, proofs, nil
}

// fileOf is where a piece of a thing lies; the index if it is short.
func (x *index) fileOf(i int, piece string) string {
	for _, p := range x.Things[i].Pieces {
		if p.File != "" && p.Name == piece {
			return p.File
		}
	}
	return indexName
}

// filesOf are all files of a thing, which its digest covers together.
func (x *index) filesOf(i int) string {
	var all []string
	for _, p := range x.Things[i].Pieces {
		if p.File != "" {
			all = append(all, p.File)
		}
	}
	if len(all) == 0 {
		return indexName
	}
	return strings.Join(all, ", ")
}
