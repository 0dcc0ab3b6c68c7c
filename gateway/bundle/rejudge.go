package bundle

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"kopir/gateway"
	"kopir/gateway/journal"
	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// recordedVerdict is a verdict as the bridge reached it.
type recordedVerdict struct {
	Outcome    verdict.Outcome `json:"outcome"`
	Reason     verdict.Reason  `json:"reason"`
	Signatures []struct {
		Signer *struct {
			Serial string `json:"serial"`
		} `json:"signer"`
	} `json:"signatures"`
}

func (v *recordedVerdict) serials() (all []string) {
	for _, s := range v.Signatures {
		if s.Signer != nil {
			all = append(all, s.Signer.Serial)
		}
	}
	return all
}

// signatures judges again every signature of which a verdict was recorded, and
// those that the bridge made itself.
func (x *examination) signatures() {
	for _, i := range x.find("verdict") {
		t := &x.things[i]
		kept := t.Piece("verdict")
		if len(kept) == 0 {
			continue // of no signature: what came otherwise than described, a consent
		}
		file := x.index.fileOf(i, "verdict")
		if m := x.message(string(t.Piece("message"))); m != nil && len(m.Piece("raw")) == 0 {
			x.doubt(file, "not-kept", "sha256", string(m.Piece("sha256")))
			continue
		}
		var said recordedVerdict
		if err := json.Unmarshal(kept, &said); err != nil {
			x.fault(file, "unreadable", "detail", err)
			continue
		}
		x.again(t, file, &said)
	}
	for _, what := range []string{"delivery", "try"} {
		for _, i := range x.find(what) {
			x.sent(&x.things[i], x.index.fileOf(i, "sent"))
		}
	}
}

// again judges one signature at the time for which it was judged, with what
// the verdict relied on, and compares.
func (x *examination) again(t *journal.Thing, file string, said *recordedVerdict) {
	kind := gateway.EvidenceKind(t.Piece("kind"))
	decided := microseconds(t.Piece("at"))
	verifier, err := x.verifier(t.Piece("proofs"), decided)
	if err != nil {
		x.fault(file, "proofs", "detail", err)
		return
	}
	at := decided
	var v *signature.Verdict
	var request *Request
	if message := x.message(string(t.Piece("message"))); kind == gateway.BySystem && message != nil && gateway.Door(message.Piece("door")) == gateway.RESTDoor {
		v, request, err = x.request(verifier, t, message, file, decided)
	} else {
		v, at, err = x.judge(verifier, kind, t, decided)
	}
	if err != nil {
		x.doubt(file, "not-judged", "detail", err)
		return
	}
	j := Judged{File: file, Kind: string(kind), Request: request, At: at, Outcome: v.Outcome, Reason: v.Reason, Recorded: fmt.Sprint(said.Outcome, " ", said.Reason)}
	var serials []string
	for i := range v.Signatures {
		if v.Signatures[i].Certificate == nil {
			continue
		}
		who := v.Signatures[i].Signer()
		serials = append(serials, who.Serial)
		j.Signer = who.CN + " " + cmp.Or(who.IIN, who.BIN)
	}
	x.Signatures = append(x.Signatures, j)
	switch {
	case v.Outcome == said.Outcome && v.Reason == said.Reason:
		if !slices.Equal(serials, said.serials()) {
			x.fault(file, "signer-differs")
		}
	case v.Reason == verdict.NoCertificateChain:
		x.doubt(file, "signer-unknown", "signer", j.Signer)
	case v.Outcome == verdict.Undetermined:
		x.doubt(file, "signature-unsure", "reason", v.Reason)
	default:
		x.fault(file, "verdict-differs", "recorded", fmt.Sprint(said.Outcome, " ", said.Reason), "found", fmt.Sprint(v.Outcome, " ", v.Reason))
	}
}

// judge finds what was signed and judges it.
func (x *examination) judge(v *signature.Verifier, kind gateway.EvidenceKind, t *journal.Thing, decided time.Time) (*signature.Verdict, time.Time, error) {
	ctx := context.Background()
	document := t.Piece("document")
	switch kind {
	case gateway.ByRegistry:
		var f gateway.RegistryAnswer
		if err := json.Unmarshal(t.Piece("finding"), &f); err == nil && !f.At.IsZero() && f.At.Before(decided) {
			decided = f.At // an answer that was used again
		}
		doc, err := xmltree.Parse(document, xmltree.DefaultLimits())
		if err != nil {
			return nil, decided, err
		}
		return v.WSSE(ctx, doc, signature.Want{At: decided}), decided, nil
	case gateway.ByOfficial:
		var doc *signature.Document
		var err error
		if beside := x.beside(t.Piece("proofs")); beside != nil {
			doc, err = signature.ReadDetached(document, beside)
		} else {
			doc, err = signature.ReadDocument(document)
		}
		if err != nil {
			return nil, decided, err
		}
		return v.Document(ctx, doc, signature.Want{At: decided}), decided, nil
	}
	message := x.message(string(t.Piece("message")))
	if message == nil {
		return nil, decided, fmt.Errorf("there is no message %s", t.Piece("message"))
	}
	at := microseconds(message.Piece("at"))
	want := signature.Want{At: at}
	raw := message.Piece("raw")
	kept := raw
	if door := gateway.Door(message.Piece("door")); door == gateway.SyncDoor || door == gateway.AsyncDoor || door == gateway.FetchDoor {
		doc, err := xmltree.Parse(raw, xmltree.DefaultLimits())
		if err != nil {
			return nil, at, err
		}
		system := v
		if kind != gateway.BySystem { // judged by its own evidence; here it only opens the Body
			system = &signature.Verifier{Trust: x.trust, Revoke: signature.RevokeOff}
		}
		whole := system.WSSE(ctx, doc, want)
		if kind == gateway.BySystem || x.service != nil && x.service.Request.Data.Signed == "envelope" {
			if kind != gateway.BySystem {
				whole = v.WSSE(ctx, doc, want)
			}
			return whole, at, nil
		}
		content, ok := whole.Content()
		if !ok {
			return whole, at, nil // says why
		}
		kept = content.Bytes()
	}
	if x.service == nil {
		return nil, at, fmt.Errorf("the description of the service is missing")
	}
	id := string(message.Piece("message_key"))
	if a := x.application(); a != nil && a.MessageID != "" {
		id = a.MessageID
	}
	doc, err := gateway.Reopen(x.service, kept, id)
	if err != nil {
		return nil, at, err
	}
	return v.Document(ctx, doc, want), at, nil
}

