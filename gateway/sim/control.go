package sim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"kopir/mappings"
	"kopir/signature/sigtest"
)

// Address is where the parts of the simulation are found.
type Address struct {
	Authorities []AuthorityAddress `json:"authorities"` // one, or two with mixed keys

	Sync     string `json:"sync"`     // the gateway's SyncChannel
	Async    string `json:"async"`    // the gateway's AsyncChannel
	OCSP     string `json:"ocsp"`     // answers for every authority
	CRL      string `json:"crl"`      // full list, of the first authority
	DeltaCRL string `json:"delta"`    // of the first authority
	Roots    string `json:"root"`     // DER, of the first authority
	Chain    string `json:"chain"`    // PEM: root and issuing CA of every authority
	Control  string `json:"control"`  // this interface
	Portal   string `json:"portal"`   // call-back
	CSC      string `json:"csc"`      // call-back
	Registry string `json:"registry"` // behind the gateway
}

// AuthorityAddress is where one certification authority publishes.
type AuthorityAddress struct {
	Keys     Keys   `json:"keys"`    // rsa or gost: what it issues
	Roots    string `json:"root"`    // DER
	Issuing  string `json:"issuing"` // DER
	Chain    string `json:"chain"`
	CRL      string `json:"crl"`
	DeltaCRL string `json:"delta"`
	RootCRL  string `json:"root_crl"`
	Stamps   string `json:"tsp"` // time stamps, RFC 3161
}

// Addresses tells where everything is.
func (s *Sim) Addresses() Address {
	b := s.base
	var authorities []AuthorityAddress
	for _, a := range s.authorities {
		at := b + a.path
		authorities = append(authorities, AuthorityAddress{a.keys, at + sigtest.PathRoot, at + sigtest.PathIssuing, at + "/chain.pem", at + sigtest.PathCRL, at + sigtest.PathDeltaCRL, at + sigtest.PathRootCRL, at + pathStamps})
	}
	return Address{
		Authorities: authorities,
		Sync:        b + SyncPath, Async: b + AsyncPath, OCSP: b + "/ca/ocsp", CRL: b + "/ca/crl/nca.crl", DeltaCRL: b + "/ca/crl/nca_d.crl",
		Roots: b + "/ca/cert/root.cer", Chain: b + "/ca/chain.pem", Control: b + "/sim/", Portal: b + "/portal/callback", CSC: b + "/csc/callback", Registry: b + "/registry/gbdfl",
	}
}

// System is a member of the gateway, as the control interface shows it.
type System struct {
	Key          string   `json:"key"`
	Sender       string   `json:"sender"`
	Password     string   `json:"password"`      // towards the gateway
	PushPassword string   `json:"push_password"` // what the gateway writes for it in what it pushes
	BIN          string   `json:"bin"`
	Services     []string `json:"services"`
	AsyncURL     string   `json:"async_url,omitempty"`
	SyncURL      string   `json:"sync_url,omitempty"`
}

// systemKeys are the members of the gateway.
var systemKeys = []string{"gateway", "bridge", "portal", "csc", "registry", "consent", "entities", "notary", "mobile"}

// System finds a member by key, see systemKeys.
func (s *Sim) System(key string) (System, bool) {
	m, ok := s.members[key]
	if !ok {
		return System{}, false
	}
	async, sync := m.addresses()
	return System{m.key, m.sender, m.password, s.PushPassword(m.sender), m.bin, m.services, async, sync}, true
}

func (s *Sim) getState(w http.ResponseWriter, _ *http.Request) {
	systems := []System{}
	for _, key := range systemKeys {
		m, _ := s.System(key)
		systems = append(systems, m)
	}
	writeJSON(w, http.StatusOK, struct {
		Now       time.Time        `json:"now"`
		Addresses Address          `json:"addresses"`
		Keys      KeyUse           `json:"keys"`
		Systems   []System         `json:"systems"`
		Trouble   map[Part]Trouble `json:"trouble"`
	}{s.now(), s.Addresses(), s.KeyUse(), systems, s.troubles.list()})
}

