package bundle

import (
	"time"

	"kopir/mappings"
	"kopir/signature/verdict"
)

// Report is what verifying a bundle found.
type Report struct {
	Outcome verdict.Outcome `json:"outcome"`

	Owner      string     `json:"application"`
	Service    string     `json:"service,omitempty"`
	Edition    string     `json:"edition,omitempty"`
	State      string     `json:"state,omitempty"`
	ReceivedAt *time.Time `json:"received_at,omitempty"`
	MadeAt     time.Time  `json:"made_at"`
	MadeBy     string     `json:"made_by"`

	// Seals: who signed manifest and checkpoints. The last checkpoint is over
	// record Sealed, and stood at SealedAt: Stamped by a time stamp, else by the
	// signer's own word.
	Seals    []string   `json:"seals"`
	Sealed   int64      `json:"sealed"`
	SealedAt *time.Time `json:"sealed_at,omitempty"`
	Stamped  bool       `json:"stamped"`

	Files      int      `json:"files"`
	Records    int      `json:"records"` // of the application, in the chain
	Rows       int      `json:"rows"`    // that are as they were recorded
	Signatures []Judged `json:"signatures"`
	Deliveries int      `json:"deliveries"`
	Readers    []string `json:"readers,omitempty"` // who read the person's data
	Erased     *Erased  `json:"erased,omitempty"`

	Faults []Fault `json:"faults,omitempty"` // each makes it fail
	Doubts []Fault `json:"doubts,omitempty"` // each makes it indeterminate
}

// Judged is a signature that was judged again.
type Judged struct {
	File     string          `json:"file"`
	Kind     string          `json:"kind"` // whose: as gateway.EvidenceKind; "sent" for our own
	At       time.Time       `json:"at"`   // the time that it was judged for
	Outcome  verdict.Outcome `json:"outcome"`
	Reason   verdict.Reason  `json:"reason,omitempty"`
	Recorded string          `json:"recorded,omitempty"` // what the record says
	Signer   string          `json:"signer,omitempty"`
	Request  *Request        `json:"request,omitempty"` // that was signed
}

// Request is an HTTP request whose signature (RFC 9421) was judged again.
type Request struct {
	KeyID   string    `json:"keyid"`
	Created time.Time `json:"created"`
	Target  string    `json:"target,omitempty"` // the address that was signed
	Covered []string  `json:"covered"`          // what was signed
}

// Erased says that the key of the application was destroyed.
type Erased struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// Fault is one thing that is wrong, or could not be found out.
type Fault struct {
	File string `json:"file,omitempty"` // empty: the container
	Code string `json:"code"`           // bundle.CODE in the texts
	Say  string `json:"say"`            // see Words
	args []any
}

func fault(file, code string, args ...any) *Fault { return &Fault{File: file, Code: code, args: args} }

func (r *Report) fault(file, code string, args ...any) {
	r.Faults = append(r.Faults, *fault(file, code, args...))
}

func (r *Report) doubt(file, code string, args ...any) {
	r.Doubts = append(r.Doubts, *fault(file, code, args...))
}

// settle sums up.
func (r *Report) settle() {
	switch {
	case len(r.Faults) > 0:
		r.Outcome = verdict.Failed
	case len(r.Doubts) > 0:
		r.Outcome = verdict.Undetermined
	default:
		r.Outcome = verdict.Passed
	}
}

// Words puts the faults and doubts into a language.
func (r *Report) Words(texts *mappings.Texts, lang string) {
	for _, all := range [][]Fault{r.Faults, r.Doubts} {
		for i := range all {
			all[i].Say = texts.Get(lang, "bundle."+all[i].Code, all[i].args...)
		}
	}
}
