package gateway

import (
	"context"
	"encoding/json"

	"kopir/mappings"
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
	reply, err := kept.stored(m.Raw)
	if err != nil {
		return nil, err
	}
	var r refusedPaper
	if err := json.Unmarshal(reply, &r); err != nil {
		return nil, &Error{Code: Internal, Say: "the kept answer does not read", Cause: err}
	}
	e := &Error{Code: ServiceRefused, Ground: r.Ground, Reason: r.Reason}
	if r.Ground.Code == "field-faults" {
		e.Code = InvalidFields
	}
	return nil, e
}

// atCounter makes the checks of the provider's own counter: who is logged in
// there is the specialist who signed (condition 1 of the office channel), and
// the office is the one of the applicant's residence.
func (b *Bridge) atCounter(p *paper, j *judgement, office string, who Actor) error {
	if j.ground != nil || j.reading == nil {
		return nil
	}
	if who.IIN != "" && who.IIN != j.signer.IIN {
		if _, ok := p.service.Refusal(authRefused, string(p.channel), mappings.Text{}); !ok || p.service.NeedsGround(authRefused, string(p.channel)) {
			return refuse(NotYours, "actor/iin", "the document is signed by somebody else than who files it")
		}
		j.ground, j.reason = b.ground(p, authRefused), verdict.IINMismatch
		return nil
	}
	for _, v := range j.reading.Row.Values {
		f, ok := p.service.Field(v.Field)
		if !ok || f.Codes != mappings.CodesOfOffices || office == "" || v.Text() == office {
			continue
		}
		other, _ := b.set().Offices.Office(v.Text())
		said := b.set().Texts.Text("rule.other-office").FillText("label", f.Label).FillText("office", other.Name)
		j.ground = b.ground(p, "field-faults")
		j.ground.Faults = []FieldFault{{Field: f.Name, Path: f.Path, Rule: "other-office", Text: text(said)}}
	}
	return nil
}

// authRefused is the refusal of condition 1, the check of who is logged in.
const authRefused = "auth-refused"
