package server

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/failpoint"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/wsdl"
)

// soapDoor is one address of SOAP messages: POST takes a message, GET serves
// the contract.
type soapDoor struct {
	door     gateway.Door
	path     string
	contract string         // file that a bare ?wsdl means
	fault    soap.Operation // whose fault element carries a refusal made before the message was read
}

var soapDoors = []soapDoor{
	{gateway.SyncDoor, "/shep/sync", wsdl.SyncChannel, soap.SyncSendMessage},
	{gateway.AsyncDoor, "/shep/async", wsdl.AsyncChannel, soap.AsyncSendMessage},
}

func (s *Server) mountSOAP(r gin.IRouter) {
	for _, d := range soapDoors {
		refuse := func(c *gin.Context, f *fail) { s.writeFault(c, d, f) }
		r.POST(d.path, s.catchPanics(refuse), s.bodyFirst(refuse), s.limitConcurrency(s.soapSlots, refuse), s.limitTime, func(c *gin.Context) { s.receive(c, d) })
		r.GET(d.path, s.catchPanics(refuse), func(c *gin.Context) { s.serveContract(c, d) })
	}
}

// receive hands the bytes of a message to the bridge and its answer back.
// Content type and SOAPAction are not looked at: partners send several, and
// the bytes say what they are.
func (s *Server) receive(c *gin.Context, d soapDoor) {
	raw, f := s.readBody(c.Request)
	if f != nil {
		s.writeFault(c, d, f)
		return
	}
	addFields(c, zap.Int("bytes", len(raw)))
	reply := s.doors.Receive(c.Request.Context(), gateway.Incoming{Door: d.door, Raw: raw, Remote: c.ClientIP(), Request: requestID(c)})
	c.Set(keyTold, true)
	if reply.Code != "" {
		addFields(c, zap.String("code", string(reply.Code)))
		s.metrics.faults.WithLabelValues("soap", string(reply.Code)).Inc()
	}
	if reply.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(reply.RetryAfter.Seconds()))))
	}
	c.Data(reply.Status, soap.ContentType, reply.Bytes)
	if failpoint.Enabled {
		c.Writer.Flush() // so that the answer is on its way at that point
	}
	failpoint.Here(failpoint.MessageAnswered)
}

// writeFault refuses a message before or beside the bridge. SOAP 1.1, 6.2
// wants HTTP 500 for a fault; overload keeps its own 503, for the proxies in
// between.
func (s *Server) writeFault(c *gin.Context, d soapDoor, f *fail) {
	note(c, f)
	s.metrics.faults.WithLabelValues("soap", f.code).Inc()
	code, status, public := "Client", http.StatusInternalServerError, f.code
	switch f.code {
	case codeOverloaded:
		code, status, public = "Server", http.StatusServiceUnavailable, codeTimeout
	case codeInternal, codeTimeout:
		code, public = "Server", codeTimeout
	case codeTooLarge:
		// The sender is still writing what we shall not read: end the connection.
		c.Header("Connection", "close")
	case codeBadRequest, codeEncoding:
		public = string(gateway.Malformed)
	}
	c.Set(keyTheirs, code == "Client")
	for k, v := range f.header {
		c.Header(k, v)
	}
	text := func(lang string) string { return s.texts().Get(lang, "problem."+f.code, f.values...) }
	fault := soap.NewFault(d.fault, code, public, text(mappings.Russian)+" / "+text(mappings.Kazakh), s.now())
	fault.Info.ErrorData = text(mappings.English) // for the engineer, as in the faults of the bridge
	body, err := soap.Build(fault)
	if err != nil {
		s.log.Error("fault not built", zap.Error(err))
		c.AbortWithStatus(http.StatusInternalServerError)
		return
	}
	c.Data(status, soap.ContentType, body)
	c.Abort()
}

// serveContract answers GET …?wsdl, …?wsdl=AsyncChannelClient and the like, and
// …?xsd=NAME, with the caller's own address in it.
func (s *Server) serveContract(c *gin.Context, d soapDoor) {
	if c.Request.URL.RawQuery == "" {
		c.Header("Allow", "POST")
		c.Data(http.StatusMethodNotAllowed, "text/plain; charset=utf-8",
			[]byte("This is a SOAP 1.1 address: POST a message here; GET "+d.path+"?wsdl shows the contract.\n"))
		return
	}
	name, ok := wsdl.Asked(c.Request.URL.RawQuery, d.contract)
	doc, err := wsdl.Serve(name, s.ownAddress(c.Request)+d.path)
	if !ok || err != nil {
		c.Data(http.StatusNotFound, "text/plain; charset=utf-8", fmt.Appendf(nil, "There is no such document; GET %s?wsdl names all of them.\n", d.path))
		return
	}
	c.Data(http.StatusOK, "text/xml; charset=utf-8", doc)
}

// now in the zone of the clock; SOAP dates are written with it.
func (s *Server) now() time.Time { return s.clock() }
