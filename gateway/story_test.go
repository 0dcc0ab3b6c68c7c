package gateway_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/xmltree"
)

var update = flag.Bool("update", false, "write the stories' files anew; review the difference")

// story is story.yaml: what happens around in.xml. Everything has a default,
// so a story can be one captured in.xml and an empty story.yaml.
type story struct {
	What string `yaml:"what"`
	Door string `yaml:"door"` // sync (the default), async, office (also of the akim)
	// After are the stories whose in.xml come first, in the same town.
	After []string `yaml:"after"`
	// Before is what happens between them and this one.
	Before []act `yaml:"before"`
	// At is the time of receipt; the default is a Wednesday morning in Almaty.
	At time.Time `yaml:"at"`
	// Away: about whom nobody answers at first whether they are revoked.
	// Revoked: who is on the list.
	Away    []string `yaml:"away"`
	Revoked []string `yaml:"revoked"`
	Unknown bool     `yaml:"unknown"` // the register of persons has no data
	// Office and By are, at the office door, the office of the key and the IIN
	// of who is logged in; none when empty.
	Office string `yaml:"office"`
	By     string `yaml:"by"`
	Then   []act  `yaml:"then"`
	// Make says how in.xml is made by -update; without it in.xml stays as it is.
	Make *recipe `yaml:"make"`
}

// recipe makes an application.
type recipe struct {
	ID      string            `yaml:"id"`
	Channel string            `yaml:"channel"` // portal (the default), csc, office, akim
	Kind    string            `yaml:"kind"`    // of the document; the application when empty
	Type    string            `yaml:"type"`    // of an async message; REQUEST when empty
	Signer  string            `yaml:"signer"`  // of the document; "nobody" for none
	System  string            `yaml:"system"`  // of the envelope; "nobody" for none
	Form    string            `yaml:"form"`    // escaped (the default), untyped, cdata, nested
	Set     map[string]string `yaml:"set"`
	Drop    []string          `yaml:"drop"`
	Spoil   [2]string         `yaml:"spoil"`  // replaced in the document after it was signed
	Change  [2]string         `yaml:"change"` // the same before
	// Seed fills in the form by the service's description instead of by what
	// town.go has; Broken breaks one rule of every field in it.
	Seed   uint64 `yaml:"seed"`
	Broken bool   `yaml:"broken"`
}

// act is one thing that happens later; one key each.
type act struct {
	Pass     string  `yaml:"pass"`     // time
	Back     bool    `yaml:"back"`     // revocation answers again
	Take     string  `yaml:"take"`     // by whom
	Complete string  `yaml:"complete"` // by the specialist, with a result that this one signed
	Result   string  `yaml:"result"`   // with complete: which one; the first when empty
	Refuse   string  `yaml:"refuse"`   // with these words
	Ground   string  `yaml:"ground"`   // refuse for this ground of the service
	Extend   int     `yaml:"extend"`   // working days
	Suspend  int     `yaml:"suspend"`  // working days
	Resume   bool    `yaml:"resume"`   // the term runs on before they are over
	Forward  string  `yaml:"forward"`  // to whom, with a covering letter of the official
	Assign   string  `yaml:"assign"`   // the head's resolution names the executor
	Local    *[2]any `yaml:"local"`    // status code and reason set in the local database
}

func TestStories(t *testing.T) {
	root := filepath.Join("..", "testdata", "stories")
	files, err := filepath.Glob(filepath.Join(root, "*", "*", "story.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	if *update {
		for _, f := range files {
			makeStory(t, filepath.Dir(f))
		}
	}
	for _, f := range files {
		dir := filepath.Dir(f)
		name, _ := filepath.Rel(root, dir)
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			t.Parallel()
			play(t, dir)
		})
	}
}

