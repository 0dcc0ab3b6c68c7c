package sim

import (
	"context"
	"slices"
	"strings"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// Login is what the person at the desk logs in with. Zero values are right.
type Login struct {
	Password    string `json:"password,omitempty"`    // empty: Qwerty12
	Certificate string `json:"certificate,omitempty"` // where one logs in by signature: good (default) and the other conditions
}

// loginRefused is the regulated refusal of condition 1: no request is formed.
type loginRefused struct{ text mappings.Text }

func (e *loginRefused) Error() string { return e.text.Ru }

// login makes the check of the desk's own that the regulation numbers as a
// condition (credentials-…), before anything is sent.
func (s *Sim) login(ctx context.Context, service *mappings.Service, channel string, sub *Submission) error {
	c, _ := service.Channel(channel)
	i := slices.IndexFunc(c.Conditions, func(k mappings.Condition) bool {
		return slices.ContainsFunc(k.Checks, func(check string) bool { return strings.HasPrefix(check, "credentials-") })
	})
	if i < 0 {
		return nil
	}
	condition := c.Conditions[i]
	right := sub.Login.Password == "" || sub.Login.Password == DefaultPassword
	if slices.Contains(condition.Checks, "credentials-eds") {
		signed, err := s.signAs(sub.SignedBy, sub.Login.Certificate, []byte(`<login/>`))
		if err != nil {
			return err
		}
		doc, err := xmltree.Parse(signed, xmltree.DefaultLimits())
		if err != nil {
			return err
		}
		right = s.verifier.XMLDSig(ctx, doc, signature.Want{At: s.now()}).Outcome == verdict.Passed
	}
	if right {
		return nil
	}
	text, _ := service.Refusal(condition.Refusal, channel, condition.Ground)
	return &loginRefused{text}
}
