package sim

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// apiText is the documentation of the control interface.
//
//go:embed api.md
var apiText []byte

// maxWait is how long a reader of an inbox may wait for something to come.
const maxWait = 2 * time.Minute

// routes is every address of the simulation.
func (s *Sim) routes() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"POST " + SyncPath + "{$}", "POST " + strings.TrimSuffix(SyncPath, "/")} {
		mux.HandleFunc(path, s.troubled(PartSync, s.syncDoor))
	}
	for _, path := range []string{"POST " + AsyncPath + "{$}", "POST " + strings.TrimSuffix(AsyncPath, "/")} {
		mux.HandleFunc(path, s.troubled(PartAsync, s.asyncDoor))
	}
	mux.HandleFunc("GET "+SyncPath, s.contract("SyncChannel.wsdl", SyncPath))
	mux.HandleFunc("GET "+AsyncPath, s.contract("AsyncChannel.wsdl", AsyncPath))
	mux.HandleFunc("POST /portal/callback", s.troubled(PartPortal, s.portal.callback))
	mux.HandleFunc("POST /csc/callback", s.troubled(PartCSC, s.csc.callback))
	mux.HandleFunc("POST /portal/rest", s.troubled(PartPortal, s.portal.restCallback))
	mux.HandleFunc("POST /csc/rest", s.troubled(PartCSC, s.csc.restCallback))
	mux.HandleFunc("POST /mobile/rest", s.troubled(PartMobile, s.mobile.restCallback))
	mux.HandleFunc("GET /portal/callback", s.contract("AsyncChannelClient.wsdl", "/portal/callback"))
	mux.HandleFunc("GET /csc/callback", s.contract("AsyncChannelClient.wsdl", "/csc/callback"))
	mux.HandleFunc("POST /registry/gbdfl", s.troubled(PartRegistry, s.registryDoor("registry", s.person)))
	mux.HandleFunc("POST /registry/kdp", s.troubled(PartConsent, s.registryDoor("consent", s.consent)))
	mux.HandleFunc("POST /registry/gbdul", s.troubled(PartEntities, s.registryDoor("entities", s.entity)))
	mux.HandleFunc("POST /registry/enis", s.troubled(PartNotary, s.registryDoor("notary", s.powerOfAttorney)))
	s.authorityDoors(mux)
	s.controlDoors(mux)
	ocsp := s.troubled(PartOCSP, s.getOCSP)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The base64 of a request may hold "//", which the mux would tidy away.
		if _, asks := s.asksOCSP(r.URL.EscapedPath()); asks && r.Method == http.MethodGet {
			ocsp(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Sim) controlDoors(mux *http.ServeMux) {
	mux.HandleFunc("GET /sim/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
		w.Write(apiText)
	})
	mux.HandleFunc("GET /sim/state", s.getState)
	mux.HandleFunc("PUT /sim/bridge", s.putBridge)
	mux.HandleFunc("POST /sim/reset", func(w http.ResponseWriter, _ *http.Request) { s.Reset(); w.WriteHeader(http.StatusNoContent) })

	mux.HandleFunc("GET /sim/keys", s.getKeys)
	mux.HandleFunc("PUT /sim/keys", s.putKeys)
	mux.HandleFunc("GET /sim/people", s.getPeople)
	mux.HandleFunc("POST /sim/people", s.postPerson)
	mux.HandleFunc("POST /sim/people/{key}/sign", s.postSign)
	mux.HandleFunc("PUT /sim/people/{key}/consent", s.putConsent)
	mux.HandleFunc("GET /sim/consent/ticket.pem", s.getTicketKey)
	mux.HandleFunc("GET /sim/powers", s.getPowers)
	mux.HandleFunc("POST /sim/powers", s.postPower)

	mux.HandleFunc("GET /sim/certificates/{key}", s.getCertificate)
	mux.HandleFunc("GET /sim/certificates/{key}/cert.pem", s.getCertPEM)
	mux.HandleFunc("GET /sim/certificates/{key}/key.p12", s.getP12)
	mux.HandleFunc("POST /sim/certificates/{key}/revoke", s.postRevoke)
	mux.HandleFunc("POST /sim/certificates/{key}/release", s.postRelease)
	mux.HandleFunc("POST /sim/certificates/{key}/replace", s.postReplace)
	mux.HandleFunc("POST /sim/crl/publish", func(w http.ResponseWriter, _ *http.Request) { s.Publish(); w.WriteHeader(http.StatusNoContent) })

	mux.HandleFunc("GET /sim/trouble", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.troubles.list()) })
	mux.HandleFunc("PUT /sim/trouble/{part}", s.putTrouble)
	mux.HandleFunc("DELETE /sim/trouble/{part}", s.deleteTrouble)
	mux.HandleFunc("DELETE /sim/trouble", func(w http.ResponseWriter, _ *http.Request) { s.calm(); w.WriteHeader(http.StatusNoContent) })

	mux.HandleFunc("GET /sim/services", s.getServices)
	mux.HandleFunc("POST /sim/applications", s.postApplication)
	mux.HandleFunc("POST /sim/documents", s.postDocument)
	mux.HandleFunc("GET /sim/messages", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Parcels()) })
	for _, d := range []*desk{s.portal, s.csc, s.mobile} {
		inbox := "GET /sim/" + d.as.key + "/applications"
		mux.HandleFunc(inbox, d.getCases)
		mux.HandleFunc(inbox+"/{number}", d.getCase)
		mux.HandleFunc(inbox+"/{number}/result", d.getResult(func(r *Result) []byte { return r.Content }))
		mux.HandleFunc(inbox+"/{number}/paper", d.getResult(func(r *Result) []byte { return r.Paper }))
	}
	mux.HandleFunc("/sim/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "no such address; GET /sim/ lists them")
	})
}

// problem answers in RFC 9457's form.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}

// readJSON decodes strictly: one value, no unknown keys. An empty body is the
// zero value.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil && dec.More() {
		err = errors.New("more than one JSON value")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		problem(w, http.StatusBadRequest, err.Error())
		return false
	}
	return true
}

// query refuses parameters that a door does not know.
func query(w http.ResponseWriter, r *http.Request, known ...string) (url.Values, bool) {
	values := r.URL.Query()
next:
	for name := range values {
		for _, k := range known {
			if name == k {
				continue next
			}
		}
		problem(w, http.StatusBadRequest, "unknown parameter "+name+"; known: "+strings.Join(known, ", "))
		return nil, false
	}
	return values, true
}
