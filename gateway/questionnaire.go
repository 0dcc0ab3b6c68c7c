package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"kopir/mappings"
)

// Offer is a questionnaire that was offered: nothing in it leads to the
// application, and of the token only the hash is kept.
type Offer struct {
	Hash    string // SHA-256 of the token, hexadecimal
	Service string // name of the description under which the application was filed: the id, with @ and a day for further editions
	Channel Channel
}

// AnswerCount is how often an answer was given.
type AnswerCount struct {
	Service  string
	Channel  Channel
	Question string
	Answer   int
	Count    int64
}

// QuestionnaireStore keeps offers and counts. Answers are kept as counts of a
// month, so that no row stands for a person.
type QuestionnaireStore interface {
	// Offered finds what was offered under a hash and not answered yet, else
	// ErrNotFound.
	Offered(ctx context.Context, hash string) (*Offer, error)
	// Answer spends the offer and counts its answers, both or neither;
	// ErrNotFound when it was spent or never made.
	Answer(ctx context.Context, hash, month string, answers map[string]int) error
	Answers(ctx context.Context) ([]AnswerCount, error)
}

// offer makes an offer when the application has ended and the service asks for
// it, and gives the link for the notice; empty: none.
func (d *draft) offer(to State) string {
	if d.b.o.PublicURL == "" || !slices.Contains(d.service.Questionnaire, string(to)) {
		return ""
	}
	token := rand.Text() // 128 bits and more
	d.change.Offer = &Offer{Hash: tokenHash(token), Service: d.service.Name(), Channel: d.app.Channel}
	return d.b.public("/q/" + token)
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Questions is a questionnaire as it is shown.
type Questions struct {
	Service mappings.Text
	*mappings.Questionnaire
}

// Questionnaire gives what a token's holder is asked.
func (b *Bridge) Questionnaire(ctx context.Context, token string) (*Questions, error) {
	o, err := b.o.Store.Offered(ctx, tokenHash(token))
	if err != nil {
		return nil, goneOr(err)
	}
	q := &Questions{Questionnaire: b.set().Questionnaire}
	if s, ok := b.set().Service(o.Service); ok {
		q.Service = s.Title
	}
	return q, nil
}

// QuestionnaireTexts are the sentences of its page, whatever the token.
func (b *Bridge) QuestionnaireTexts() *mappings.Questionnaire { return b.set().Questionnaire }

// AnswerQuestionnaire takes the answers of a token's holder, once.
func (b *Bridge) AnswerQuestionnaire(ctx context.Context, token string, answers map[string]int) error {
	if !b.set().Questionnaire.Fits(answers) {
		return refuse(Malformed, "answers", "each question needs one answer of the scale, and nothing else may be answered")
	}
	return goneOr(b.o.Store.Answer(ctx, tokenHash(token), b.now().In(b.zone()).Format("2006-01"), answers))
}

func goneOr(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return &Error{Code: NotFound, Field: "token", Say: "the questionnaire was answered already, or there is no such link"}
	default:
		return tryLater(err)
	}
}

// smallest is the least number of people whose answers are shown together:
// fewer could be recognised.
const smallest = 5

// QuestionnaireGroup is what was answered about a service in a channel.
type QuestionnaireGroup struct {
	Service string  `json:"service"`
	Channel Channel `json:"channel"`
	// Suppressed: fewer than five have answered, so that nothing is shown.
	Suppressed bool                     `json:"suppressed"`
	Questions  map[string]map[int]int64 `json:"questions,omitempty"` // question, answer, count
}

// QuestionnaireSummary sums the answers by service and channel.
func (b *Bridge) QuestionnaireSummary(ctx context.Context) ([]QuestionnaireGroup, error) {
	counts, err := b.o.Store.Answers(ctx)
	if err != nil {
		return nil, tryLater(err)
	}
	groups := []QuestionnaireGroup{}
	for _, c := range counts {
		i := slices.IndexFunc(groups, func(g QuestionnaireGroup) bool { return g.Service == c.Service && g.Channel == c.Channel })
		if i < 0 {
			i = len(groups)
			groups = append(groups, QuestionnaireGroup{Service: c.Service, Channel: c.Channel, Questions: map[string]map[int]int64{}})
		}
		of := groups[i].Questions
		if of[c.Question] == nil {
			of[c.Question] = map[int]int64{}
		}
		of[c.Question][c.Answer] += c.Count
	}
	for i := range groups {
		for _, answers := range groups[i].Questions {
			var people int64
			for _, n := range answers {
				people += n
			}
			if people < smallest {
				groups[i].Suppressed = true
			}
		}
		if groups[i].Suppressed {
			groups[i].Questions = nil
		}
	}
	return groups, nil
}