func readStory(t *testing.T, dir string) story {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(dir, "story.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s := story{Door: "sync", At: morning}
	if err := yaml.UnmarshalWithOptions(src, &s, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return s
}

// makeStory writes in.xml by its recipe.
func makeStory(t *testing.T, dir string) {
	t.Helper()
	s := readStory(t, dir)
	if s.Make == nil {
		return
	}
	w := newTownFor(t, dir)
	w.now = s.At
	if err := os.WriteFile(filepath.Join(dir, "in.xml"), w.make(w.serviceOf(dir), s.Door, *s.Make), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newTownFor is a town of the built-in services, and of the story's own where
// its folder has the description.
func newTownFor(t *testing.T, dir string) *town {
	t.Helper()
	folder := filepath.Dir(dir)
	if files, _ := filepath.Glob(filepath.Join(folder, "*.yaml")); len(files) == 0 {
		return newTown(t)
	}
	read, _ := own.LoadOrStore(folder, sync.OnceValues(func() (*mappings.Set, []mappings.Fault) { return mappings.LoadDir(folder) }))
	set, faults := read.(func() (*mappings.Set, []mappings.Fault))()
	for _, f := range faults {
		t.Fatal(f.Error())
	}
	return newTownOf(t, set)
}

// own are the descriptions beside stories, by folder: each is read once.
var own sync.Map

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func somebody(name string) string {
	if name == "nobody" {
		return ""
	}
	return name
}

// serviceOf is the service of a story: its folder's folder bears its name.
func (w *town) serviceOf(dir string) *mappings.Service {
	w.t.Helper()
	s, ok := w.set.Service(filepath.Base(filepath.Dir(dir)))
	if !ok {
		w.t.Fatalf("%s: no service", dir)
	}
	return s
}

func (w *town) make(service *mappings.Service, door string, r recipe) []byte {
	w.t.Helper()
	channel := or(r.Channel, "portal")
	serviceID := service.Gateway.ServiceID
	if kind, ok := service.KindNamed(or(r.Kind, service.KindName())); ok {
		service = kind
	} else {
		w.t.Fatalf("%s has no kind %q", service.ID, r.Kind)
	}
	values := filled(service, channel)
	for k, v := range r.Set {
		values[k] = v
	}
	for _, k := range r.Drop {
		delete(values, k)
	}
	signer := map[string]string{"portal": "citizen", "csc": "operator", "office": "specialist", "akim": "specialist"}[channel]
	doc := w.documentOf(service, channel, values, "")
	if !bytes.Contains(doc, []byte(r.Change[0])) {
		w.t.Fatalf("nothing to change: %s", r.Change[0])
	}
	doc = bytes.Replace(doc, []byte(r.Change[0]), []byte(r.Change[1]), 1)
	if by := somebody(or(r.Signer, signer)); by != "" {
		var err error
		if doc, err = signature.SignEnveloped(doc, w.keys[by], signature.SignOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
	if r.Seed != 0 || r.Broken {
		doc = w.described(service, channel, r, somebody(or(r.Signer, signer)))
	}
	if r.Spoil[0] != "" {
		if !bytes.Contains(doc, []byte(r.Spoil[0])) {
			w.t.Fatalf("nothing to spoil: %s", r.Spoil[0])
		}
		doc = bytes.Replace(doc, []byte(r.Spoil[0]), []byte(r.Spoil[1]), 1)
	}
	if door == "office" {
		return doc
	}
	data := soap.EscapedData(doc)
	switch r.Form {
	case "untyped", "cdata":
		data.Form = soap.Form(r.Form)
	case "nested":
		data = soap.NestedData(doc)
	}
	id := or(r.ID, "7ea6369f-18c5-4633-ad73-19de35883e0b")
	sender := map[string]string{"portal": "PEP", "csc": "CON"}[channel]
	if door == "async" {
		p := asyncRequest(id, nil, w.clock())
		p.MessageInfo.ServiceID, p.MessageInfo.MessageType = serviceID, soap.MessageType(or(r.Type, string(soap.TypeRequest)))
		p.MessageInfo.Sender.SenderID, p.MessageData.Data = sender, data
		return w.envelope(p, somebody(or(r.System, channel)))
	}
	p := syncRequest(id, nil, w.clock())
	p.RequestInfo.ServiceID = serviceID
	p.RequestInfo.Sender.SenderID, p.RequestData.Data = sender, data
	return w.envelope(p, somebody(or(r.System, channel)))
}

// described makes a form by the description alone.
func (w *town) described(s *mappings.Service, channel string, r recipe, by string) []byte {
	w.t.Helper()
	known := form(channel)
	delete(known, "district") // of another town, perhaps
	maps.Copy(known, r.Set)
	how := mappings.Filling{Channel: channel, At: w.clock(), Seed: r.Seed, Whole: r.Broken, Known: known}
	filled, err := s.Fill(how)
	if err != nil {
		w.t.Fatal(err)
	}
	var breaches []mappings.Breach
	if r.Broken {
		breaches = s.OneBreachOfEach(how)
	}
	doc, err := s.Break(channel, filled, breaches...)
	if err != nil {
		w.t.Fatal(err)
	}
	if by == "" {
		return doc
	}
	signed, err := signature.SignEnveloped(doc, w.keys[by], signature.SignOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return signed
}

// play plays a story and compares everything that came of it.
func play(t *testing.T, dir string) {
	s := readStory(t, dir)
	w := newTownFor(t, dir)
	w.now = s.At
	gone := w.keysOf(s.Revoked)
	w.lists.set(gone, w.keysOf(s.Away))
	if s.Unknown {
		w.reg.unknown = map[string]bool{form("portal")["applicant_iin"]: true}
	}
	for _, before := range s.After {
		other := readStory(t, filepath.Join(dir, "..", before))
		w.receive(t, other, filepath.Join(dir, "..", before, "in.xml"))
	}
	for _, a := range s.Before {
		w.deliver()
		w.act(t, w.serviceOf(dir), a, gone)
	}
	was := len(w.all())
	reply := w.receive(t, s, filepath.Join(dir, "in.xml"))
	w.deliver()
	for _, a := range s.Then {
		w.act(t, w.serviceOf(dir), a, gone)
		w.deliver()
	}
	got := map[string][]byte{"reply.xml": reply}
	if s.Door == "office" {
		delete(got, "reply.xml")
		got["reply.json"] = reply
	}
	for i, d := range w.post.taken() {
		got[fmt.Sprintf("out-%02d-%s-%s.xml", i+1, d.Route, strings.ToLower(d.MessageType))] = printed.ReplaceAll(d.Body, []byte("JVBERi0xLjc="))
	}
	if all := w.all(); len(all) > was || was > 0 {
		tl, err := w.bridge.Timeline(t.Context(), all[0].Number)
		if err != nil {
			t.Fatal(err)
		}
		got["verdict.json"] = verdicts(t, tl.Evidence)
		got["timeline.txt"] = told(tl)
		if row := w.row(t, w.serviceOf(dir), all[0].Number); row != nil {
			got["row.json"] = row
		}
	}
	if m := w.kept(t, s.Door, filepath.Join(dir, "in.xml")); m != nil && got["verdict.json"] == nil {
		ev, err := w.store.Evidence(t.Context(), "message/"+m.ID)
		if err != nil {
			t.Fatal(err)
		}
		got["verdict.json"] = verdicts(t, ev)
	}
	compare(t, dir, got)
}

// printed is a PDF in base64, of which a story shows the beginning: its bytes
// hang on the library that compresses them.
var printed = regexp.MustCompile(`JVBERi0xLjcK[A-Za-z0-9+/=]+`)

// kept is what the store has of a message.
func (w *town) kept(t *testing.T, door, file string) *gateway.Message {
	t.Helper()
	sender, key := "office/counter", filepath.Base(filepath.Dir(file))
	if door != "office" {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := xmltree.Parse(raw, xmltree.DefaultLimits())
		if err != nil {
			return nil
		}
		m, err := soap.Read(doc)
		if err != nil {
			return nil
		}
		sender, key = m.Sender().SenderID, gateway.MessageKey(m.MessageID())
	}
	m, err := w.store.Message(t.Context(), sender, key)
	if err != nil && !errors.Is(err, gateway.ErrNotFound) {
		t.Fatal(err)
	}
	return m
}

func (w *town) keysOf(names []string) (keys []*keystore.Key) {
	for _, n := range names {
		if w.keys[n] == nil {
			w.t.Fatalf("nobody is called %q", n)
		}
		keys = append(keys, w.keys[n])
	}
	return keys
}

func (w *town) receive(t *testing.T, s story, file string) []byte {
	t.Helper()
	door := s.Door
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if door == "office" {
		app, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: w.serviceOf(filepath.Dir(file)).ID, Channel: s.channel(), Office: s.Office, Document: raw, ID: filepath.Base(filepath.Dir(file))}, gateway.Actor{Name: "counter", IIN: gateway.IIN(s.By)})
		var e *gateway.Error
		if errors.As(err, &e) {
			return pretty(t, map[string]any{"code": e.Code, "reason": e.Reason, "field": e.Field, "say": e.Say, "ground": e.Ground})
		}
		return pretty(t, app)
	}
	return w.answered(t, w.send(gateway.Door(door), raw))
}

// answered is what an answer says, canonical: what a partner reads once it has
// judged the signature, which is judged here. Ids and signature change with
// the writer of envelopes and are no part of a story.
func (w *town) answered(t *testing.T, r gateway.Reply) []byte {
	t.Helper()
	doc, err := xmltree.Parse(r.Bytes, xmltree.DefaultLimits())
	if err != nil {
		t.Fatalf("%v: %s", err, r.Bytes)
	}
	m, err := soap.Read(doc)
	if err != nil {
		t.Fatalf("%v: %s", err, r.Bytes)
	}
	switch fault := m.Kind == soap.FaultKind; {
	case fault != (r.Code != ""), fault != (r.Status == 500):
		t.Errorf("status %d, code %q: %s", r.Status, r.Code, r.Bytes)
	case !fault:
		v := w.verifier.WSSE(t.Context(), doc, signature.Want{At: w.clock(), BIN: akimatBIN})
		content, ok := v.Content()
		if !ok {
			t.Fatalf("the answer's signature: %s %s", v.Outcome, v.Reason)
		}
		if doc, err = content.Tree(); err != nil {
			t.Fatal(err)
		}
	}
	body := doc.Root()
	if !body.Is(soap.Envelope11, "Body") {
		body, _, _ = body.Child(soap.Envelope11, "Body")
	}
	var out []byte
	for child := range body.Elements() {
		out = doc.Canonical(out, child, xmltree.C14N{Kind: xmltree.Exclusive})
	}
	return append(out, '\n')
}

// channel is that of an application that comes through the office door.
func (s story) channel() gateway.Channel {
	if s.Make != nil {
		return gateway.Channel(s.Make.Channel)
	}
	return gateway.Office
}

func (w *town) act(t *testing.T, service *mappings.Service, a act, gone []*keystore.Key) {
	t.Helper()
	ctx := t.Context()
	var err error
	number := w.all()[0].Number
	specialist := gateway.Actor{Name: "specialist"}
	switch {
	case a.Pass != "":
		d, e := time.ParseDuration(a.Pass)
		if e != nil {
			t.Fatal(e)
		}
		w.pass(d)
		if _, err = w.bridge.Tick(ctx); err == nil {
			_, err = w.bridge.Reask(ctx)
		}
	case a.Back:
		w.lists.set(gone, nil)
	case a.Take != "":
		_, err = w.bridge.Take(ctx, number, gateway.Actor{Name: a.Take})
	case a.Complete != "":
		_, err = w.bridge.Decide(ctx, number, specialist, gateway.Decision{Result: w.result(a.Complete, number, a.Result)})
	case a.Ground != "":
		_, err = w.bridge.Decide(ctx, number, specialist, gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Code: a.Ground}})
	case a.Refuse != "":
		_, err = w.bridge.Decide(ctx, number, specialist, gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Text: gateway.Text{RU: a.Refuse, KK: a.Refuse}}})
	case a.Forward != "":
		way := gateway.Forwarding{To: a.Forward}
		if a.Forward == gateway.HolderProvider {
			way.Letter = w.signed("official", []byte(`<certificate><number>1</number></certificate>`))
			way.Letter.Name = "letter.xml"
		}
		_, err = w.bridge.Forward(ctx, number, specialist, way)
	case a.Assign != "":
		_, err = w.bridge.HandOver(ctx, number, gateway.Actor{Name: "head"}, gateway.Actor{Name: a.Assign})
	case a.Extend != 0:
		_, err = w.bridge.Extend(ctx, number, gateway.Actor{Name: "official"}, gateway.Extension{Days: a.Extend, Reason: gateway.Text{RU: "запрошены сведения", KK: "мәліметтер сұратылды"}})
	case a.Suspend != 0:
		_, err = w.bridge.Suspend(ctx, number, gateway.Actor{Name: "official"}, gateway.Suspension{Days: a.Suspend, Reason: gateway.Text{RU: "запрошены сведения", KK: "мәліметтер сұратылды"}})
	case a.Resume:
		_, err = w.bridge.Resume(ctx, number, gateway.Actor{Name: "official"}, 0)
	case a.Local != nil:
		w.localSQL(t, "UPDATE "+service.Local.Table+" SET status_code = ?, status_reason = ?, status_changed_at = ? WHERE application_no = ?", a.Local[0], a.Local[1],
			w.clock().UTC().Format(time.RFC3339), number)
		_, err = w.bridge.Watch(ctx, service.ID)
	}
	if err != nil {
		t.Fatalf("%+v: %v", a, err)
	}
}

// result is the draft of a result of an application, signed by somebody: of
// the first result that completes the service when none is named, with some
// value for everything that its form asks for.
func (w *town) result(by, number, id string) *gateway.Document {
	w.t.Helper()
	draft := w.draftOf(number, gateway.ResultWish{Result: id})
	doc, err := signature.SignEnveloped(draft.Content, w.keys[by], signature.SignOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return &gateway.Document{Content: doc}
}

func (w *town) draftOf(number string, wish gateway.ResultWish) *gateway.Document {
	w.t.Helper()
	app, err := w.bridge.Application(w.t.Context(), number)
	if err != nil {
		w.t.Fatal(err)
	}
	s, _ := w.set.Service(app.Service)
	for _, r := range s.Results {
		if wish.Result == "" && gateway.State(r.State) == gateway.Completed {
			wish.Result = r.ID
		}
		if wish.Values == nil && r.ID == wish.Result {
			wish.Values = r.Sample(w.clock())
		}
	}
	draft, err := w.bridge.DraftResult(w.t.Context(), number, wish)
	if err != nil {
		w.t.Fatal(err)
	}
	return draft
}

func (w *town) openLocal(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.localPath+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func (w *town) localSQL(t *testing.T, q string, args ...any) {
	t.Helper()
	db := w.openLocal(t)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), q, args...); err != nil {
		t.Fatal(err)
	}
}

func (w *town) one(t *testing.T, q string) (v string) {
	t.Helper()
	db := w.openLocal(t)
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), q).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// row is the application's row in the local database, as JSON, with the rows
// of its groups under the names of their tables.
func (w *town) row(t *testing.T, service *mappings.Service, number string) []byte {
	t.Helper()
	db := w.openLocal(t)
	defer db.Close()
	all := read(t, db, "SELECT * FROM "+service.Local.Table+" WHERE application_no = ?", number)
	if len(all) == 0 {
		return nil
	}
	for _, g := range service.Request.Groups {
		all[0][g.Table] = read(t, db, "SELECT * FROM "+g.Table+" WHERE application_no = ? ORDER BY "+g.Number, number)
	}
	return pretty(t, all[0])
}

