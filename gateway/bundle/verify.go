package bundle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"kopir/gateway"
	"kopir/gateway/journal"
	"kopir/mappings"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// Options say whom to believe.
type Options struct {
	Trust *nuc.Trust // roots; authorities may stand in the bundle
	BIN   string     // of the organisation whose seals are believed; empty: any
}

// examination is a bundle under way.
type examination struct {
	*Report
	o       Options
	trust   *nuc.Trust // with the enclosed authorities
	index   *index
	things  []journal.Thing
	proofs  []Proof
	links   []link
	service *mappings.Service // nil if its description could not be opened
}

// Verify examines a bundle. It never fails for its content: the report says
// what is wrong with it.
func Verify(raw []byte, o Options) *Report {
	x := &examination{Report: &Report{Signatures: []Judged{}, Seals: []string{}}, o: o}
	for _, step := range []func([]byte) bool{x.openAll, x.chain, x.rows} {
		if !step(raw) {
			x.settle()
			return x.Report
		}
	}
	x.about()
	x.erasure()
	x.mapping()
	x.signatures()
	x.history()
	x.deliveries()
	x.settle()
	return x.Report
}

// openAll reads the container and its index, and judges the seal.
func (x *examination) openAll(raw []byte) bool {
	o, faults := open(raw)
	if x.Faults = append(x.Faults, faults...); len(faults) > 0 {
		return false
	}
	x.Files = len(o.files)
	var bad *Fault
	if x.index, x.things, x.proofs, bad = readIndex(o.files); bad != nil {
		x.Faults = append(x.Faults, *bad)
		return false
	}
	x.Owner, x.MadeAt, x.MadeBy = x.index.Owner, x.index.MadeAt, x.index.MadeBy
	if x.trust, bad = withAuthorities(x.o.Trust, x.proofs); bad != nil {
		x.Faults = append(x.Faults, *bad)
		return false
	}
	seals := NewSeals(x.trust, x.o.BIN)
	v, stamp, err := seals.judge(o.seal, o.manifest)
	switch {
	case err != nil && v.Reason == verdict.NoCertificateChain:
		x.doubt(sealName, "seal-unknown")
	case err != nil:
		x.fault(sealName, "seal", "detail", err)
		return false
	case x.index.Stamped && v.Signatures[0].Stamp == nil:
		x.fault(sealName, "stamp-gone")
		return false
	case x.index.Stamped && stamp.IsZero():
		x.doubt(sealName, "stamp-unknown")
	}
	judge := seals.Judge
	if err != nil { // whom nobody vouches for is nobody; the chain is followed all the same
		judge = unvouched(seals)
	}
	links, last, err := readChain(o.files[chainName], judge)
	if err != nil {
		x.fault(chainName, "chain", "detail", err)
		return false
	}
	x.links, x.Seals, x.Sealed, x.Stamped = links, seals.Signers, last.Sealed, last.Stamped
	x.SealedAt = &last.SealedAt
	if len(seals.BINs) > 1 || slices.Contains(seals.BINs, "") {
		x.fault(sealName, "seals-differ")
		return false
	}
	return true
}

// chain asks that the records are of this application, and sealed before the
// bundle was.
func (x *examination) chain([]byte) bool {
	for _, l := range x.links {
		r := l.record
		switch {
		case r.Kind == journal.Configuration:
		case r.Owner != x.Owner:
			x.fault(chainName, "record-foreign", "seq", l.seq)
		case r.Kind == journal.Access:
			x.Readers = once(x.Readers, r.Who)
			x.Records++
		default:
			x.Records++
		}
	}
	if x.Records == 0 {
		x.fault(chainName, "no-records")
	}
	return len(x.Faults) == 0
}

// rows compares every row with the digests in the records.
func (x *examination) rows([]byte) bool {
	type key struct{ what, id string }
	recorded := map[key][]journal.Hash{}
	changed := map[key]bool{}
	gone := false
	for _, l := range x.links {
		gone = gone || l.record.Kind == journal.Erasure
		if l.record.Kind != journal.Change {
			continue
		}
		for _, p := range l.record.Parts {
			k := key{p.What, p.ID}
			if p.What == "verdict" { // several under one id: all of them stay
				k.id = x.Owner
				recorded[k] = append(recorded[k], p.Digest)
			} else {
				recorded[k] = []journal.Hash{p.Digest} // the last one counts
			}
		}
	}
	secret, err := hex.DecodeString(x.index.Key)
	if err != nil || len(secret) != journal.KeySize && !gone {
		x.fault(indexName, "key")
		return false
	}
	for i := range x.things {
		t := &x.things[i]
		k := key{t.What, t.ID}
		at := slices.Index(recorded[k], t.Digest(secret))
		switch {
		case len(recorded[k]) == 0:
			x.fault(x.index.filesOf(i), "row-unrecorded", "what", t.What, "id", t.ID)
		case at < 0:
			x.fault(x.index.filesOf(i), "row-changed", "what", t.What, "id", t.ID)
			changed[k] = true
		default:
			recorded[k] = slices.Delete(recorded[k], at, at+1)
			x.Rows++
		}
	}
	if !gone {
		for k, left := range recorded {
			if len(left) > 0 && !changed[k] {
				x.fault(indexName, "row-gone", "what", k.what, "id", k.id)
			}
		}
	}
	slices.SortFunc(x.Faults, func(a, b Fault) int { return strings.Compare(a.File+fmt.Sprint(a.args), b.File+fmt.Sprint(b.args)) })
	return len(x.Faults) == 0
}

