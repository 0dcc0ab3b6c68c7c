package signature

// Namespaces.
const (
	nsDS     = "http://www.w3.org/2000/09/xmldsig#"
	nsExc    = "http://www.w3.org/2001/10/xml-exc-c14n#"
	nsSOAP   = "http://schemas.xmlsoap.org/soap/envelope/"
	nsSOAP12 = "http://www.w3.org/2003/05/soap-envelope"
	nsWSSE   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	nsWSU    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
)

// actorNext names whoever gets the message next: that is us (SOAP 1.1 section 4.2.2).
const actorNext = "http://schemas.xmlsoap.org/soap/actor/next"

// Transforms and canonical forms.
const (
	uriEnveloped = nsDS + "enveloped-signature"
	uriC14N10    = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	uriC14N11    = "http://www.w3.org/2006/12/xml-c14n11"
	uriExc       = nsExc
)

// How a SecurityTokenReference says what its token is.
const (
	x509Profile    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
	typeX509v3     = x509Profile + "#X509v3"
	typeSKI        = x509Profile + "#X509SubjectKeyIdentifier"
	typeThumbprint = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"
	encodingBase64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)
