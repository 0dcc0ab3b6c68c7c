package gateway

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
)

// A trace follows one application through every hop: it begins when its message
// is received, and is kept with the application and with each delivery as a
// traceparent (W3C Trace Context, version 00), so that what happens days later,
// in another process, belongs to it. Spans name applications, routes, states
// and codes; nothing of a person, no text of an error.

// arrive begins a trace of our own. What a caller says of its trace decides
// nothing here: it is linked to.
func (b *Bridge) arrive(ctx context.Context, name string) (context.Context, trace.Span) {
	return b.tracer.Start(ctx, name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), linked(ctx))
}

// continued goes on with a trace that was kept, or begins one where there is none.
// Work that already belongs to it is its parent, any other is linked to.
func (b *Bridge) continued(ctx context.Context, kept, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	caller, parent := trace.SpanContextFromContext(ctx), parseTrace(kept)
	switch {
	case caller.IsValid() && !caller.IsRemote() && (!parent.IsValid() || parent.TraceID() == caller.TraceID()):
	case parent.IsValid():
		o = append(o, linked(ctx))
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	default:
		o = append(o, trace.WithNewRoot(), linked(ctx))
	}
	return b.tracer.Start(ctx, name, o...)
}

// linked ties a span to the one of ctx, if there is any.
func linked(ctx context.Context) trace.SpanStartOption {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return trace.WithLinks(trace.Link{SpanContext: sc})
	}
	return trace.WithLinks()
}

// during makes a span of a part of the work.
func (b *Bridge) during(ctx context.Context, name string, do func(context.Context) error) error {
	ctx, span := b.tracer.Start(ctx, name)
	defer span.End()
	err := do(ctx)
	failed(span, err)
	return err
}

// failed marks a span with the code of an error.
func failed(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, string(CodeOf(err)))
	}
}

// traceparent is the span of ctx, if it is ours, as it is kept and sent.
func traceparent(ctx context.Context) string {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() || sc.IsRemote() {
		return ""
	}
	return "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-" + sc.TraceFlags().String()
}

// parseTrace reads what traceparent wrote; invalid for anything else.
func parseTrace(s string) trace.SpanContext {
	p := strings.Split(s, "-")
	if len(p) != 4 || p[0] != "00" {
		return trace.SpanContext{}
	}
	id, bad := trace.TraceIDFromHex(p[1])
	span, worse := trace.SpanIDFromHex(p[2])
	if bad != nil || worse != nil {
		return trace.SpanContext{}
	}
	c := trace.SpanContextConfig{TraceID: id, SpanID: span, Remote: true}
	if p[3] == "01" {
		c.TraceFlags = trace.FlagsSampled
	}
	return trace.NewSpanContext(c)
}

// traced writes the trace of ctx into what has none yet.
func (d *draft) traced(ctx context.Context) {
	here := traceparent(ctx)
	if d.app != nil && d.app.Trace == "" {
		d.app.Trace = here
	}
	for i := range d.change.Deliveries {
		if out := &d.change.Deliveries[i]; out.Trace == "" {
			out.Trace = here
		}
	}
}

// traceID is for a line of the log; without a trace it writes nothing.
func traceID(ctx context.Context) zap.Field {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() && !sc.IsRemote() {
		return zap.Stringer("trace_id", sc.TraceID())
	}
	return zap.Skip()
}

// keptTraceID is traceID of a trace that was kept.
func keptTraceID(kept string) zap.Field {
	if sc := parseTrace(kept); sc.IsValid() {
		return zap.Stringer("trace_id", sc.TraceID())
	}
	return zap.Skip()
}

// describe tells of a message what its line of the log does.
func (t *trail) describe(span trace.Span, err error) {
	span.SetAttributes(attribute.String("kopir.door", string(t.door)), attribute.String("kopir.operation", t.operation), attribute.String("kopir.sender", t.sender),
		attribute.String("kopir.service", t.service), attribute.String("kopir.application", t.application), attribute.String("kopir.outcome", t.outcome))
	failed(span, err)
}

// hops are the names of the spans of deliveries.
func (r Route) hop() string {
	switch {
	case r == ToLocal:
		return "local row"
	case r.Asks():
		return "registry question"
	case r.personal():
		return "letter"
	}
	return "notification"
}

// trying begins the span of one try of a delivery.
func (b *Bridge) trying(ctx context.Context, d *Delivery) (context.Context, trace.Span) {
	return b.continued(ctx, d.Trace, d.Route.hop(), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("kopir.route", string(d.Route)), attribute.String("kopir.application", d.Application), attribute.String("kopir.message_id", d.MessageID), attribute.Int("kopir.try", d.Tries+1)))
}

// traceAlarms tells in their traces of terms that were told of, and gives the
// traces by application.
func (b *Bridge) traceAlarms(ctx context.Context, told []Due) map[string]string {
	if _, none := b.tracer.(noop.Tracer); none {
		return nil // the applications need not be read
	}
	traces := map[string]string{}
	for _, due := range told {
		app, err := b.o.Store.Application(ctx, due.Application)
		if err != nil {
			b.log.Warn("alarm not traced", zap.String("application", due.Application), zap.Error(err))
			continue
		}
		traces[due.Application] = app.Trace
		kind := EventWarning
		if !due.OverdueAt.IsZero() {
			kind = EventOverdue
		}
		_, span := b.continued(ctx, app.Trace, "deadline alarm", trace.WithAttributes(attribute.String("kopir.application", due.Application),
			attribute.String("kopir.alarm", string(kind)), attribute.Int("kopir.step", due.Step), attribute.String("kopir.service", due.Service)))
		span.End()
	}
	return traces
}
