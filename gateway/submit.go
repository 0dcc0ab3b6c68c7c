package gateway

import (
	"context"
	"encoding/json"

	"kopir/signature/verdict"
)

// refusedPaper is what is kept as the answer to a refused submission.
type refusedPaper struct {
	Ground *Ground        `json:"ground"`
	Reason verdict.Reason `json:"reason,omitempty"`
}

func groundJSON(j *judgement) ([]byte, error) {
	b, err := json.Marshal(refusedPaper{j.ground, j.reason})
	if err != nil {
		return nil, &Error{Code: Internal, Cause: err}
	}
	return b, nil
}

// submitted answers a submission from what is kept of it.
func (b *Bridge) submitted(ctx context.Context, kept, m *Message) (*Application, error) {
	if kept.SHA256 != m.SHA256 {
		return nil, refuse(DuplicateID, "id", "this id was used before for another document; repeat the same bytes, or use a new id")
	}
	if kept.Code == "" {
		return b.Application(ctx, kept.Application)
	}
	var r refusedPaper
	if err := json.Unmarshal(kept.Reply, &r); err != nil {
		return nil, &Error{Code: Internal, Say: "the kept answer does not read", Cause: err}
	}
	e := &Error{Code: ServiceRefused, Ground: r.Ground, Reason: r.Reason}
	if r.Ground.Code == "field-faults" {
		e.Code = InvalidFields
	}
	return nil, e
}
