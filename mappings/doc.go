// Package mappings reads service descriptions, one YAML file a service, and
// turns documents into rows and states into documents by them.
//
// What it is for: a public service (its form, its table in the local database,
// its statuses at each partner, its steps and terms) is data. A new service, or a
// new edition of a regulation, is a new file; an akimat writes its own in a
// folder of its own (LoadDir), over the built-in ones.
//
// Rules it keeps. A description consists of tables: no conditions, no loops,
// no anchors. What a table cannot say is a named Go rule in rule.go. Decoding
// is strict, and every fault comes with file, line, column, a sentence and a
// remedy, all at once (Fault). Paths are absolute and namespaced, never "//".
// Documents are read from the tree of verified bytes only; every fault of a
// document is found at once, in Russian and Kazakh (Reading). What the
// description does not know is reported (Drift), never dropped in silence. Values go
// out as parameters, never as SQL. The package neither logs nor knows the clock.
//
// Documents it follows: the regulations of the services (act and table are
// named in each file), and the law on holidays and the Labour Code for the
// calendar (shared/calendar.yaml says which day comes from where).
//
// # A description
//
// testdata/mappings/good/example.yaml is a small one with every key explained.
// The keys of a file, in its order:
//
//	service       the id; equals the file name, up to an @
//	edition       of the legal act; an application keeps the one it was filed under
//	in_force      from, to: days of filing for which the edition applies; a
//	              further edition is SERVICE@FROM.yaml beside the first, which
//	              ends the day before unless it names its own end
//	act           title, number, date, source
//	gateway       service_id and aliases: the serviceId of the envelope
//	title         in ru, kk and, where wanted, en; like every text
//	provider      name, and the kind of offices that a residence leads to
//	form          paper, partly_automated, fully_automated
//	request       the document that is filed, see below
//	code_lists    lists of the service's own
//	local         the akimat's own tables, see below
//	numbering     format ({year}, {seq}), digits, owner, linked
//	statuses      state | local code | portal code | csc code | name | text
//	inward        from (portal, csc) | their code | does, name, refusal: what partners tell us
//	messages      further kinds of documents, see below
//	results       what ends the service, positive and negative; paper (shared/paper-NAME.yaml
//	              says what the document says and how it is printed), says, asks
//	pickup        days that a result handed over in person waits; 30 when not given
//	foreign_results  documents of the akimat's own system that are taken as results, and
//	              where they name the application
//	refusals      regulated messages; {ground} is filled in
//	registries    who is asked, at which step; what is compared; the refusals (registry.go)
//	notifications which states are told to whom, for which channels
//	notices       the document that tells a partner, element by element
//	channels      portal, csc, office, akim: signer, conditions, steps
//
// # Request
//
// request.data says how the document travels (form escaped, cdata or nested),
// its root (name, and ns with prefix), whether a person signs inside it, and
// the prefixes of its paths. request.signer names the field whose number must
// be that of the signer's certificate; a channel may name another.
//
// A field has name, path (from below the root: applicant/iin, p:a/p:b), type,
// column and label; and, as needed, optional, channels (elsewhere the element
// is unknown), min_len, max_len and pattern (RE2, the whole value) for strings,
// min and max for date, int and decimal, codes for type code (open: those that
// the list lacks are kept, with an alarm), and rules by name.
// Types: string, iin, bin, date (xs:date), datetime (xs:dateTime), code, int, decimal, email, phone
// (stored as +7...), bool. An IIN or BIN is twelve digits; a check digit or a
// date of birth that does not fit is a remark, never a ground for refusal,
// because the digits are no longer tied to personal data.
//
// What repeats (a family member, an income) is a group: name, path of the
// repeated element, label, min_count, max_count, and table, key and number of
// the akimat's table that gets one row a repetition, numbered from 1; its fields
// have paths from below the repeated element. Faults name the repetition:
// family.2.iin at family/member[2]/iin.
//
// Code lists are in shared/codes.yaml, or a service's own in its code_lists;
// codes: offices means the offices of
// the provider's kind, codes: offices:KIND those of another.
//
// An attachment is an element with the children name, type, sha256 (both
// optional) and content (base64), or with those that parts names. Its type is
// told from its first bytes.
//
// # Further kinds of documents
//
// messages are kinds of documents beside the application: kind (a name), does
// (see Moves), label, channels, and request, with the keys of the service's
// own. A kind is told by its root; where two have one root, request.when {path,
// value} of each says what stands at a place. One that is about an application
// names the fields that hold its number (number, ours or the partner's), whose
// it is (applicant), and of does: status the partner's code; its fields have no
// column. A correction's fields bear the names of the application's. Another form
// of the application (apply) puts the same names into the same columns.
//
// # Tables that are there already
//
// local names the table (or a view that takes rows), its key, which gets the
// application's number, and the columns of the status. What an akimat's own
// tables want beside that: constants for columns that must not be empty; id, the
// column that the database numbers by itself, and key_is: id at the groups and
// files whose rows are keyed by it; lookups, where a column has the id of a row
// of another table instead of the code; entities, rows that applications share,
// such as a person, found by a key and made when they are missing (the fields
// with this entity go there); yes and no, the words for true and false. codes
// are code lists that the akimat keeps in tables: a field names one in its codes.
//
// # Steps and terms
//
// steps are the rows of the regulation's table: no, actor (shared/actors.yaml),
// through, does, action, completion, status and shown_in (what the regulation
// says is displayed), leads_to (our state when the step is done), within,
// warn_before, next. Terms: m, h, d by the clock; wm, wh, wd in the working
// time of the office. People have working time, systems the clock.
//
// The acts of 2016 and 2019 number conditions and refusals with the steps: such
// a step does condition or refusal and has no next, because the condition of
// its number (conditions, with point) says where it leads. Where no step does
// condition, the points are those of a procedure that the steps do not repeat.
//
// A channel may name another whose steps are the provider's own work (work);
// then those lead the states and their terms run. signs_too names a second
// person who may sign.
//
// Channel.Running gives the steps that follow each other in a state, up to the
// one with the next leads_to; their terms add up, each in the hours of its
// actor (Set.Due). Channel.Open gives the last of them.
// Working days are counted from the day after the event; an application that
// comes in after hours counts from that same day, because that gives the
// earlier deadline.
package mappings
