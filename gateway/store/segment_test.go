package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// links are all records, or an owner's.
func links(t *testing.T, s *Store, after int64, owner string) (all []Link) {
	t.Helper()
	if err := s.Journal(t.Context(), after, owner, func(l Link) error { all = append(all, l); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// movedRecords: what lies in files is read as if it were in the store; a file
// that is another, or missing, is told, and so is a row that is not its last.
func movedRecords(t *testing.T, s *Store) {
	files := map[string][]byte{}
	s.ReadMoved(func(file string) (io.ReadCloser, error) {
		b, ok := files[file]
		if !ok {
			return nil, errors.New("no such file")
		}
		return io.NopCloser(bytes.NewReader(b)), nil
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fill := func(from, n int) {
		t.Helper()
		for i := from; i < from+n; i++ {
			number := fmt.Sprintf("N-%d", i)
			commit(t, s, gateway.Change{Message: message(number, "PORTAL", number, number), Application: application(number, t0)})
		}
		seq, head, err := s.Head(t.Context())
		must(err)
		must(s.Checkpoint(t.Context(), journal.Mark{Seq: seq, Hash: head, At: t0}, []byte("signed"), false))
	}
	move := func(first int64) Segment {
		t.Helper()
		var b bytes.Buffer
		w := journal.NewWriter(&b)
		g := Segment{First: first}
		for _, l := range links(t, s, first-1, "") {
			must(w.Record(l.Seq, l.Body, l.Hash))
			if l.Checkpoint != nil {
				must(w.Checkpoint(l.Checkpoint))
			}
			g.Last, g.Hash = l.Seq, l.Hash
		}
		must(w.Close())
		g.File, g.Sum = fmt.Sprintf("f%d", first), journal.Sum(b.Bytes())
		files[g.File] = b.Bytes()
		must(s.Move(t.Context(), g, "test"))
		return g
	}
	fill(1, 5)
	before := links(t, s, 0, "")
	first := move(1)
	commit(t, s, gateway.Change{Events: []gateway.Event{{Application: "N-2", At: t0, Kind: gateway.EventNote}}})
	must(s.Note(t.Context(), journal.Configuration, "", "test", journal.Part{What: "service", ID: "svc", Note: "e1"}))
	fill(6, 3)
	second := move(first.Last + 1)
	fill(9, 2)

	all := links(t, s, 0, "")
	var chain journal.Chain
	for i, l := range all {
		must(chain.Add(l.Body, l.Hash))
		if i < len(before) && (!bytes.Equal(l.Body, before[i].Body) || !bytes.Equal(l.Checkpoint, before[i].Checkpoint)) {
			t.Errorf("record %d is another", l.Seq)
		}
	}
	if seq, head, err := s.Head(t.Context()); err != nil || chain.Seq != seq || chain.Head != head {
		t.Errorf("%+v %d %v", chain, seq, err)
	}
	if rows := count(t, s, `SELECT COUNT(*) FROM journal WHERE seq <= ?`, second.Last); rows != 1 {
		t.Errorf("%d rows stay", rows)
	}
	if n := count(t, s, `SELECT COUNT(*) FROM checkpoints WHERE seq <= ?`, second.Last); n != 1 {
		t.Errorf("%d checkpoints stay", n)
	}
	if own := links(t, s, 0, "N-2"); len(own) != 2 || own[0].Seq > first.Last || own[1].Seq <= first.Last {
		t.Errorf("%+v", own)
	}
	for _, seq := range []int64{1, first.Last, first.Last + 1, second.Last, second.Last + 1} {
		if h, err := s.HashOf(t.Context(), seq); err != nil || h != all[seq-1].Hash {
			t.Errorf("record %d: %s %v", seq, h, err)
		}
	}
	if _, err := s.HashOf(t.Context(), 9999); !errors.Is(err, gateway.ErrNotFound) {
		t.Error(err)
	}
	for number, want := range map[string]int{"N-1": 1, "N-2": 2, "N-10": 1} {
		if d, err := s.Dossier(t.Context(), number); err != nil || len(d.Links) != want {
			t.Errorf("%s: %v", number, err)
		}
	}
	a := audit(t, s)
	if len(a.Faults) > 0 || a.Older > 0 || a.Records != int64(len(all)) {
		t.Errorf("%+v", a)
	}
	if err := s.Move(t.Context(), second, "test"); !errors.Is(err, errOtherwise) {
		t.Errorf("moved twice: %v", err)
	}
	if got := links(t, s, 0, ""); len(got) != len(all) {
		t.Errorf("%d records of %d", len(got), len(all))
	}

	// An application is looked for from the file on in which it can begin, and its
	// configuration back to the file that has it; one whose time of receipt is later
	// than its records, in all.
	receivedAt := func(number string, at time.Time) {
		t.Helper()
		must(s.writer.write(t.Context(), func(t *tx) error {
			_, err := t.exec(`UPDATE applications SET received_at = ? WHERE number = ?`, micros(at), number)
			return err
		}))
	}
	receivedAt("N-7", time.Now().Add(2*clocksApart))
	receivedAt("N-3", time.Now().Add(2*clocksApart))
	old := files[first.File]
	files[first.File] = old[:len(old)/2]
	d, err := s.Dossier(t.Context(), "N-7")
	if err != nil || len(d.Links) != 1 || d.Configuration == nil || d.Configuration.Seq <= first.Last {
		t.Errorf("of the second file: %+v, %v", d, err)
	}
	if _, err := s.Dossier(t.Context(), "N-3"); err == nil {
		t.Error("of the first file, which is cut off: found")
	}
	files[first.File] = old
	if d, err := s.Dossier(t.Context(), "N-3"); err != nil || len(d.Links) != 1 {
		t.Errorf("received later than recorded: %+v, %v", d, err)
	}

	// What is wrong with a file.
	whole := files[second.File]
	for what, b := range map[string][]byte{
		"cut off": whole[:len(whole)/2], "empty": {}, "another": files[first.File], "a digit more": append(bytes.Clone(whole), '1'),
		"another end": bytes.Replace(whole, []byte(second.Hash.String()), []byte(first.Hash.String()), -1),
	} {
		files[second.File] = b
		err := s.Journal(t.Context(), 0, "", func(Link) error { return nil })
		var fault *journal.Fault
		if !errors.As(err, &fault) {
			t.Errorf("%s: %v", what, err)
		}
	}
	delete(files, second.File)
	if err := s.Journal(t.Context(), 0, "", func(Link) error { return nil }); err == nil || !strings.Contains(err.Error(), second.File) {
		t.Errorf("missing: %v", err)
	}
	if got := links(t, s, second.Last, ""); len(got) != len(all)-int(second.Last) {
		t.Errorf("what needs no file: %d", len(got))
	}
	files[second.File] = whole
	must(s.writer.write(t.Context(), func(t *tx) error {
		_, err := t.exec(`UPDATE journal SET hash = ? WHERE seq = ?`, first.Hash[:], second.Last)
		return err
	}))
	if err := s.Journal(t.Context(), 0, "", func(Link) error { return nil }); err == nil || !strings.Contains(err.Error(), "is not the record that stands in") {
		t.Errorf("another row: %v", err)
	}
}

// TestNoWayBackWithFiles: a schema without files is not gone back to while
// records lie in some.
func TestNoWayBackWithFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kopir.db")
	s := openAt(t, path)
	for i := range 2 {
		commit(t, s, gateway.Change{Message: message(fmt.Sprint(i), "PORTAL", fmt.Sprint(i), "")})
	}
	last := links(t, s, 1, "")[0]
	if err := s.Move(t.Context(), Segment{First: 1, Last: last.Seq, Hash: last.Hash, File: "f"}, "test"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Migrate(t.Context(), SQLite(path), 19); err == nil || !strings.Contains(err.Error(), "records_of_the_journal_lie_in_files") && !strings.Contains(err.Error(), "CHECK") {
		t.Errorf("%v", err)
	}
	if got := links(t, openAt(t, path), last.Seq, ""); len(got) != 1 {
		t.Errorf("%d records stay", len(got))
	}
}

func count(t *testing.T, s *Store, q string, args ...any) (n int64) {
	t.Helper()
	if err := s.row(t.Context(), q, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
