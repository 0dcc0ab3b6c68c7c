package mappings

import "slices"

// Questionnaire is shared/questionnaire.yaml: what an applicant is asked when a
// service has ended, and the sentences of its page.
type Questionnaire struct {
	Title      Text       `yaml:"title,required"`
	Questions  []Question `yaml:"questions,required"`
	Scale      []Grade    `yaml:"scale,required"`
	Send       Text       `yaml:"send,required"`
	Thanks     Text       `yaml:"thanks,required"`
	Gone       Text       `yaml:"gone,required"`
	Incomplete Text       `yaml:"incomplete,required"`
}

// Question is one of them; answers are counted under its id.
type Question struct {
	ID   string `yaml:"id,required"`
	Text Text   `yaml:"text,required"`
}

// Grade is one step of the scale.
type Grade struct {
	Value int  `yaml:"value,required"`
	Text  Text `yaml:"text,required"`
}

// Fits says whether the answers are complete: one of the scale to each
// question, and to nothing else.
func (q *Questionnaire) Fits(answers map[string]int) bool {
	for _, one := range q.Questions {
		if !slices.ContainsFunc(q.Scale, func(g Grade) bool { return g.Value == answers[one.ID] }) {
			return false
		}
	}
	return len(answers) == len(q.Questions)
}

func readQuestionnaire(files []source) (*Questionnaire, []Fault) {
	q := &Questionnaire{}
	found := sharedFiles(files, "questionnaire")
	if len(found) == 0 {
		return q, []Fault{{File: "shared/questionnaire.yaml", Line: 1, Column: 1, Code: "missing-file"}}
	}
	f := found[0]
	_, faults := decode(f.shown, f.data, q)
	seen := map[string]bool{}
	for _, one := range q.Questions {
		if seen[one.ID] {
			faults = append(faults, Fault{File: f.shown, Line: 1, Column: 1, Code: "repeated", Path: "questions", args: []any{"what", "question", "value", one.ID}})
		}
		seen[one.ID] = true
	}
	return q, faults
}
