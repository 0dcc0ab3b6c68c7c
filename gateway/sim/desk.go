package sim

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"kopir/gateway/soap"
	"kopir/signature"
)

// Notice is one message that told a partner about an application: a line in
// the cabinet's notifications, or in the service centre's list.
type Notice struct {
	At        time.Time          `json:"at"`
	Type      string             `json:"type"` // NOTIFICATION or RESPONSE; ANSWER of the SyncChannel
	From      string             `json:"from"` // sender id
	MessageID string             `json:"message_id"`
	Code      string             `json:"code,omitempty"` // the partner's status code
	TextRU    string             `json:"text_ru,omitempty"`
	TextKK    string             `json:"text_kk,omitempty"`
	ReasonRU  string             `json:"reason_ru,omitempty"`
	ReasonKK  string             `json:"reason_kk,omitempty"`
	Repeat    bool               `json:"repeat,omitempty"` // the same document came before
	Transport *signature.Verdict `json:"transport"`        // over the Body
	Document  string             `json:"document"`         // as it came in data
	Inner     *signature.Verdict `json:"inner,omitempty"`  // of a signature inside it
}

// Result is the output document of a service.
type Result struct {
	Name      string             `json:"name"`
	MediaType string             `json:"media_type"`
	Content   []byte             `json:"content"`
	SHA256    string             `json:"sha256"`
	Verdict   *signature.Verdict `json:"verdict,omitempty"` // of the official's signature, inside the XML or beside it
	PaperName string             `json:"paper_name,omitempty"`
	Paper     []byte             `json:"-"`                 // the same printed for people
	Address   string             `json:"address,omitempty"` // where it is verified
}

// Case is an application as a partner sees it.
type Case struct {
	Number        string    `json:"number"`               // the partner's own
	BridgeNumber  string    `json:"bridge_number"`        // once it was told
	Service       string    `json:"service"`              // empty when the partner has no form of it
	Person        string    `json:"person,omitempty"`     // applicant, by key
	SignedBy      string    `json:"signed_by,omitempty"`  // by key
	MessageID     string    `json:"message_id,omitempty"` // the gateway's
	CorrelationID string    `json:"correlation_id"`
	SentAt        time.Time `json:"sent_at,omitzero"` // zero: the partner learnt of it by a notice
	Status        string    `json:"status"`           // code of the last notice
	Delivery      string    `json:"delivery"`         // the gateway's word on the application: ON_DELIVERY, DELIVERED, NOT_DELIVERED
	Fault         string    `json:"fault,omitempty"`  // why it was not delivered
	Notices       []Notice  `json:"notices"`
	Result        *Result   `json:"result,omitempty"`
	Document      string    `json:"document,omitempty"` // as it was sent
}

// desk is the portal or the service centre: it sends applications and keeps
// what it is told about them.
type desk struct {
	sim     *Sim
	as      *member
	channel string
	most    int // how many applications are remembered at least

	mu    sync.Mutex
	next  int
	cases []*Case
	// Cases by conversation, own number, bridge's number and message.
	byTalk, byNumber, byBridge, byMessage map[string]*Case
	early                                 map[string]soap.ChangeStatusNotification // came before the gateway's answer was read
	watch                                 chan struct{}                            // closed and replaced at every change
}

func newDesk(s *Sim, as *member, channel string, most int) *desk {
	as.notify = true
	d := &desk{sim: s, as: as, channel: channel, most: most, next: int(s.now().Unix())}
	d.forget()
	return d
}

// forget empties the desk; its numbers go on.
func (d *desk) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cases = nil
	d.byTalk, d.byNumber, d.byBridge, d.byMessage = map[string]*Case{}, map[string]*Case{}, map[string]*Case{}, map[string]*Case{}
	d.early = map[string]soap.ChangeStatusNotification{}
	if d.watch != nil {
		close(d.watch)
	}
	d.watch = make(chan struct{})
}

// number is the partner's own number of an application. The caller holds mu.
func (d *desk) number() string {
	d.next++
	return d.as.sender + "-" + strconv.Itoa(d.next)
}

// changed wakes those who wait. The caller holds mu.
func (d *desk) changed() {
	close(d.watch)
	d.watch = make(chan struct{})
}

// list gives copies of the cases that a filter lets through, oldest first,
// and a channel that is closed at the next change.
func (d *desk) list(keep func(*Case) bool) ([]Case, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []Case{}
	for _, c := range d.cases {
		if keep == nil || keep(c) {
			one := *c
			one.Notices = slices.Clone(c.Notices)
			out = append(out, one)
		}
	}
	return out, d.watch
}

// await gives the cases that fit as soon as there is one, or none when the
// context ends first.
func (d *desk) await(ctx context.Context, fits func(*Case) bool) []Case {
	for {
		list, change := d.list(fits)
		if len(list) > 0 {
			return list
		}
		select {
		case <-ctx.Done():
			return list
		case <-change:
		}
	}
}

