package signer

import (
	"context"
	"encoding/json"
	"fmt"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// x509Info judges certificates as such, whatever they are for.
func (s *Signer) x509Info(ctx context.Context, f *fields) (any, *fail) {
	methods := f.methods()
	var certs []*nuc.Certificate
	list := f.list("certs", s.limits.Keys)
	if len(list) == 0 {
		f.fault("certs", "is required and must not be empty")
	}
	for i, raw := range list {
		name := fmt.Sprintf("certs[%d]", i)
		var word string
		if json.Unmarshal(raw, &word) != nil {
			f.fault(name, "must be a string")
			continue
		}
		c, err := nuc.ParseCertificate(f.decode(name, word))
		if err != nil {
			f.fault(name, "%v", err)
			continue
		}
		certs = append(certs, c)
	}
	if bad := f.bad(); bad != nil {
		return nil, bad
	}
	return s.infoOf(ctx, methods, certs), nil
}

// pkcs12Info opens key files and judges their certificates.
func (s *Signer) pkcs12Info(ctx context.Context, f *fields) (any, *fail) {
	methods := f.methods()
	var certs []*nuc.Certificate
	keys, bad := s.keys(ctx, f, "keys")
	if bad != nil {
		return nil, bad
	}
	for _, k := range keys {
		certs = append(certs, k.Certificate)
	}
	return s.infoOf(ctx, methods, certs), nil
}

// pkcs12Aliases names the key of each file: they hold one each.
func (s *Signer) pkcs12Aliases(ctx context.Context, f *fields) (any, *fail) {
	out := aliasesAnswer{status: done, Aliases: [][]string{}}
	keys, bad := s.keys(ctx, f, "keys")
	if bad != nil {
		return nil, bad
	}
	for _, k := range keys {
		out.Aliases = append(out.Aliases, []string{aliasOf(k.Key)})
	}
	return out, nil
}

func (s *Signer) infoOf(ctx context.Context, methods []method, certs []*nuc.Certificate) *verification {
	q := s.inquire(methods)
	out := &verification{status: done, Valid: true, Signers: []certificate{}, judged: judgement{outcome: verdict.Passed}}
	for _, c := range certs {
		one := q.about(ctx, c, nil)
		if !one.Valid && out.Valid {
			out.Valid, out.judged = false, one.judged
		}
		out.Signers = append(out.Signers, one)
	}
	return out
}
