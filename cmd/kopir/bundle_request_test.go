package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/bundle"
	"kopir/gateway/httpsig"
	"kopir/gateway/sim"
	"kopir/gateway/store"
	"kopir/signature/verdict"
)

// TestBundleOfSignedRequests: what partners brought over REST is verified again
// by the signature of their request, offline: with a certificate and with a
// bare key, the document as the body and inside JSON.
func TestBundleOfSignedRequests(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	f := newPhone(t, p)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(p.dir, name) }
	config := at("live.yaml")
	p.rewrite(t, "kopir.yaml", "live.yaml", "store: {path: data/kopir.db}", "store: {path: data/live.db}",
		"keys: [{file: keys/mobile.pem}]", "keys: [{file: keys/mobile.pem}, {file: keys/ed.pem, id: phone-ed}]")
	if err := os.WriteFile(at("keys/ed.pem"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	bridge := serveProcess(t, config)
	to := strings.TrimPrefix(bridge.base, "http://")

	certificate := f.signer
	bare := httpsig.Signer{KeyID: "phone-ed", Algorithm: "ed25519", Sign: func(base []byte) ([]byte, error) { return ed25519.Sign(private, base), nil }}
	doc := func(person string) []byte { return f.signedBySim(sim.Submission{Person: person}) }
	inJSON := func(document []byte) []byte {
		b, err := json.Marshal(map[string]any{"service": sim.DefaultService, "id": "in-json", "document": document})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	path := func(id string) string {
		return "/applications?" + url.Values{"service": {sim.DefaultService}, "id": {id}}.Encode()
	}
	st := mustOpen(t, at("data/live.db"))
	defer st.Close()
	for name, c := range map[string]struct {
		signer      httpsig.Signer
		path, media string
		body        []byte
	}{
		"certificate": {certificate, path("by-certificate"), "application/xml", doc("citizen")},
		"bare key":    {bare, path("by-key"), "application/xml", doc("citizen2")},
		"in JSON":     {bare, "/applications", "application/json", inJSON(doc("citizen3"))},
	} {
		f.signer = c.signer
		r := f.request("POST", c.path, c.media, c.body)
		r.Host, r.URL.Host = r.URL.Host, to // signed for the configured address
		status, _, answer := f.send(r)
		var app gateway.Application
		if err := json.Unmarshal(answer, &app); err != nil || status != 201 {
			t.Fatalf("%s: %d %s", name, status, answer)
		}
		file := filepath.Join(t.TempDir(), "bundle.asice")
		must(t, exitPassed, "journal", "export", "-config", config, "-o", file, app.Number)
		var rep bundle.Report
		if err := json.Unmarshal([]byte(must(t, exitPassed, "journal", "verify", "-json", "-trust", at("trust"), file)), &rep); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(rep.Signatures, func(j bundle.Judged) bool { return j.Kind == "system" })
		if i < 0 || rep.Signatures[i].Request == nil || rep.Outcome != verdict.Passed {
			t.Fatalf("%s: %+v", name, rep)
		}
		if q := rep.Signatures[i].Request; q.KeyID != c.signer.KeyID || q.Target != p.bridge+"/api/v1"+c.path || !slices.Contains(q.Covered, "content-digest") {
			t.Errorf("%s: %+v", name, q)
		}
		for _, lang := range []string{"ru", "kk", "en"} {
			if said := must(t, exitPassed, "journal", "verify", "-trust", at("trust"), "-lang", lang, file); !strings.Contains(said, "RFC 9421") || !strings.Contains(said, c.signer.KeyID) || strings.Contains(said, "[bundle.") {
				t.Errorf("%s, %s: %s", name, lang, said)
			}
		}
		tampered(t, readAll(t, file), p.roots(t), 150)
		t.Run("forged "+name, func(t *testing.T) { forgedRequests(t, p, st, config, app.Number) })
	}
}

// forgedRequests records evidence that was made up, so that row, chain and seal
// agree with it: the partner's signature does not.
func forgedRequests(t *testing.T, p *play, st *store.Store, config, number string) {
	d, err := st.Dossier(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	all, err := st.Evidence(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(e gateway.Evidence) bool { return e.Kind == gateway.BySystem })
	if i < 0 {
		t.Fatal("no evidence of the request")
	}
	genuine := all[i]
	for _, proof := range d.Proofs {
		genuine.Proofs = append(genuine.Proofs, verdict.Prove(proof.Kind, proof.Content))
	}
	s, body, err := httpsig.ReadProof(genuine.Document)
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string]func(*gateway.Evidence){
		"the base": func(e *gateway.Evidence) { e.Document[len(s.Base)/3] ^= 1 },
		"the nonce": func(e *gateway.Evidence) {
			e.Document = []byte(strings.Replace(string(e.Document), s.Nonce, strings.ToLower(s.Nonce), 1))
		},
		"the value": func(e *gateway.Evidence) { e.Document[len(s.Base)+20] ^= 1 },
		"the digest": func(e *gateway.Evidence) {
			e.Document = []byte(strings.Replace(string(e.Document), "sha-256=:", "sha-256=:AAAA", 1))
		},
		"the time": func(e *gateway.Evidence) { e.At = e.At.Add(time.Hour) },
		"no end":   func(e *gateway.Evidence) { e.Document = e.Document[:len(s.Base)] },
		"the key": func(e *gateway.Evidence) {
			public, _, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			e.Proofs = slices.DeleteFunc(e.Proofs, func(p verdict.Proof) bool { return p.Kind == verdict.ProofKey || p.Kind == verdict.ProofSigner })
			e.Proofs = append(e.Proofs, verdict.Prove(verdict.ProofKey, der))
		},
	}
	if len(body) > 0 {
		changes["the body"] = func(e *gateway.Evidence) { e.Document[len(e.Document)-len(body)/2] ^= 1 }
		changes["another document"] = func(e *gateway.Evidence) { e.Document = append(e.Document[:len(e.Document)-len(body)], "{}"...) }
	}
	// Each is recorded in a store of its own copy, as the chain keeps what it has.
	for what, change := range changes {
		copied := filepath.Join(t.TempDir(), "copy.db")
		if err := store.BackupSQLite(t.Context(), filepath.Join(p.dir, "data/live.db"), copied); err != nil {
			t.Fatal(err)
		}
		one := mustOpen(t, copied)
		e := genuine
		e.Document, e.Proofs = slices.Clone(genuine.Document), slices.Clone(genuine.Proofs)
		change(&e)
		if err := one.Commit(t.Context(), gateway.Change{Evidence: []gateway.Evidence{e}}); err != nil {
			t.Fatal(err)
		}
		l, m, err := configured(config)
		if err != nil {
			t.Fatal(err)
		}
		sealer, err := l.sealer(one, m, p.node.log)
		if err != nil {
			t.Fatal(err)
		}
		sealer.stamper = nil
		b, err := sealer.bundle(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		r := bundle.Verify(b, bundle.Options{Trust: p.roots(t)})
		if r.Outcome == verdict.Passed || what != "the key" && (r.Outcome != verdict.Failed || !slices.ContainsFunc(r.Faults, func(f bundle.Fault) bool { return f.Code == "verdict-differs" })) {
			t.Errorf("%s: %s %+v %+v", what, r.Outcome, r.Faults, r.Doubts)
		}
		m.close()
		one.Close()
	}
}
