package gateway

import (
	"sync"

	"kopir/signature"
	"kopir/signature/verdict"
)

// byRequest is what verdicts over HTTP requests are counted under. Kept as
// evidence they are the sending system's, as those over a Body.
const byRequest EvidenceKind = "request"

// VerdictKind is what verdicts are counted by.
type VerdictKind struct {
	Signature EvidenceKind // BySystem, ByPerson, ByOfficial, byRequest
	Outcome   verdict.Outcome
	Reason    verdict.Reason
}

// tally counts verdicts since the start. Its keys are closed lists.
type tally struct {
	mu  sync.Mutex
	all map[VerdictKind]uint64
}

func (t *tally) count(kind EvidenceKind, v *signature.Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[VerdictKind]uint64{}
	}
	t.all[VerdictKind{kind, v.Outcome, v.Reason}]++
}

// Verdicts is how signatures were judged since the start. What was never seen
// is there with nought where an outcome needs no reason.
func (b *Bridge) Verdicts() map[VerdictKind]uint64 {
	out := map[VerdictKind]uint64{}
	for _, kind := range []EvidenceKind{BySystem, ByPerson, ByOfficial, byRequest} {
		out[VerdictKind{Signature: kind, Outcome: verdict.Passed}] = 0
		for _, reason := range []verdict.Reason{verdict.HashFailure, verdict.Revoked, verdict.NoCertificateChain} {
			out[VerdictKind{kind, verdict.Failed, reason}] = 0
		}
		out[VerdictKind{kind, verdict.Undetermined, verdict.TryLater}] = 0
	}
	b.verdicts.mu.Lock()
	defer b.verdicts.mu.Unlock()
	for k, n := range b.verdicts.all {
		out[k] = n
	}
	return out
}
