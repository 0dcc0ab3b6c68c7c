package sim

import (
	"fmt"
	"slices"

	"kopir/mappings"
)

// clerks are who sits at the desk of a channel, and signs there.
var clerks = map[string]string{"csc": "operator", "office": "specialist", "akim": "specialist"}

// serviceOf finds the description of a submission, and fills in who signs.
func (s *Sim) serviceOf(channel string, sub *Submission) (*mappings.Service, error) {
	if sub.Service == "" {
		sub.Service = DefaultService
	}
	service, ok := s.set.InForce(sub.Service, s.now())
	if !ok {
		return nil, fmt.Errorf("there is no service %q; GET /sim/services lists them", sub.Service)
	}
	if _, ok := service.Channel(channel); !ok {
		return nil, fmt.Errorf("%s is not rendered through the channel %q", service.ID, channel)
	}
	if sub.SignedBy == "" {
		sub.SignedBy = clerks[channel]
	}
	if sub.SignedBy == "" {
		sub.SignedBy = sub.Person
	}
	return service, nil
}

// compose fills in the form by the description: what is known of the people,
// what the submission gives, the rest by type and rule.
func (s *Sim) compose(service *mappings.Service, channel, number string, sub *Submission) ([]byte, error) {
	applicant, ok := s.Person(sub.Person)
	if !ok {
		return nil, fmt.Errorf("there is no person %q", sub.Person)
	}
	signer, ok := s.Person(sub.SignedBy)
	if !ok {
		return nil, fmt.Errorf("there is no person %q", sub.SignedBy)
	}
	at := signer // at the desk, also where a citizen signs there
	if desk := clerks[channel]; desk != "" && signer.Kind == "person" {
		at, _ = s.Person(desk)
	}
	known := map[string]string{
		service.SignerField(channel): at.IIN, service.Numbering.Linked: number,
		"surname": applicant.Surname, "given_name": applicant.GivenName, "patronymic": applicant.Patronymic,
		"applicant_birth_date": applicant.Born, "email": applicant.Email, "language": mappings.Russian,
		"operator_iin": at.IIN, "operator_name": at.Surname + " " + at.GivenName,
	}
	if f, ok := service.Field(service.SignerField(channel)); ok && f.Type == "bin" {
		known[f.Name] = at.BIN
	}
	if service.SignerField(channel) != service.Request.Signer || sub.SignedBy != sub.Person {
		known[service.Request.Signer] = applicant.IIN
	}
	if f, ok := service.Field("district"); ok { // the service may be of another town
		if list, ok := service.CodeList(f.Codes); ok {
			if _, ok := list.Find(applicant.District); ok {
				known[f.Name] = applicant.District
			}
		}
	}
	if err := s.represent(sub, known); err != nil {
		return nil, err
	}
	if err := employ(service, channel, known); err != nil {
		return nil, err
	}
	for name, v := range sub.Values {
		known[name] = v
	}
	for name, v := range known {
		if v == "" {
			delete(known, name)
		}
	}
	how := mappings.Filling{Channel: channel, At: s.now(), Seed: sub.Seed, Whole: len(sub.Tweaks.Break) > 0, Known: known}
	form, err := service.Fill(how)
	if err != nil {
		return nil, err
	}
	s.notarise(sub, number, form.Values)
	if sub.Tweaks.IIN != "" {
		form.Values[service.Request.Signer] = sub.Tweaks.IIN
	}
	breaches, err := breachesOf(service, how, sub.Tweaks.Break)
	if err != nil {
		return nil, err
	}
	return service.Break(channel, form, breaches...)
}

// employ enters an organisation that the register of legal entities knows where
// the form asks for one.
func employ(service *mappings.Service, channel string, known map[string]string) error {
	use, ok := service.Registry(mappings.Entities, channel)
	if !ok {
		return nil
	}
	c, err := cast()
	if err != nil {
		return err
	}
	o := c.Organizations["csc"]
	known[use.Field] = o.BIN
	for _, same := range use.Compare {
		if same.Fact == "name_ru" || same.Fact == "name_kk" {
			known[same.Field] = o.Name
		}
	}
	return nil
}

// represent enters who applies for the applicant.
func (s *Sim) represent(sub *Submission, known map[string]string) error {
	if sub.Representative == "" {
		return nil
	}
	who, ok := s.Person(sub.Representative)
	if !ok {
		return fmt.Errorf("there is no person %q", sub.Representative)
	}
	known["representative_iin"], known["representative_name"] = who.IIN, who.Surname+" "+who.GivenName
	switch sub.Attorney {
	case "", "notarised":
		known["poa_notarised"] = "true"
	case "plain":
		known["poa_notarised"] = "false"
	default:
		return fmt.Errorf("attorney %q is neither notarised nor plain", sub.Attorney)
	}
	return nil
}

// notarise lets the notaries' registry know the power of attorney of a form
// that was filled in here, under a number of its own; one that the submission
// names is whatever the registry says of it.
func (s *Sim) notarise(sub *Submission, number string, values map[string]string) {
	if values["poa_number"] == "" || sub.Values["poa_number"] != "" {
		return
	}
	p := Power{Number: "POA-" + number, Date: values["poa_date"], ValidUntil: "2099-12-31", Principal: values["applicant_iin"], Representative: values["representative_iin"]}
	if scopes := s.shape.Answer.Scopes; len(scopes) > 0 {
		p.Scope = scopes[0]
	}
	values["poa_number"] = p.Number
	s.powers.put(p)
}

// breachesOf finds breaches by name; all stands for one of every field but the signer's.
func breachesOf(service *mappings.Service, how mappings.Filling, names []string) (found []mappings.Breach, err error) {
	known := service.Breaches(how)
	for _, name := range names {
		if name == "all" {
			found = append(found, service.OneBreachOfEach(how)...)
			continue
		}
		i := slices.IndexFunc(known, func(b mappings.Breach) bool { return b.Name() == name })
		if i < 0 {
			return nil, fmt.Errorf("the form of %s for the channel %s has no rule %q to break; GET /sim/services lists them", service.ID, how.Channel, name)
		}
		found = append(found, known[i])
	}
	return found, nil
}