func (s *Sim) putBridge(w http.ResponseWriter, r *http.Request) {
	var b Bridge
	if !readJSON(w, r, &b) {
		return
	}
	s.SetBridge(b)
	m, _ := s.System("bridge")
	writeJSON(w, http.StatusOK, m)
}

// Reset forgets applications and messages, ends all trouble, and gives
// everybody a good certificate again. Revocations stay.
func (s *Sim) Reset() {
	s.calm()
	s.gateway.forget()
	s.portal.forget()
	s.csc.forget()
	s.mobile.forget()
	s.renewAll()
}

// calm ends all trouble and sends what it kept back.
func (s *Sim) calm() {
	s.troubles.reset()
	for _, m := range s.members {
		s.release(m)
	}
}

func (s *Sim) getPeople(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	people := make([]Person, 0, len(s.order))
	for _, key := range s.order {
		people = append(people, s.people[key])
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, people)
}

func (s *Sim) postPerson(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Person
		BIN string `json:"bin"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	p := in.Person
	p.BIN = in.BIN
	if err := s.AddPerson(p); err != nil {
		problem(w, http.StatusConflict, err.Error())
		return
	}
	p, _ = s.Person(p.Key)
	writeJSON(w, http.StatusCreated, p)
}

// postSign signs an XML document as somebody.
func (s *Sim) postSign(w http.ResponseWriter, r *http.Request) {
	q, ok := query(w, r, "certificate")
	if !ok {
		return
	}
	document, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err != nil {
		problem(w, http.StatusRequestEntityTooLarge, "the document is too large or broken off")
		return
	}
	signed, err := s.signAs(r.PathValue("key"), q.Get("certificate"), document)
	if err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Write(signed)
}

func (s *Sim) putTrouble(w http.ResponseWriter, r *http.Request) {
	var t Trouble
	if !readJSON(w, r, &t) {
		return
	}
	if err := s.SetTrouble(Part(r.PathValue("part")), t); err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, t)
}

func (s *Sim) deleteTrouble(w http.ResponseWriter, r *http.Request) {
	if err := s.SetTrouble(Part(r.PathValue("part")), Trouble{}); err != nil {
		problem(w, http.StatusNotFound, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// SetTrouble makes a part misbehave from now on; the zero Trouble ends it. It
// refuses what the part cannot do.
func (s *Sim) SetTrouble(p Part, t Trouble) error {
	if err := s.troubles.put(p, t); err != nil {
		return err
	}
	if p == PartPush && !t.Reorder {
		s.release(s.members["bridge"])
	}
	return nil
}

// order is what POST /sim/applications and /sim/documents read.
type order struct {
	Channel string `json:"channel,omitempty"` // portal (default), csc, mobile; documents: office and akim too
	Submission
}

func (s *Sim) postApplication(w http.ResponseWriter, r *http.Request) {
	var in order
	if !readJSON(w, r, &in) {
		return
	}
	c, err := s.Submit(r.Context(), in.Channel, in.Submission)
	var no *loginRefused
	if errors.As(err, &no) {
		problem(w, http.StatusForbidden, no.Error())
		return
	}
	if err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	writeJSON(w, http.StatusCreated, c)
}

// Submit has an application made, signed, and sent through the gateway by the
// portal ("" or "portal") or the service centre ("csc"), or filed at the
// bridge's REST door by the portal's application for phones ("mobile").
func (s *Sim) Submit(ctx context.Context, channel string, sub Submission) (*Case, error) {
	if channel == "" {
		channel = "portal"
	}
	d, err := s.desk(channel)
	if err != nil {
		return nil, err
	}
	return d.send(ctx, sub)
}

// Document makes and signs the document of an application and sends nothing:
// for the office channel, whose documents come by REST.
func (s *Sim) Document(channel string, sub Submission) ([]byte, error) {
	document, _, err := s.document(channel, "", &sub)
	return document, err
}

// Offer is a service as the simulator can send its applications.
type Offer struct {
	Service   string    `json:"service"`
	ServiceID string    `json:"service_id"`
	Channels  []Opening `json:"channels"`
}

// Opening is a channel of a service, with the rules of its form.
type Opening struct {
	Channel string   `json:"channel"`
	Rules   []string `json:"rules"` // as tweaks.break takes them
}

func (s *Sim) getServices(w http.ResponseWriter, _ *http.Request) {
	offers := []Offer{}
	for _, service := range s.set.Offers(s.now()) {
		o := Offer{Service: service.ID, ServiceID: service.Gateway.ServiceID}
		for _, c := range service.Channels {
			open := Opening{Channel: c.ID, Rules: []string{}}
			for _, b := range service.Breaches(mappings.Filling{Channel: c.ID, At: s.now()}) {
				open.Rules = append(open.Rules, b.Name())
			}
			o.Channels = append(o.Channels, open)
		}
		offers = append(offers, o)
	}
	writeJSON(w, http.StatusOK, offers)
}

func (s *Sim) postDocument(w http.ResponseWriter, r *http.Request) {
	var in order
	if !readJSON(w, r, &in) {
		return
	}
	if in.Channel == "" {
		in.Channel = "office"
	}
	document, err := s.Document(in.Channel, in.Submission)
	if err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	if in.Signed == signedCMS {
		w.Header().Set("Content-Type", "application/pkcs7-mime")
	}
	w.Write(document)
}

// getCases lists an inbox; with wait it answers as soon as something fits.
func (d *desk) getCases(w http.ResponseWriter, r *http.Request) {
	q, ok := query(w, r, "number", "bridge_number", "correlation_id", "person", "status", "notices", "delivery", "wait")
	if !ok {
		return
	}
	var err error
	notices, wait := 0, time.Duration(0)
	if text := q.Get("notices"); text != "" {
		if notices, err = strconv.Atoi(text); err != nil {
			problem(w, http.StatusBadRequest, "notices is a number: at least so many")
			return
		}
	}
	if text := q.Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > maxWait {
			problem(w, http.StatusBadRequest, "wait is a length of time up to 2m, such as 10s")
			return
		}
	}
	fits := func(c *Case) bool {
		for name, value := range map[string]string{"number": c.Number, "bridge_number": c.BridgeNumber, "correlation_id": c.CorrelationID, "person": c.Person, "status": c.Status, "delivery": c.Delivery} {
			if want := q.Get(name); want != "" && want != value {
				return false
			}
		}
		return len(c.Notices) >= notices
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	writeJSON(w, http.StatusOK, d.await(ctx, fits))
}

// Cases waits until a desk ("portal", "csc" or "mobile") has applications that fit, or
// the context ends, and gives them.
func (s *Sim) Cases(ctx context.Context, desk string, fits func(*Case) bool) ([]Case, error) {
	d, err := s.desk(desk)
	if err != nil {
		return nil, err
	}
	return d.await(ctx, fits), nil
}

func (d *desk) getCase(w http.ResponseWriter, r *http.Request) {
	if c, ok := d.oneCase(w, r); ok {
		writeJSON(w, http.StatusOK, c)
	}
}

// getResult gives one of the files of a result.
func (d *desk) getResult(file func(*Result) []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, ok := d.oneCase(w, r)
		if !ok {
			return
		}
		if c.Result == nil || len(file(c.Result)) == 0 {
			problem(w, http.StatusNotFound, "none has come yet")
			return
		}
		// Never the media type that the bridge names: nothing of it may run in a browser.
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(file(c.Result))
	}
}

func (d *desk) oneCase(w http.ResponseWriter, r *http.Request) (Case, bool) {
	number := r.PathValue("number")
	list, _ := d.list(func(c *Case) bool { return c.Number == number })
	if len(list) == 0 {
		problem(w, http.StatusNotFound, "no application has this number")
		return Case{}, false
	}
	return list[0], true
}
