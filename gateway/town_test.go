package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"kopir/gateway"
	"kopir/gateway/mio"
	"kopir/gateway/soap"
	"kopir/gateway/store"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// town is a bridge with everybody around it: a real store, a real local
// database, real signatures by an authority of its own, and a clock that
// stands still until it is moved.
type town struct {
	t      testing.TB
	set    *mappings.Set
	bridge *gateway.Bridge
	store  *store.Store
	local  *mio.DB
	post   *post
	reg    *register // of persons
	notary *register
	ca     *sigtest.Authority
	lists  *lists
	logs   *observer.ObservedLogs
	keys   map[string]*keystore.Key

	localPath string
	storePath string
	verifier  *signature.Verifier

	mu  sync.Mutex
	now time.Time
	ids int
}

const (
	certificate = "almaty-unemployed-certificate"
	serviceID   = "ALMATY_UNEMPLOYED_CERTIFICATE"
	district    = "almaty-almaly-district-department"
)

// A Wednesday, nine in the morning in Almaty.
var morning = time.Date(2026, 11, 25, 4, 0, 0, 0, time.UTC)

var (
	akimatBIN = sigtest.BIN(1)
	portalBIN = sigtest.BIN(2)
	cscBIN    = sigtest.BIN(3)
	otherBIN  = sigtest.BIN(4)
	gateBIN   = sigtest.BIN(5)
)

// The people. Their certificates are issued in the order of their names, and the
// stories hold them: who comes later comes last.
var people = map[string]sigtest.Profile{
	"bridge":     {Kind: sigtest.System, BIN: akimatBIN, CommonName: "ИС \"ТЕСТ МИО\""},
	"portal":     {Kind: sigtest.System, BIN: portalBIN, CommonName: "ИС \"ТЕСТ ПЭП\""},
	"csc":        {Kind: sigtest.System, BIN: cscBIN, CommonName: "ИС \"ТЕСТ ЦОН\""},
	"zgate":      {Kind: sigtest.System, BIN: gateBIN, CommonName: "ИС \"ТЕСТ ШЛЮЗ\""},
	"outsider":   {Kind: sigtest.System, BIN: otherBIN, CommonName: "ИС \"ТЕСТ ЧУЖАЯ\""},
	"citizen":    {Kind: sigtest.Person, IIN: sigtest.IIN(10), Surname: "Тестов", GivenName: "Тест", Patronymic: "Тестович"},
	"neighbour":  {Kind: sigtest.Person, IIN: sigtest.IIN(20), Surname: "Пробова", GivenName: "Проба"},
	"operator":   {Kind: sigtest.Employee, IIN: sigtest.IIN(30), BIN: cscBIN, Surname: "Операторова", GivenName: "Проба"},
	"specialist": {Kind: sigtest.Employee, IIN: sigtest.IIN(40), BIN: akimatBIN, Surname: "Специалистов", GivenName: "Тест"},
	"official":   {Kind: sigtest.Signatory, IIN: sigtest.IIN(50), BIN: akimatBIN, Surname: "Руководов", GivenName: "Тест"},
	"stranger":   {Kind: sigtest.Signatory, IIN: sigtest.IIN(60), BIN: otherBIN, Surname: "Чужов", GivenName: "Пример"},
	"teller":     {Kind: sigtest.Employee, IIN: sigtest.IIN(70), BIN: portalBIN, Surname: "Кассиров", GivenName: "Тест"},
	"expired":    {Kind: sigtest.Person, IIN: sigtest.IIN(10), Surname: "Тестов", GivenName: "Тест", NotBefore: morning.AddDate(-2, 0, 0), NotAfter: morning.AddDate(-1, 0, 0)},
	"login":      {Kind: sigtest.Person, IIN: sigtest.IIN(10), Surname: "Тестов", GivenName: "Тест", Usage: sigtest.Auth},
}

var (
	castOnce sync.Once
	castCA   *sigtest.Authority
	castKeys map[string]*keystore.Key
	castSer  map[string]*sigtest.Credential
	castErr  error
)