// sent judges an envelope that we signed. Documents without one (rows, letters,
// JSON) stand in the journal by their digest alone.
func (x *examination) sent(t *journal.Thing, file string) {
	src := t.Piece("sent")
	if !bytes.HasPrefix(bytes.TrimLeft(src, " \t\r\n"), []byte("<")) {
		return
	}
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil || !doc.Root().Is(soap.Envelope11, "Envelope") {
		return
	}
	at := x.recordedAt(t)
	var d gateway.Delivery
	if err := json.Unmarshal(t.Piece("body"), &d); err == nil && !d.DoneAt.IsZero() {
		at = d.DoneAt // later records are of what became of it
	}
	v := (&signature.Verifier{Trust: x.trust, Revoke: signature.RevokeOff}).WSSE(context.Background(), doc, signature.Want{At: at})
	x.Signatures = append(x.Signatures, Judged{File: file, Kind: "sent", At: at, Outcome: v.Outcome, Reason: v.Reason})
	switch {
	case v.Outcome == verdict.Passed:
	case v.Reason == verdict.NoCertificateChain:
		x.doubt(file, "signer-unknown", "signer", "")
	default:
		x.fault(file, "sent-signature", "reason", v.Reason)
	}
}

// recordedAt is when a thing was recorded last.
func (x *examination) recordedAt(t *journal.Thing) (at time.Time) {
	for _, l := range x.links {
		for _, p := range l.record.Parts {
			if p.What == t.What && p.ID == t.ID {
				at = l.record.At
			}
		}
	}
	return at
}

func (x *examination) message(id string) *journal.Thing {
	for _, i := range x.find("message") {
		if x.things[i].ID == id {
			return &x.things[i]
		}
	}
	return nil
}

// listedProof is what stands beside a verdict: as store.Proof.
type listedProof struct {
	Kind    verdict.ProofKind `json:"kind"`
	SHA256  string            `json:"sha256"`
	Content []byte            `json:"content"`
}

// listed gives the proofs of one verdict with their content; those whose
// content was lost are left out.
func (x *examination) listed(src []byte) (all []listedProof, err error) {
	if len(src) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(src, &all); err != nil {
		return nil, err
	}
	for i := range all {
		p := &all[i]
		for _, have := range x.proofs {
			if p.Content == nil && journal.Sum(have.Content).String() == p.SHA256 {
				p.Content = have.Content
			}
		}
		if p.Content != nil && journal.Sum(p.Content).String() != p.SHA256 {
			return nil, fmt.Errorf("%s is not the %s that it says", p.SHA256, p.Kind)
		}
	}
	return slices.DeleteFunc(all, func(p listedProof) bool { return p.Content == nil }), nil
}

func (x *examination) beside(src []byte) []byte {
	all, _ := x.listed(src)
	for _, p := range all {
		if p.Kind == verdict.ProofBeside {
			return p.Content
		}
	}
	return nil
}

// verifier knows what was relied on, and nothing that came later.
func (x *examination) verifier(src []byte, now time.Time) (*signature.Verifier, error) {
	proofs, err := x.listed(src)
	if err != nil {
		return nil, err
	}
	var certificates []Proof
	checker := revocation.NewChecker(revocation.Options{Now: func() time.Time { return now }})
	for _, p := range proofs {
		switch p.Kind {
		case verdict.ProofOCSP:
			r, err := revocation.ParseOCSP(p.Content)
			if err != nil {
				return nil, err
			}
			checker.AddOCSP(r)
		case verdict.ProofCRL:
			l, err := revocation.ParseCRL(p.Content)
			if err != nil {
				return nil, err
			}
			checker.AddCRL(l)
		case verdict.ProofSigner, verdict.ProofAuthority:
			certificates = append(certificates, Proof{string(p.Kind), p.Content})
		}
	}
	trust, bad := withAuthorities(x.o.Trust, certificates)
	if bad != nil {
		return nil, fmt.Errorf("%s", bad.Code)
	}
	return &signature.Verifier{Trust: trust, Revocation: checker}, nil
}

func microseconds(b []byte) time.Time {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
