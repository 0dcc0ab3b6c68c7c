package signer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"kopir/signature/verdict"
)

// fail is an answer of NCANode's error form: an HTTP status and a message.
type fail struct {
	status  int
	message string
}

func badRequest(format string, args ...any) *fail {
	return &fail{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// status is what every answer begins with.
type status struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// done is the beginning of every answer that is not an error.
var done = status{http.StatusOK, "OK"}

// The answers, by the names of the interface description.
type (
	xmlAnswer struct {
		status
		XML string `json:"xml"`
	}
	cmsAnswer struct {
		status
		CMS []byte `json:"cms"`
	}
	dataAnswer struct {
		status
		Data []byte `json:"data"`
	}
	aliasesAnswer struct {
		status
		Aliases [][]string `json:"aliases"`
	}
	verification struct {
		status
		Valid   bool          `json:"valid"`
		Signers []certificate `json:"signers"`

		judged judgement
	}
	cmsVerification struct {
		status
		Valid   bool        `json:"valid"`
		Signers []cmsSigner `json:"signers"`

		judged judgement
	}
	cmsSigner struct {
		Certificates []certificate `json:"certificates"`
		TSP          *tsp          `json:"tsp"`
	}
	tsp struct {
		SerialNumber string  `json:"serialNumber"` // hexadecimal
		GenTime      moment  `json:"genTime"`
		Policy       string  `json:"policy"`
		TSA          *string `json:"tsa"`
		HashName     string  `json:"tspHashAlgorithm"`
		Hash         string  `json:"hash"` // hexadecimal
	}
)

// judgement is why valid is what it is. The body has no member for it, so it
// goes into a header and the log.
type judgement struct {
	outcome verdict.Outcome
	reason  verdict.Reason
}

func (j judgement) String() string {
	if j.reason == verdict.None {
		return j.outcome.String()
	}
	return j.outcome.String() + " " + string(j.reason)
}

func (v *verification) judgement() judgement    { return v.judged }
func (v *cmsVerification) judgement() judgement { return v.judged }

// answer writes what a handler made.
func answer(c *gin.Context, out any) {
	if v, ok := out.(interface{ judgement() judgement }); ok {
		said := v.judgement().String()
		c.Set(keyVerdict, said)
		c.Header("X-Kopir-Verdict", said)
	}
	writeJSON(c, http.StatusOK, out)
}

// refuse ends the request with an error.
func refuse(c *gin.Context, f *fail) {
	c.Abort()
	writeJSON(c, f.status, status{f.status, f.message})
}

func writeJSON(c *gin.Context, code int, doc any) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		panic(fmt.Sprintf("signer: encode %T: %v", doc, err)) // our own types always encode
	}
	c.Header("Cache-Control", "no-store")
	c.Data(code, "application/json", buf.Bytes())
}

// moment prints as NCANode's JSON does: milliseconds and a numeric zone.
type moment time.Time

func (m moment) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(m).UTC().Format(`"2006-01-02T15:04:05.000+00:00"`)), nil
}