// cast issues everybody's certificate once for the whole test binary.
func cast() {
	castCA, castErr = sigtest.NewAuthority("", sigtest.Options{Day: morning.Truncate(24 * time.Hour)})
	if castErr != nil {
		return
	}
	castKeys, castSer = map[string]*keystore.Key{}, map[string]*sigtest.Credential{}
	names := make([]string, 0, len(people))
	for n := range people {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		c, err := castCA.Issue(people[n])
		if err == nil {
			castSer[n] = c
			castKeys[n], err = c.Key()
		}
		if err != nil {
			castErr = fmt.Errorf("%s: %w", n, err)
			return
		}
	}
}

func newTown(t testing.TB) *town {
	t.Helper()
	castOnce.Do(cast)
	if castErr != nil {
		t.Fatal(castErr)
	}
	set, faults := builtin()
	for _, f := range faults {
		t.Fatal(f)
	}
	return newTownOf(t, set)
}

// builtin is read once for the whole test binary: a set does not change.
var builtin = sync.OnceValues(mappings.Builtin)

func newTownOf(t testing.TB, set *mappings.Set) *town {
	t.Helper()
	castOnce.Do(cast)
	if castErr != nil {
		t.Fatal(castErr)
	}
	w := &town{t: t, set: set, ca: castCA, keys: castKeys, now: morning, post: &post{}, reg: &register{}, notary: &register{}, lists: &lists{}}
	dir := t.TempDir()
	var err error
	w.storePath = filepath.Join(dir, "kopir.db")
	if w.store, err = store.OpenSQLite(t.Context(), w.storePath); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	w.localPath = filepath.Join(dir, "mio.db")
	if w.local, err = mio.OpenSQLite(t.Context(), w.localPath, set); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.local.Close() })
	var core zapcore.Core
	core, w.logs = observer.New(zap.DebugLevel)
	w.bridge, err = gateway.New(w.options(core))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *town) options(core zapcore.Core) gateway.Options {
	trust := nuc.NewTrust()
	for _, c := range []struct {
		der []byte
		add func(*nuc.Certificate)
	}{{w.ca.Root(), func(c *nuc.Certificate) { trust.AddRoot(c) }}, {w.ca.Issuing(), func(c *nuc.Certificate) { trust.AddIntermediate(c) }}} {
		cert, err := nuc.ParseCertificate(c.der)
		if err != nil {
			w.t.Fatal(err)
		}
		c.add(cert)
	}
	w.verifier = &signature.Verifier{Trust: trust, Revocation: w.lists}
	return gateway.Options{
		Store: w.store, Verifier: w.verifier, Key: w.keys["bridge"], Services: w.set,
		Terms: gateway.Terms{
			Partners: []gateway.Partner{
				{SenderID: "PEP", Channel: gateway.Portal, Password: "Qwerty12", BINs: []gateway.BIN{gateway.BIN(portalBIN)}},
				{SenderID: "CON", Channel: gateway.CSC, Password: "Qwerty12", BINs: []gateway.BIN{gateway.BIN(cscBIN)}},
			},
			Gateway: []gateway.BIN{gateway.BIN(gateBIN)}, Sender: w.post, Registries: map[string]gateway.Registry{mappings.Persons: w.reg, mappings.Notaries: w.notary}, Officials: []gateway.BIN{gateway.BIN(akimatBIN)}, SenderID: "MIO",
		},
		Local: w.local, Log: zap.New(core), Now: w.clock, NewID: w.newID,
	}
}

func (w *town) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *town) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// newID counts, so that golden files hold.
func (w *town) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.ids)
}

// lists answers about revocation from what a test says; it can be away.
type lists struct {
	mu      sync.Mutex
	revoked map[string]bool // serial in hex
	away    map[string]bool // nobody answers about these
}

func (l *lists) Check(_ context.Context, leaf, _ *nuc.Certificate, _ time.Time) verdict.Check {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.away[leaf.SerialHex()]:
		return verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, "nobody answers")
	case l.revoked[leaf.SerialHex()]:
		return verdict.Fail(verdict.CheckRevocation, verdict.Revoked, "on the list")
	}
	return verdict.Pass(verdict.CheckRevocation, "not on the list")
}

