// Package hop makes the spans of questions to certificate authorities: OCSP,
// lists, time stamps. A span belongs to whatever is traced in the context of
// the question; where nothing is, there is none. Authorities are not told of
// our traces: what we ask about is none of theirs.
package hop

import (
	"context"
	"net/url"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Outcome is what came of a question.
type Outcome string

// The outcomes.
const (
	NoAnswer Outcome = "no answer" // none in time, or another than HTTP 200
	Unusable Outcome = "unusable"  // it does not read or is not believed
	Answered Outcome = "answered"
)

// Ask begins the span of a question of a kind to an address, of which it names
// the host alone; end ends it with what outcome is by then.
func Ask(ctx context.Context, kind, address string, outcome *Outcome) (_ context.Context, end func()) {
	host := ""
	if u, err := url.Parse(address); err == nil {
		host = u.Host
	}
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("kopir").Start(ctx, "authority question", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("kopir.kind", kind), attribute.String("server.address", host)))
	return ctx, func() {
		span.SetAttributes(attribute.String("kopir.outcome", string(*outcome)))
		if *outcome != Answered {
			span.SetStatus(codes.Error, string(*outcome))
		}
		span.End()
	}
}
