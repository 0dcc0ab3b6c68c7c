package httpsig

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Message is what can be signed of a request, or of a response.
type Message struct {
	Method string
	URL    *url.URL // absolute: scheme, host, path, query
	Header http.Header

	// Status is that of a response; zero: a request. Request is what it answers,
	// for components with the parameter req.
	Status  int
	Request *Message
}

// Outgoing is a client's request.
func Outgoing(r *http.Request) Message {
	u := *r.URL
	if r.Host != "" {
		u.Host = r.Host
	}
	return Message{Method: r.Method, URL: &u, Header: r.Header}
}

// Incoming is a server's request. origin is the address by which the caller
// reached us, such as https://kopir.example: behind a proxy the request itself
// does not know it. A path in it stands before that of the request.
func Incoming(r *http.Request, origin string) (Message, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return Message{}, fmt.Errorf("httpsig: our own address %q does not read", origin)
	}
	own := *r.URL
	own.Scheme, own.Host = u.Scheme, u.Host
	if before := strings.TrimSuffix(u.Path, "/"); before != "" {
		own.RawPath = strings.TrimSuffix(u.EscapedPath(), "/") + r.URL.EscapedPath()
		own.Path = before + r.URL.Path
	}
	h := r.Header.Clone() // net/http takes these two out
	h.Set("Host", r.Host)
	if r.ContentLength >= 0 {
		h.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	return Message{Method: r.Method, URL: &own, Header: h}, nil
}

// Answer is a response to a request.
func Answer(status int, h http.Header, to Message) Message {
	return Message{Status: status, Header: h, Request: &to}
}

// derived gives the values that are no fields (RFC 9421, 2.2), of requests.
var derived = map[string]func(Message) string{
	"@method":         func(m Message) string { return m.Method },
	"@target-uri":     func(m Message) string { return m.scheme() + "://" + m.authority() + m.URL.RequestURI() },
	"@authority":      Message.authority,
	"@scheme":         Message.scheme,
	"@request-target": func(m Message) string { return m.URL.RequestURI() },
	"@path":           Message.path,
	"@query":          func(m Message) string { return "?" + m.URL.RawQuery },
}

func (m Message) scheme() string { return strings.ToLower(m.URL.Scheme) }

// authority is the host in lower case, without the port that the scheme has
// anyway.
func (m Message) authority() string {
	host := strings.ToLower(m.URL.Host)
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if m.scheme() == scheme {
			host = strings.TrimSuffix(host, port)
		}
	}
	return host
}

func (m Message) path() string {
	if p := m.URL.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

// isReq finds the parameter by which a response covers a part of its request
// (RFC 9421, 2.4).
func isReq(p param) bool { return p.key == "req" && p.value == true }

// value is that of a component.
func (m Message) value(e element) (string, error) {
	name := e.value
	if i := slices.IndexFunc(e.params, isReq); i >= 0 {
		if m.Request == nil {
			return "", errors.New("the parameter \"req\" stands in responses alone")
		}
		return m.Request.value(element{value: name, params: slices.Delete(slices.Clone(e.params), i, i+1)})
	}
	if name == "@query-param" && m.Status == 0 {
		return m.queryParam(e.params)
	}
	if len(e.params) > 0 {
		return "", fmt.Errorf("the parameter %q of a component is not supported", e.params[0].key)
	}
	if strings.HasPrefix(name, "@") {
		f, ok := derived[name]
		switch {
		case m.Status != 0 && name == "@status":
			return strconv.Itoa(m.Status), nil
		case m.Status != 0:
			return "", fmt.Errorf("the component %q is not one of a response", name)
		case !ok:
			return "", fmt.Errorf("the component %q is not one of a request", name)
		}
		return f(m), nil
	}
	if name != strings.ToLower(name) {
		return "", fmt.Errorf("the field name %q is not in lower case", name)
	}
	values := m.Header.Values(name)
	if len(values) == 0 {
		return "", fmt.Errorf("the field %q is covered and not there", name)
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Trim(v, " \t")
		if strings.ContainsAny(v, "\r\n") {
			return "", fmt.Errorf("the field %q has a line break", name)
		}
	}
	return strings.Join(trimmed, ", "), nil
}

// queryParam is one named parameter of the query (RFC 9421, 2.2.8).
func (m Message) queryParam(params []param) (string, error) {
	name := ""
	if len(params) == 1 && params[0].key == "name" {
		name, _ = params[0].value.(string)
	}
	if name == "" {
		return "", errors.New("@query-param needs the parameter name, and no other")
	}
	all, err := url.ParseQuery(m.URL.RawQuery)
	if err != nil {
		return "", errors.New("the query does not read")
	}
	key, err := url.PathUnescape(name)
	if err != nil {
		return "", errors.New("the name of @query-param does not read")
	}
	values := all[key]
	if len(values) != 1 {
		return "", fmt.Errorf("@query-param %q stands %d times in the query", name, len(values))
	}
	return strings.ReplaceAll(url.QueryEscape(values[0]), "+", "%20"), nil
}
