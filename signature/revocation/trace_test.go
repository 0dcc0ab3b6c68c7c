package revocation_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"kopir/signature/revocation"
)

// Every question to an authority is a span of whatever is traced when it is asked.
func TestTrace(t *testing.T) {
	w := newWorld(t)
	w.base = w.crl(w.now.Add(-time.Hour), w.now.Add(day))
	_, leaf := w.person(1)
	told := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(told))
	ask := func(source revocation.Source, way http.HandlerFunc) (asked, caller tracetest.SpanStub, header string) {
		t.Helper()
		told.Reset()
		w.set(func() {
			w.replace = func(rw http.ResponseWriter, r *http.Request) {
				header += r.Header.Get("Traceparent")
				way(rw, r)
			}
		})
		w.use(revocation.Options{}, source)
		ctx, span := provider.Tracer("test").Start(t.Context(), "verify person")
		w.checker.Ask(ctx, leaf, w.issuer, w.clock())
		span.End()
		all := told.GetSpans()
		if len(all) != 2 {
			t.Fatalf("%d spans", len(all))
		}
		return all[0], all[1], header
	}
	honest := func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.honest(rw, r, body)
	}
	away := func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "", http.StatusServiceUnavailable) }
	garbage := func(rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte("garbage")) }
	lists := revocation.Source{CRL: []string{"/base.crl"}}
	for _, c := range []struct {
		source        revocation.Source
		way           http.HandlerFunc
		kind, outcome string
	}{
		{ocsp(), honest, "ocsp", "answered"}, {ocsp(), away, "ocsp", "no answer"}, {ocsp(), garbage, "ocsp", "unusable"},
		{lists, honest, "crl", "answered"}, {lists, away, "crl", "no answer"}, {lists, garbage, "crl", "unusable"},
	} {
		source := revocation.Source{OCSP: append([]string(nil), c.source.OCSP...), CRL: append([]string(nil), c.source.CRL...)}
		s, caller, header := ask(source, c.way)
		said := map[string]string{}
		for _, a := range s.Attributes {
			said[string(a.Key)] = a.Value.AsString()
		}
		if s.Name != "authority question" || s.SpanKind != trace.SpanKindClient || s.Parent.SpanID() != caller.SpanContext.SpanID() || len(said) != 3 ||
			said["kopir.kind"] != c.kind || said["kopir.outcome"] != c.outcome || said["server.address"] != strings.TrimPrefix(w.server.URL, "http://") {
			t.Errorf("%s %s: %s of %v, %v", c.kind, c.outcome, s.Name, s.Parent, said)
		}
		if failed := s.Status.Code == codes.Error; failed != (c.outcome != "answered") || header != "" {
			t.Errorf("%s %s: %v; the authority was told %q", c.kind, c.outcome, s.Status, header)
		}
	}
	told.Reset()
	w.ask(leaf)
	if n := len(told.GetSpans()); n != 0 {
		t.Errorf("%d spans of what nobody traces", n)
	}
}
