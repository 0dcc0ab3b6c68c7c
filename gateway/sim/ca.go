package sim

import (
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"kopir/signature/sigtest"
)

// crlLife is how long the national lists are valid; deltaLife how long a delta.
const (
	crlLife   = 180 * 24 * time.Hour
	deltaLife = 24 * time.Hour
)

// maxOCSP bounds a request: one certificate needs about 120 bytes.
const maxOCSP = 16 << 10

// authorityDoors are the addresses that the certificates name: below /ca, and
// for a second authority one step deeper. As the national one, the responder
// at /ca/ocsp answers for every authority.
func (s *Sim) authorityDoors(mux *http.ServeMux) {
	pemFile := func(content func() []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-pem-file")
			w.Write(content())
		}
	}
	for i, a := range s.authorities {
		chain := a.ChainPEM
		if i == 0 {
			chain = s.ChainPEM
		}
		mux.HandleFunc("GET "+a.path+sigtest.PathRoot, s.troubled(PartCert, s.serveCert(a.Root())))
		mux.HandleFunc("GET "+a.path+sigtest.PathIssuing, s.troubled(PartCert, s.serveCert(a.Issuing())))
		mux.HandleFunc("GET "+a.path+"/chain.pem", s.troubled(PartCert, pemFile(chain)))
		mux.HandleFunc("GET "+a.path+sigtest.PathCRL, s.troubled(PartCRL, s.serveCRL(a)))
		mux.HandleFunc("GET "+a.path+sigtest.PathDeltaCRL, s.troubled(PartCRL, s.serveDelta(a)))
		mux.HandleFunc("GET "+a.path+sigtest.PathRootCRL, s.troubled(PartCRL, s.serveRootCRL(a)))
		mux.HandleFunc("POST "+a.path+sigtest.PathOCSP, s.troubled(PartOCSP, s.postOCSP))
		mux.HandleFunc("POST "+a.path+sigtest.PathOCSP+"/{$}", s.troubled(PartOCSP, s.postOCSP))
		mux.HandleFunc("GET "+a.path+sigtest.PathOCSP+"/", s.troubled(PartOCSP, s.getOCSP))
		mux.HandleFunc("POST "+a.path+pathStamps, s.troubled(PartTSP, s.postStamp(a.stamps)))
	}
}

// asksOCSP tells whether a path holds a question in base64.
func (s *Sim) asksOCSP(path string) (text string, ok bool) {
	for _, a := range s.authorities {
		if text, ok := strings.CutPrefix(path, a.path+sigtest.PathOCSP+"/"); ok {
			return text, true
		}
	}
	return "", false
}

func (s *Sim) serveCert(der []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pkix-cert")
		w.Write(der)
	}
}

// serveCRL gives the full list of the last publication: what was revoked
// since stands in the delta list only.
func (s *Sim) serveCRL(a *authority) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at := s.publishedAt().Add(-time.Duration(troubleOf(r.Context()).Age))
		s.writeList(w, r)(a.CRL(at, at.Add(crlLife)))
	}
}

func (s *Sim) serveDelta(a *authority) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at := s.now().Add(-time.Duration(troubleOf(r.Context()).Age))
		base := s.publishedAt()
		if base.After(at) {
			base = at
		}
		s.writeList(w, r)(a.DeltaCRL(base, at, at.Add(deltaLife)))
	}
}

func (s *Sim) serveRootCRL(a *authority) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at := s.publishedAt().Add(-time.Duration(troubleOf(r.Context()).Age))
		s.writeList(w, r)(a.RootCRL(at, at.Add(crlLife)))
	}
}

// writeList answers with DER, or with PEM where ?pem is asked for.
func (s *Sim) writeList(w http.ResponseWriter, r *http.Request) func([]byte, error) {
	return func(der []byte, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/pkix-crl")
		if r.URL.Query().Has("pem") {
			der = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
		}
		w.Write(der)
	}
}

func (s *Sim) postOCSP(w http.ResponseWriter, r *http.Request) {
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOCSP))
	if err != nil {
		http.Error(w, "the request is too large or broken off", http.StatusBadRequest)
		return
	}
	s.answerOCSP(w, r, request)
}

// getOCSP reads the request out of the path (RFC 6960, A.1).
func (s *Sim) getOCSP(w http.ResponseWriter, r *http.Request) {
	escaped, _ := s.asksOCSP(r.URL.EscapedPath())
	text, err := url.PathUnescape(escaped)
	if err != nil {
		text = ""
	}
	// What does not decode becomes an empty request: malformedRequest.
	request, _ := base64.StdEncoding.DecodeString(text)
	s.answerOCSP(w, r, request)
}

func (s *Sim) answerOCSP(w http.ResponseWriter, r *http.Request, request []byte) {
	t := troubleOf(r.Context())
	by := s.authorities[0]
	for _, a := range s.authorities {
		if a.Asked(request) {
			by = a
			break
		}
	}
	at := s.now().Add(-time.Duration(t.Age))
	o := sigtest.OCSPOptions{NoNonce: t.NoNonce}
	if t.TryLater {
		o.Status = sigtest.OCSPTryLater
	}
	if t.WrongNonce {
		o.Nonce = []byte("not the nonce")
	}
	if t.WrongSigner {
		// A good certificate of the same authority, without the purpose.
		o.Signer = s.holderOf(by)
	}
	answer, err := by.OCSP(request, at, o)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Write(answer)
}

// holderOf is somebody with a certificate of an authority, who is no responder.
func (s *Sim) holderOf(a *authority) *sigtest.Credential {
	for _, key := range []string{"gateway", "citizen"} {
		if c, err := s.Credential(key); err == nil {
			if by, _ := s.authorityOf(c); by == a.Authority {
				return c
			}
		}
	}
	return a.strangers.Responder()
}

// Publish makes a new full list of everything revoked until now.
func (s *Sim) Publish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = s.now()
}

func (s *Sim) publishedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.published
}