// set says who is revoked and about whom nobody answers.
func (l *lists) set(revoked, away []*keystore.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked, l.away = map[string]bool{}, map[string]bool{}
	for _, k := range revoked {
		l.revoked[k.Certificate.SerialHex()] = true
	}
	for _, k := range away {
		l.away[k.Certificate.SerialHex()] = true
	}
}

// post is the partners' end: it takes what comes, or fails as told.
type post struct {
	mu   sync.Mutex
	got  []gateway.Delivery
	fail func(gateway.Delivery) error
}

func (p *post) Send(_ context.Context, d gateway.Delivery) (gateway.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		if err := p.fail(d); err != nil {
			return gateway.Receipt{}, err
		}
	}
	p.got = append(p.got, d)
	return gateway.Receipt{MessageID: fmt.Sprintf("2163860%02d", len(p.got)), Sent: []byte("<sent/>"), Answer: []byte("<answer/>")}, nil
}

func (p *post) taken() []gateway.Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// register is a registry that answers as told.
type register struct {
	mu      sync.Mutex
	unknown map[string]bool
	err     error
	answer  gateway.Finding // instead of what is found by default
	asked   []gateway.Question
}

func (r *register) Ask(_ context.Context, q gateway.Question) (gateway.Finding, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, q)
	switch {
	case r.err != nil:
		return gateway.Finding{}, r.err
	case r.unknown[q.Subject]:
		return gateway.Finding{Standing: gateway.NoData, Answer: []byte("<persons/>")}, nil
	case r.answer.Standing != "":
		return r.answer, nil
	}
	f := gateway.Finding{Standing: gateway.Found, Asked: []byte("<asked/>"), Answer: []byte("<answer/>")}
	for name, value := range q.Values { // it knows what the application says
		f.Facts = append(f.Facts, gateway.Fact{Name: name, Value: value})
	}
	return f, nil
}

// deliver runs the outbox until nothing is due.
func (w *town) deliver() {
	w.t.Helper()
	for {
		moved := 0
		for _, r := range gateway.Routes() {
			n, err := w.bridge.Deliver(w.t.Context(), r)
			if err != nil {
				w.t.Fatal(err)
			}
			moved += n
		}
		if moved == 0 {
			return
		}
	}
}

// form is a filled form of the certificate service.
func form(channel string) map[string]string {
	f := map[string]string{
		"partner_number": "P-1", "applicant_iin": sigtest.IIN(10), "surname": "ТЕСТОВ", "given_name": "ТЕСТ", "patronymic": "ТЕСТОВИЧ",
		"applicant_birth_date": "1980-01-11", "district": district, "address": "город Алматы, улица Тестовая, дом 1", "delivery": "in_person", "consent": "true",
	}
	switch channel {
	case "csc":
		f["operator_iin"] = sigtest.IIN(30)
	case "office", "akim":
		f["operator_iin"] = sigtest.IIN(40)
	}
	return f
}

// filled is a filled form of any service: what every form asks for as above,
// and of the rest what is required, by its type.
func filled(s *mappings.Service, channel string) map[string]string {
	f := form(channel)
	for name := range f {
		if field, ok := s.Field(name); !ok || !field.In(channel) {
			delete(f, name)
		}
	}
	for i := range s.Request.Fields {
		field := &s.Request.Fields[i]
		if field.Optional || !field.In(channel) || f[field.Name] != "" && (field.Name != "district" || s.ID == certificate) {
			continue
		}
		f[field.Name] = sample(s, field)
	}
	return f
}

// sample is a value that a field takes.
func sample(s *mappings.Service, f *mappings.Field) string {
	switch f.Type {
	case "iin":
		return sigtest.IIN(70)
	case "bin":
		return otherBIN
	case "date":
		return "2016-03-12"
	case "int", "decimal":
		return or(f.Min, "1")
	case "bool":
		return "true"
	case "phone":
		return "+77010000001"
	case "code":
		if codes, ok := s.CodeList(f.Codes); ok {
			return codes.Codes[0].Value
		}
	}
	if strings.HasPrefix(f.Pattern, "KZ") {
		return "KZ000000000000000001"
	}
	return "ТЕСТ"
}