func read(t *testing.T, db *sql.DB, q, number string) (all []map[string]any) {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), q, number)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, places := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		out := map[string]any{}
		for i, n := range names {
			if values[i] != nil {
				out[n] = values[i]
			}
		}
		all = append(all, out)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func pretty(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func verdicts(t *testing.T, all []gateway.Evidence) []byte {
	var out []map[string]any
	for _, e := range all {
		out = append(out, map[string]any{"kind": e.Kind, "outcome": e.Outcome, "reason": e.Reason})
	}
	return pretty(t, out)
}

// told is a timeline as a person reads it.
func told(tl *gateway.Timeline) []byte {
	var b strings.Builder
	at := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.In(time.FixedZone("", 5*3600)).Format("2006-01-02 15:04:05")
	}
	a := tl.Application
	fmt.Fprintf(&b, "%s %s %s, due %s, overdue %t\n", a.Number, a.Channel, a.State, at(a.DueAt), a.Overdue)
	for _, e := range tl.Events {
		fmt.Fprintf(&b, "%s %s", at(e.At), e.Kind)
		if e.To != "" {
			fmt.Fprintf(&b, " %s", e.To)
		}
		fmt.Fprintf(&b, " by %s", e.Actor.Name)
		if e.Text.RU != "" {
			fmt.Fprintf(&b, ": %s | %s", e.Text.RU, e.Text.KK)
		}
		if e.Detail != "" {
			fmt.Fprintf(&b, " (%s)", e.Detail)
		}
		b.WriteByte('\n')
	}
	for _, d := range tl.Dues {
		fmt.Fprintf(&b, "step %d %s: from %s to %s, done %s\n", d.Step, d.Does, at(d.StartedAt), at(d.DueAt), at(d.DoneAt))
	}
	for _, d := range tl.Deliveries {
		fmt.Fprintf(&b, "%s %d %s %s\n", d.Route, d.Seq, d.MessageType, d.State)
	}
	return []byte(b.String())
}

// compare wants exactly these files beside in.xml and story.yaml.
func compare(t *testing.T, dir string, got map[string][]byte) {
	t.Helper()
	have, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range have {
		if name := f.Name(); name != "in.xml" && name != "story.yaml" && got[name] == nil {
			if *update {
				os.Remove(filepath.Join(dir, name))
				continue
			}
			t.Errorf("%s did not come", name)
		}
	}
	for name, content := range got {
		if strings.HasSuffix(name, ".xml") {
			if _, err := xmltree.Parse(content, xmltree.DefaultLimits()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		file := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(file, content, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%s came, and is not in the story: %s", name, content)
		} else if !bytes.Equal(want, content) {
			t.Errorf("%s\n got %s\nwant %s", name, content, want)
		}
	}
}
