package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/gateway/httpsig"
	"kopir/gateway/journal"
	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// request judges again the signature of the HTTP request (RFC 9421) by which a
// partner brought a document: its value over the kept base, the digest that it
// covers of the body, and the holder of its key.
func (x *examination) request(v *signature.Verifier, t, message *journal.Thing, file string, decided time.Time) (*signature.Verdict, *Request, error) {
	refused := func(r verdict.Reason, err error) (*signature.Verdict, *Request, error) {
		detail := strings.TrimPrefix(err.Error(), "httpsig: ")
		return gateway.JudgeCaller(context.Background(), v, nil, "", []verdict.Check{verdict.Fail(verdict.CheckSignature, r, detail)}, decided), nil, nil
	}
	s, body, err := httpsig.ReadProof(t.Piece("document"))
	if err != nil {
		return refused(verdict.FormatFailure, err)
	}
	key, certificate, err := x.requestKey(t, s)
	if err != nil {
		return nil, nil, err
	}
	brought := message.Piece("raw")
	if len(body) == 0 {
		body = brought
	} else if !brings(body, brought) {
		return refused(verdict.HashFailure, errors.New("the document is not the one in the body"))
	}
	asked := httpsig.OfRequest(true)
	// The record is a moment younger than the door's own look at the clock.
	asked.MaxAge += 2 * time.Minute
	asked.Ahead += time.Minute
	if err := s.Check(asked, decided); err != nil {
		return refused(verdict.SigConstraintsFailure, err)
	}
	if err := s.Verify(key); err != nil {
		return refused(verdict.SigCryptoFailure, err)
	}
	if err := s.CheckBody(body); err != nil {
		return refused(verdict.HashFailure, err)
	}
	if !x.configured(s.KeyID, key.Public) {
		x.doubt(file, "partner-key", "keyid", s.KeyID)
	}
	target, _ := s.Component("@target-uri")
	found := []verdict.Check{verdict.Pass(verdict.CheckSignature, "RFC 9421, keyid "+s.KeyID)}
	return gateway.JudgeCaller(context.Background(), v, certificate, key.Algorithm, found, decided), &Request{s.KeyID, s.Created, target, s.Covered}, nil
}

// brings says whether the JSON of a submission holds the document.
func brings(body, document []byte) bool {
	var in struct {
		Document []byte `json:"document"`
	}
	return json.Unmarshal(body, &in) == nil && string(in.Document) == string(document)
}

// requestKey is the key that the verdict relied on.
func (x *examination) requestKey(t *journal.Thing, s *httpsig.Signature) (key httpsig.Key, c *nuc.Certificate, err error) {
	proofs, err := x.listed(t.Piece("proofs"))
	if err != nil {
		return key, nil, err
	}
	var said struct {
		Signatures []struct {
			Algorithm string `json:"algorithm"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(t.Piece("verdict"), &said); err != nil || len(said.Signatures) != 1 {
		return key, nil, errors.New("the record is not of one signature")
	}
	for _, p := range proofs {
		switch p.Kind {
		case verdict.ProofSigner:
			if c, err = nuc.ParseCertificate(p.Content); err == nil {
				key, err = httpsig.KeyOf(c)
			}
			return key, c, err
		case verdict.ProofKey:
			key, err = httpsig.ParsePublic(p.Content, said.Signatures[0].Algorithm)
			return key, nil, err
		}
	}
	return key, nil, errors.New("the key of the request is not enclosed")
}

// configured says whether the configuration on which the bridge ran names the
// key, by its own record.
func (x *examination) configured(keyID string, public []byte) bool {
	for _, l := range x.links {
		for _, p := range l.record.Parts {
			if l.record.Kind == journal.Configuration && p.What == PartnerKey && p.ID == keyID && p.Digest == journal.Sum(public) {
				return true
			}
		}
	}
	return false
}