// callback is the desk's door: what the gateway pushes.
func (d *desk) callback(w http.ResponseWriter, r *http.Request) {
	s := d.sim
	if code := troubleOf(r.Context()).Fault; code != "" {
		s.fault(w, d.as, soap.AsyncSendMessage, refuse(code, "ordered"))
		return
	}
	raw, bad := readAll(w, r)
	var got *received
	if bad == nil {
		got, bad = s.receive(r.Context(), raw)
	}
	if bad == nil && signedBy(got.verdict).Subject.BIN != s.members["gateway"].bin {
		bad = refuse(codeSignature, "not signed by the gateway")
	}
	if bad != nil {
		s.fault(w, d.as, soap.AsyncSendMessage, bad)
		return
	}
	switch p := got.message.Payload.(type) {
	case *soap.AsyncSendMessageRequest:
		d.take(r, got, p)
		s.witness.Noticed(d.channel, Notice{At: s.now(), Type: string(p.MessageInfo.MessageType), From: p.MessageInfo.Sender.SenderID, MessageID: p.MessageInfo.MessageID})
		s.answer(w, r, d.as, &soap.AsyncSendMessageResponse{MessageID: p.MessageInfo.MessageID, CorrelationID: p.MessageInfo.CorrelationID, ResponseDate: s.now(), SessionID: p.MessageInfo.SessionID})
	case *soap.AsyncChangeStatusNotifyRequest:
		d.delivered(p.Notification)
		s.answer(w, r, d.as, &soap.AsyncChangeStatusNotifyResponse{ResponseDate: s.now(), SessionID: p.SessionID})
	default:
		s.fault(w, d.as, soap.AsyncSendMessage, refuse(codeFormat, "%s is not an operation of a call-back", got.message.Operation))
	}
}

// delivered notes what the gateway says of an application that was sent.
func (d *desk) delivered(n soap.ChangeStatusNotification) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.byMessage[n.MessageID]
	if c == nil {
		d.early[n.MessageID] = n
		return
	}
	c.Delivery = string(n.MessageState)
	if n.MessageState != soap.Delivered {
		c.Fault = n.Status.StatusCode + ": " + n.Status.StatusMessage
	}
	d.changed()
}

// take keeps a notice that the gateway pushed.
func (d *desk) take(r *http.Request, got *received, p *soap.AsyncSendMessageRequest) {
	info := p.MessageInfo
	d.note(r.Context(), info.CorrelationID, documentOf(p.MessageData.Data), Notice{
		At: d.sim.now(), Type: string(info.MessageType), From: info.Sender.SenderID, MessageID: info.MessageID, Transport: got.verdict,
	})
}

// note keeps a notice with the case it belongs to; a desk that learns of an
// application in this way gives it its own number.
func (d *desk) note(ctx context.Context, correlation string, document []byte, n Notice) {
	n.Document = string(document)
	n.Inner = d.sim.judgeInner(ctx, document)
	d.keepNotice(ctx, correlation, d.sim.readNotice(document, d.channel), n)
}

// keepNotice is the same for what was read from it.
func (d *desk) keepNotice(ctx context.Context, correlation string, read map[string]string, n Notice) {
	n.Code, n.TextRU, n.TextKK, n.ReasonRU, n.ReasonKK = read["code"], read["text_ru"], read["text_kk"], read["reason_ru"], read["reason_kk"]
	var result *Result
	if read["result_content"] != "" {
		result = d.sim.readResult(ctx, read)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.find(correlation, read["partner_number"], read["number"])
	if c == nil {
		c = &Case{Number: d.number(), CorrelationID: correlation, Notices: []Notice{}, Service: read["service"]}
		d.keep(c)
	}
	n.Repeat = slices.ContainsFunc(c.Notices, func(old Notice) bool { return old.Document == n.Document })
	c.Notices = append(c.Notices, n)
	if c.BridgeNumber == "" && read["number"] != "" {
		c.BridgeNumber = read["number"]
		d.byBridge[c.BridgeNumber] = c
	}
	if n.Code != "" {
		c.Status = n.Code
	}
	if result != nil {
		c.Result = result
	}
	d.changed()
}

// find gives the case of a notice: by conversation, by our number, or by the
// bridge's. The caller holds mu.
func (d *desk) find(correlation, own, bridge string) *Case {
	for _, c := range []*Case{d.byTalk[correlation], d.byNumber[own], d.byBridge[bridge]} {
		if c != nil {
			return c
		}
	}
	return nil
}

// keepCases is how many applications a desk remembers; twice as many are the
// signal to forget the oldest.
const keepCases = 20_000

// keep enters a case. The caller holds mu.
func (d *desk) keep(c *Case) {
	if len(d.cases) >= 2*d.most {
		old := d.cases[:d.most]
		d.cases = slices.Clone(d.cases[d.most:])
		for _, gone := range old {
			delete(d.byNumber, gone.Number)
			delete(d.byTalk, gone.CorrelationID)
			delete(d.byBridge, gone.BridgeNumber)
			delete(d.byMessage, gone.MessageID)
		}
	}
	d.cases = append(d.cases, c)
	d.byNumber[c.Number] = c
	if c.CorrelationID != "" {
		d.byTalk[c.CorrelationID] = c
	}
}

// drop takes a case out again. The caller holds mu.
func (d *desk) drop(c *Case) {
	d.cases = slices.DeleteFunc(d.cases, func(other *Case) bool { return other == c })
	delete(d.byNumber, c.Number)
}