// enclosures are the attachments without which a form is not complete.
func enclosures(s *mappings.Service, channel string) []mappings.Attachment {
	var all []mappings.Attachment
	for i := range s.Request.Attachments {
		if a := &s.Request.Attachments[i]; !a.Optional && a.In(channel) {
			all = append(all, mappings.Attachment{Kind: a.Name, Name: a.Name + ".pdf", Type: "application/pdf", Content: []byte("%PDF-1.4 test")})
		}
	}
	return all
}

// document builds a form of the certificate service and lets somebody sign it.
func (w *town) document(channel string, values map[string]string, by string) []byte {
	w.t.Helper()
	s, ok := w.set.Service(certificate)
	if !ok {
		w.t.Fatal("no service")
	}
	return w.documentOf(s, channel, values, by)
}

// documentOf builds a form and lets somebody sign it.
func (w *town) documentOf(s *mappings.Service, channel string, values map[string]string, by string) []byte {
	w.t.Helper()
	doc, err := s.Document(channel, values, enclosures(s, channel))
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

// envelope builds a message and lets a system sign it.
func (w *town) envelope(p soap.Payload, by string) []byte {
	w.t.Helper()
	raw, err := soap.Build(p)
	if err != nil {
		w.t.Fatal(err)
	}
	if by == "" {
		return raw
	}
	signed, err := signature.SignWSSE(raw, w.keys[by], signature.SignOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return signed
}

func syncRequest(id string, doc []byte, at time.Time) *soap.SyncSendMessageRequest {
	return &soap.SyncSendMessageRequest{
		RequestInfo: soap.SyncMessageInfo{MessageID: id, ServiceID: serviceID, MessageDate: at, Sender: soap.SenderInfo{SenderID: "PEP", Password: "Qwerty12"}},
		RequestData: soap.RequestData{Data: soap.EscapedData(doc)},
	}
}

func asyncRequest(id string, doc []byte, at time.Time) *soap.AsyncSendMessageRequest {
	return &soap.AsyncSendMessageRequest{
		MessageInfo: soap.AsyncMessageInfo{MessageID: id, CorrelationID: "3226347", ServiceID: serviceID, MessageType: soap.TypeRequest, MessageDate: at,
			Sender: soap.SenderInfo{SenderID: "PEP", Password: soap.Secret("ab" + fmt.Sprintf("%062d", 0))}, SessionID: "{0F9619FF-8B86-D011-B42D-00CF4FC964FF}"},
		MessageData: soap.MessageData{Data: soap.EscapedData(doc)},
	}
}

func (w *town) send(door gateway.Door, raw []byte) gateway.Reply {
	return w.bridge.Receive(w.t.Context(), gateway.Incoming{Door: door, Raw: raw})
}

// apply lets the citizen apply through the portal.
func (w *town) apply(id string) (*gateway.Application, gateway.Reply) {
	w.t.Helper()
	r := w.send(gateway.SyncDoor, w.envelope(syncRequest(id, w.document("portal", form("portal"), "citizen"), w.clock()), "portal"))
	if r.Code != "" {
		w.t.Fatalf("refused: %s %s", r.Code, r.Bytes)
	}
	return w.newest(), r
}

// newest is the application that came last.
func (w *town) newest() *gateway.Application {
	w.t.Helper()
	all := w.all()
	if len(all) == 0 {
		w.t.Fatal("no application")
	}
	return &all[0]
}

// only is the one application that there is.
func (w *town) only() *gateway.Application {
	w.t.Helper()
	all := w.all()
	if len(all) != 1 {
		w.t.Fatalf("%d applications", len(all))
	}
	return &all[0]
}

func (w *town) all() []gateway.Application {
	w.t.Helper()
	p, err := w.bridge.Applications(w.t.Context(), gateway.Filter{}, "", 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Applications
}

var errDown = errors.New("connection refused")
