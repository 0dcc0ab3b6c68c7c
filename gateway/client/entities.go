package client

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/signature/xmltree"
)

// EntityService is the service id of the register of legal entities.
const EntityService = "GbdulInfoByBin_v2"

// entityNS is the namespace of its documents' roots.
const entityNS = "http://gbdulinfobybin_v2.egp.gbdul.tamur.kz"

// EntityFound is the status code of an answer that holds an organisation.
const EntityFound = "002"

// Entities asks the register of legal entities (GBD UL) by BIN. The question
// is a document of its own, signed inside, in an escaped string.
type Entities struct {
	Channel   *Sync
	ServiceID string // empty: EntityService
	Requestor string // our BIN
	// Root is the question's root element, of which two are in use: Request, also
	// when empty, and requestDataType.
	Root string
	// Sign puts our signature into the question.
	Sign func(document []byte) ([]byte, error)
	// NoData are the status codes by which the register says that it has no such
	// organisation. Any code but these and EntityFound is an error.
	NoData []string
}

var _ gateway.Registry = (*Entities)(nil)

// EntityRoots are the roots that a question may have.
func EntityRoots() []string { return []string{"Request", "requestDataType"} }

// Ask implements gateway.Registry.
func (r *Entities) Ask(ctx context.Context, q gateway.Question) (gateway.Finding, error) {
	root, service := r.Root, r.ServiceID
	if root == "" {
		root = EntityRoots()[0]
	}
	if service == "" {
		service = EntityService
	}
	document := fmt.Appendf(nil, `<ns2:%[1]s xmlns:ns2="%[2]s">%[3]s</ns2:%[1]s>`, root, entityNS, elements("RequestorBIN", r.Requestor, "BIN", q.Subject))
	document, err := r.Sign(document)
	if err != nil {
		return gateway.Finding{}, fmt.Errorf("client: register of legal entities: sign the question: %w", err)
	}
	info := soap.SyncMessageInfo{MessageID: q.MessageID, ServiceID: service, MessageDate: q.At}
	return inquire(ctx, r.Channel, info, soap.EscapedData(document), func(d soap.Data) (gateway.Finding, error) {
		code, found, err := readEntity(d)
		switch {
		case err != nil:
			return gateway.Finding{}, err
		case code != EntityFound && slices.Contains(r.NoData, code):
			return gateway.Finding{Standing: gateway.NoData}, nil
		case code != EntityFound:
			return gateway.Finding{}, &ResultError{"the register of legal entities", code}
		case found == nil:
			return gateway.Finding{Standing: gateway.NoData}, nil
		case found.BIN != q.Subject:
			return gateway.Finding{}, errOther("the register of legal entities")
		}
		return gateway.Finding{Standing: gateway.Found, Facts: facts("bin", found.BIN, "name_ru", found.NameRu, "name_kk", found.NameKz, "status", found.Status.name(),
			"registered", found.Registered, "leader_iin", found.LeaderIIN, "address", found.Address)}, nil
	})
}

// EntityRecord is one organisation. Any part may be missing.
type EntityRecord struct {
	BIN, NameRu, NameKz string
	Status              Coded
	Registered          string // YYYY-MM-DD
	LeaderIIN           string
	Address             string
}

// readEntity reads the answer: its status code, and the organisation if it
// holds one.
func readEntity(d soap.Data) (code string, e *EntityRecord, err error) {
	root, err := documentOf(d, "register of legal entities")
	if err != nil {
		return "", nil, err
	}
	r := &recordReader{}
	if _, ok := r.child(root, "Status"); !ok && d.Form == soap.Nested {
		root = onlyElement(root)
	}
	if status, ok := r.child(root, "Status"); ok {
		code = r.text(status, "Code")
	}
	if org, ok := r.child(root, "Organization"); ok {
		e = &EntityRecord{BIN: r.text(org, "BIN"), NameRu: r.text(org, "FullNameRu"), NameKz: r.text(org, "FullNameKz"), Registered: r.date(org, "RegistrationDate")}
		if s, ok := r.child(org, "RegStatus"); ok {
			e.Status = Coded{Code: r.text(s, "Code"), NameRu: r.text(s, "NameRu"), NameKz: r.text(s, "NameKz")}
		}
		if leader, ok := r.child(org, "OrganizationLeader"); ok {
			e.LeaderIIN = r.text(leader, "IIN")
		}
		if at, ok := r.child(org, "Address"); ok {
			e.Address = r.entityAddress(at)
		}
	}
	if r.err != nil {
		return "", nil, fmt.Errorf("client: register of legal entities: %w", r.err)
	}
	if code == "" {
		return "", nil, fmt.Errorf("client: register of legal entities: the answer has no Status with a Code")
	}
	return code, e, nil
}

func (r *recordReader) entityAddress(at xmltree.Node) string {
	var parts []string
	for _, name := range []string{"DistrictRu", "RegionRu", "CityRu", "StreetRu", "BuildingNumber"} {
		if part := r.text(at, name); part != "" && part != "-" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}
