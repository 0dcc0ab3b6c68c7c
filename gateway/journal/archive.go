package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
)

// line is one line of an archive: exactly one of the three.
type line struct {
	Seq        int64           `json:"seq,omitempty"`
	Hash       Hash            `json:"hash,omitzero"`
	Record     json.RawMessage `json:"record,omitempty"`
	Checkpoint []byte          `json:"checkpoint,omitempty"`
	End        *end            `json:"end,omitempty"`
}

// end closes an archive.
type end struct {
	Seq  int64 `json:"seq"`
	Head Hash  `json:"head"`
	File Hash  `json:"file"` // SHA-256 of every byte before this line
}

// maxLine bounds a line: a record of a change with many parts, or a checkpoint
// with its stamp and certificates.
const maxLine = 4 << 20

// Writer writes an archive.
type Writer struct {
	w    *bufio.Writer
	sum  hash.Hash // of all before the end
	last end
	err  error
}

// NewWriter begins an archive.
func NewWriter(w io.Writer) *Writer {
	sum := sha256.New()
	return &Writer{w: bufio.NewWriter(io.MultiWriter(w, sum)), sum: sum}
}

func (w *Writer) put(l line) error {
	if w.err == nil {
		var b []byte
		if b, w.err = encode(l); w.err == nil {
			_, w.err = w.w.Write(b)
		}
	}
	return w.err
}

func encode(l line) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return b.Bytes(), nil
}

// Record adds the next record.
func (w *Writer) Record(seq int64, body []byte, h Hash) error {
	w.last.Seq, w.last.Head = seq, h
	return w.put(line{Seq: seq, Hash: h, Record: body})
}

// Checkpoint adds a checkpoint over the record that was added last.
func (w *Writer) Checkpoint(signed []byte) error { return w.put(line{Checkpoint: signed}) }

// Close writes the end; an archive without it is cut off.
func (w *Writer) Close() error {
	if w.err == nil {
		w.err = w.w.Flush()
	}
	copy(w.last.File[:], w.sum.Sum(nil))
	w.put(line{End: &w.last})
	return errors.Join(w.err, w.w.Flush())
}

// Report is what verifying an archive found.
type Report struct {
	Chain       Chain
	First       int64 // number of the first record
	Checkpoints int
}

// Verify reads an archive to its end. The error is a *Fault naming the first
// bad record, or one of reading. start is the chain that the archive continues;
// nil for one that begins with record 1.
func Verify(r io.Reader, start *Chain, judge Judge, each func(body []byte) error) (rep Report, err error) {
	if start != nil {
		rep.Chain = *start
	}
	rep.First = rep.Chain.Seq + 1
	in := bufio.NewReaderSize(r, 1<<16)
	sum := sha256.New()
	fault := func(format string, args ...any) error {
		return &Fault{rep.Chain.Seq + 1, fmt.Sprintf(format, args...)}
	}
	for {
		raw, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return rep, fault("the archive is cut off before it")
		}
		if err != nil {
			return rep, fmt.Errorf("journal: %w", err)
		}
		if seq, body, kept, ok := recordLine(raw); ok {
			if seq != rep.Chain.Seq+1 {
				return rep, fault("the record in its place has the number %d", seq)
			}
			if err := rep.Chain.Add(body, kept); err != nil {
				return rep, err
			}
			if each != nil {
				if err := each(body); err != nil {
					return rep, err
				}
			}
			sum.Write(raw)
			continue
		}
		l, bad := otherLine(raw)
		if bad != "" {
			return rep, fault("%s", bad)
		}
		if l.End != nil {
			return rep, closeArchive(in, l.End, &rep, Hash(sum.Sum(nil)))
		}
		if err := rep.Chain.Seal(l.Checkpoint, judge); err != nil {
			return rep, err
		}
		rep.Checkpoints++
		sum.Write(raw)
	}
}

// Entry is one record of an archive, with the checkpoint over it if there is one.
type Entry struct {
	Seq        int64
	Hash       Hash
	Body       []byte
	Checkpoint []byte
}

// Scan reads an archive whose chain its caller follows: it asks only that the
// file is whole. The error is a *Fault, or one of reading, or each's own.
func Scan(r io.Reader, each func(Entry) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	sum := sha256.New()
	var rep Report
	var last *Entry // its checkpoint may follow
	give := func() (err error) {
		if last != nil {
			err = each(*last)
		}
		last = nil
		return err
	}
	for {
		raw, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return &Fault{rep.Chain.Seq + 1, "the archive is cut off before it"}
		}
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if seq, body, kept, ok := recordLine(raw); ok {
			if err := give(); err != nil {
				return err
			}
			rep.Chain.Seq, rep.Chain.Head = seq, kept
			last = &Entry{Seq: seq, Hash: kept, Body: body}
			sum.Write(raw)
			continue
		}
		l, bad := otherLine(raw)
		switch {
		case bad != "":
			return &Fault{rep.Chain.Seq + 1, bad}
		case l.End != nil:
			if err := give(); err != nil {
				return err
			}
			return closeArchive(in, l.End, &rep, Hash(sum.Sum(nil)))
		case last == nil:
			return &Fault{rep.Chain.Seq, "a checkpoint stands behind no record"}
		}
		last.Checkpoint = l.Checkpoint
		sum.Write(raw)
	}
}

// otherLine reads a line that is no record.
func otherLine(raw []byte) (l line, bad string) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, "its line does not read: " + err.Error()
	}
	if again, err := encode(l); err != nil || !bytes.Equal(again, raw) || (l.End == nil) == (l.Checkpoint == nil) || l.Record != nil {
		return l, "its line is not written as this program writes"
	}
	return l, ""
}

// recordLine takes the line of a record apart, without reading what is in it.
func recordLine(raw []byte) (seq int64, body []byte, kept Hash, ok bool) {
	rest, ok := bytes.CutPrefix(raw, []byte(`{"seq":`))
	digits, rest, found := bytes.Cut(rest, []byte(`,"hash":"`))
	if !ok || !found || len(rest) < 2*len(kept) || kept.UnmarshalText(rest[:2*len(kept)]) != nil || !bytes.Equal(rest[:2*len(kept)], []byte(kept.String())) {
		return 0, nil, kept, false
	}
	seq, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || strconv.FormatInt(seq, 10) != string(digits) {
		return 0, nil, kept, false
	}
	body, ok = bytes.CutPrefix(rest[2*len(kept):], []byte(`","record":`))
	if !ok || !bytes.HasSuffix(body, []byte("}\n")) {
		return 0, nil, kept, false
	}
	return seq, body[:len(body)-2], kept, true
}

func closeArchive(in *bufio.Reader, e *end, rep *Report, file Hash) error {
	fault := func(what string) error { return &Fault{rep.Chain.Seq, what} }
	if _, err := in.ReadByte(); err == nil {
		return fault("something stands after the end of the archive")
	}
	if e.Seq != rep.Chain.Seq || e.Head != rep.Chain.Head {
		return fault(fmt.Sprintf("the archive says that it ends with record %d", e.Seq))
	}
	if e.File != file {
		return fault("a checkpoint of the archive was changed")
	}
	return nil
}

func readLine(in *bufio.Reader) ([]byte, error) {
	var all []byte
	for {
		part, err := in.ReadSlice('\n')
		all = append(all, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(all) <= maxLine:
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
		case err != nil:
			return nil, err // a line without its end is one that was cut off
		default:
			return all, nil
		}
	}
}
