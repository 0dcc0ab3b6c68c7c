package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	mimeName     = "mimetype"
	mimeType     = "application/vnd.etsi.asic-e+zip"
	manifestName = "META-INF/ASiCManifest.xml"
	sealName     = "META-INF/signature.p7s"
)

// Bounds of what is read.
const (
	MaxSize  = 1 << 30 // bytes of a bundle
	maxFiles = 50_000
	maxName  = 200
)

// file is one file of a container.
type file struct {
	name    string
	content []byte
}

// plainName is how files of a bundle are named: no way out of the folder that it
// is unpacked in, on no system.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9]+)*(/[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9]+)*)*$`)

// pack writes a container. Stored, without dates: the same files are the same bytes.
func pack(files []file) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		size := uint64(len(f.content))
		to, err := w.CreateRaw(&zip.FileHeader{
			Name: f.name, Method: zip.Store, CreatorVersion: 20, ReaderVersion: 20,
			CRC32: crc32.ChecksumIEEE(f.content), CompressedSize64: size, UncompressedSize64: size,
		})
		if err == nil {
			_, err = to.Write(f.content)
		}
		if err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if b.Len() > MaxSize {
		return nil, fmt.Errorf("bundle: %d bytes; a bundle has at most %d", b.Len(), MaxSize)
	}
	return b.Bytes(), nil
}

// unpack reads a container that pack has written, and no other.
func unpack(raw []byte) ([]file, *Fault) {
	if len(raw) > MaxSize {
		return nil, fault("", "too-large", "limit", MaxSize)
	}
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, fault("", "no-container", "detail", err)
	}
	if len(r.File) > maxFiles {
		return nil, fault("", "too-many-files", "limit", maxFiles)
	}
	var files []file
	seen := map[string]bool{}
	left := uint64(len(raw)) // entries that share their bytes would be more
	for _, f := range r.File {
		shown := quoted(f.Name)
		switch {
		case len(f.Name) > maxName || !plainName.MatchString(f.Name):
			return nil, fault(shown, "bad-name")
		case seen[f.Name]:
			return nil, fault(shown, "twice")
		case f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 || f.UncompressedSize64 > left:
			return nil, fault(shown, "compressed")
		}
		left -= f.UncompressedSize64
		seen[f.Name] = true
		in, err := f.Open()
		if err != nil {
			return nil, fault(shown, "damaged", "detail", err)
		}
		content, err := io.ReadAll(io.LimitReader(in, int64(f.UncompressedSize64)+1))
		in.Close()
		if err != nil {
			return nil, fault(shown, "damaged", "detail", err)
		}
		files = append(files, file{f.Name, content})
	}
	return files, nil
}

func quoted(name string) string {
	if len(name) > 80 {
		name = name[:80] + "..."
	}
	return strings.Trim(fmt.Sprintf("%+q", name), `"`)
}

// The manifest of ETSI EN 319 162-1, annex A.
type manifest struct {
	XMLName xml.Name `xml:"http://uri.etsi.org/02918/v1.2.1# ASiCManifest"`
	Seal    struct {
		URI string `xml:"URI,attr"`
	} `xml:"http://uri.etsi.org/02918/v1.2.1# SigReference"`
	Objects []struct {
		URI    string `xml:"URI,attr"`
		Digest string `xml:"http://www.w3.org/2000/09/xmldsig# DigestValue"`
	} `xml:"http://uri.etsi.org/02918/v1.2.1# DataObjectReference"`
}

// writeManifest names every file with its digest. No name holds a character
// that XML would want escaped.
func writeManifest(files []file) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString(`<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + "\n")
	b.WriteString(`<asic:SigReference URI="` + sealName + `" MimeType="application/pkcs7-signature"/>` + "\n")
	for _, f := range files {
		sum := sha256.Sum256(f.content)
		fmt.Fprintf(&b, `<asic:DataObjectReference URI="%s" MimeType="%s"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>%s</ds:DigestValue></asic:DataObjectReference>`+"\n",
			f.name, mediaType(f.name), base64.StdEncoding.EncodeToString(sum[:]))
	}
	b.WriteString("</asic:ASiCManifest>\n")
	return b.Bytes()
}

var mediaTypes = map[string]string{
	".json": "application/json", ".jsonl": "application/jsonl", ".xml": "application/xml", ".pdf": "application/pdf", ".yaml": "application/yaml",
	".cer": "application/pkix-cert", ".crl": "application/pkix-crl", ".ocsp": "application/ocsp-response", ".p7s": "application/pkcs7-signature",
}

func mediaType(name string) string {
	if t, ok := mediaTypes[path.Ext(name)]; ok {
		return t
	}
	return "application/octet-stream"
}

// opened is a container whose bytes all agree with its manifest.
type opened struct {
	files    map[string][]byte
	manifest []byte
	seal     []byte
}

// open reads a container and compares every file with the manifest. Whether the
// manifest is to be believed is for the seal.
func open(raw []byte) (*opened, []Fault) {
	files, bad := unpack(raw)
	if bad != nil {
		return nil, []Fault{*bad}
	}
	n := len(files)
	switch {
	case n < 3 || files[0].name != mimeName:
		return nil, []Fault{*fault(mimeName, "not-first")}
	case string(files[0].content) != mimeType:
		return nil, []Fault{*fault(mimeName, "mimetype", "want", mimeType)}
	case files[n-2].name != manifestName:
		return nil, []Fault{*fault(manifestName, "missing")}
	case files[n-1].name != sealName:
		return nil, []Fault{*fault(sealName, "missing")}
	}
	data, written := files[1:n-2], files[n-2].content
	var m manifest
	if err := xml.Unmarshal(written, &m); err != nil {
		return nil, []Fault{*fault(manifestName, "unreadable", "detail", err)}
	}
	var faults []Fault
	listed := map[string]string{}
	for _, o := range m.Objects {
		listed[o.URI] = o.Digest
	}
	o := &opened{files: map[string][]byte{}, manifest: written, seal: files[n-1].content}
	for _, f := range data {
		sum := sha256.Sum256(f.content)
		switch digest, ok := listed[f.name]; {
		case !ok:
			faults = append(faults, *fault(f.name, "not-in-manifest"))
		case digest != base64.StdEncoding.EncodeToString(sum[:]):
			faults = append(faults, *fault(f.name, "changed"))
		}
		delete(listed, f.name)
		o.files[f.name] = f.content
	}
	for name := range listed {
		faults = append(faults, *fault(quoted(name), "missing"))
	}
	if len(faults) == 0 && !bytes.Equal(written, writeManifest(data)) {
		faults = append(faults, *fault(manifestName, "other-form"))
	}
	if len(faults) == 0 {
		if again, err := pack(files); err != nil || !bytes.Equal(again, raw) {
			faults = append(faults, *fault("", "repacked"))
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.File, b.File) })
	return o, faults
}