// find gives the things of a kind.
func (x *examination) find(what string) (all []int) {
	for i := range x.things {
		if x.things[i].What == what {
			all = append(all, i)
		}
	}
	return all
}

// application is the application as it stands; nil if there is none.
func (x *examination) application() *gateway.Application {
	found := x.find("application")
	if len(found) == 0 {
		return nil
	}
	a := new(gateway.Application)
	if err := json.Unmarshal(x.things[found[0]].Piece("body"), a); err != nil {
		x.fault(x.index.fileOf(found[0], "body"), "unreadable", "detail", err)
		return nil
	}
	return a
}

func (x *examination) about() {
	a := x.application()
	if a == nil {
		return
	}
	x.Service, x.Edition, x.State, x.ReceivedAt = a.Service, a.Edition, string(a.State), &a.ReceivedAt
	if a.Number != x.Owner {
		x.fault(indexName, "other-number")
	}
}

func (x *examination) erasure() {
	for _, l := range x.links {
		if l.record.Kind != journal.Erasure {
			continue
		}
		x.Erased = &Erased{At: l.record.At, By: l.record.Who}
		for _, p := range l.record.Parts {
			x.Erased.Reason = p.Note
		}
	}
}

// mapping compares the description with the record of the configuration that
// was in force, and opens it.
func (x *examination) mapping() {
	if x.Service == "" {
		for _, i := range x.find("message") {
			x.Service = string(x.things[i].Piece("service"))
		}
	}
	for _, p := range x.proofs {
		if p.Kind != proofMapping {
			continue
		}
		name := "proofs/" + journal.Sum(p.Content).String() + extensions[proofMapping]
		recorded := false
		for _, l := range x.links {
			for _, part := range l.record.Parts {
				recorded = recorded || l.record.Kind == journal.Configuration && part.What == Mapping && part.ID == x.Service && part.Digest == journal.Sum(p.Content)
			}
		}
		if !recorded {
			x.fault(name, "mapping-unrecorded")
			continue
		}
		s, faults := mappings.ParseService(p.Content)
		if len(faults) > 0 {
			x.fault(name, "unreadable", "detail", faults[0])
			continue
		}
		if x.Edition == "" || s.Edition == x.Edition {
			x.service = s
		}
	}
	if x.service == nil && x.Erased == nil && len(x.things) > 0 {
		x.doubt(indexName, "mapping-missing")
	}
}

// history asks that every move is one of the table, that each begins where the
// one before ended, and that the last one led to where the application stands.
func (x *examination) history() {
	var at gateway.State
	next := int64(1)
	for _, i := range x.find("event") {
		file := x.index.fileOf(i, "body")
		var e gateway.Event
		if err := json.Unmarshal(x.things[i].Piece("body"), &e); err != nil {
			x.fault(file, "unreadable", "detail", err)
			return
		}
		if e.Seq != next {
			x.fault(file, "history-gap", "want", next)
			return
		}
		next++
		if e.Kind != gateway.EventState {
			continue
		}
		if e.From != at {
			x.fault(file, "history-broken", "from", e.From, "at", at)
			return
		}
		if err := gateway.Allowed(e.From, e.To); err != nil {
			x.fault(file, "move-not-allowed", "detail", err)
			return
		}
		at = e.To
	}
	if a := x.application(); a != nil && a.State != at {
		x.fault(x.index.fileOf(x.find("application")[0], "body"), "state-differs", "state", a.State, "at", at)
	}
}

// deliveries counts them, and asks that each line is whole.
func (x *examination) deliveries() {
	lines := map[gateway.Route][]int64{}
	for _, i := range x.find("delivery") {
		var d gateway.Delivery
		if err := json.Unmarshal(x.things[i].Piece("body"), &d); err != nil {
			x.fault(x.index.fileOf(i, "body"), "unreadable", "detail", err)
			return
		}
		x.Deliveries++
		lines[d.Route] = append(lines[d.Route], d.Seq)
	}
	for route, seqs := range lines {
		slices.Sort(seqs)
		for i, seq := range seqs {
			if seq != int64(i)+1 {
				x.fault(indexName, "delivery-gap", "route", route, "want", i+1)
				break
			}
		}
	}
}

// withAuthorities adds the enclosed authorities to whom the caller trusts: as
// links of chains, never as roots.
func withAuthorities(given *nuc.Trust, proofs []Proof) (*nuc.Trust, *Fault) {
	t := nuc.NewTrust()
	if given != nil {
		for _, e := range given.Entries() {
			if err := t.Add(e); err != nil {
				return nil, fault("", "trust", "detail", err)
			}
		}
	}
	for _, p := range proofs {
		if p.Kind != string(verdict.ProofAuthority) && p.Kind != string(verdict.ProofSigner) {
			continue
		}
		c, err := nuc.ParseCertificate(bytes.Clone(p.Content))
		if err != nil {
			return nil, fault("proofs/"+journal.Sum(p.Content).String()+".cer", "unreadable", "detail", err)
		}
		if p.Kind == string(verdict.ProofSigner) {
			t.AddKnown(c)
		} else if !t.IsRoot(c) {
			t.AddIntermediate(c)
		}
	}
	return t, nil
}
