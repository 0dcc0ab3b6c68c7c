package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	spans "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"kopir/gateway/client"
)

// tracesBudget bounds one export, and what a stop waits for the last one.
const tracesBudget = 5 * time.Second

// newTraces makes what keeps and sends spans; nil where nothing is traced.
// Spans wait in memory, some thousands at most: what a collector that is away
// misses is lost, and nothing else waits for it.
func newTraces(l *loaded, log *zap.Logger) *sdktrace.TracerProvider {
	if l.Traces.OTLP == "" {
		return nil
	}
	to := &otlp{address: l.Traces.OTLP, http: client.NewHTTP(nil, l.proxy()), log: log}
	return sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(to, sdktrace.WithExportTimeout(tracesBudget)),
		// An application is traced whole or not at all: what follows goes by its root.
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(float64(l.Traces.Sample)))),
		sdktrace.WithResource(sdkresource.NewSchemaless(
			attribute.String("service.name", "kopir"), attribute.String("service.version", buildVersion()), attribute.String("service.instance.id", processName()))),
	)
}

// tracer is that of a node; where nothing is traced, its spans are nothing.
func (n *node) tracer() trace.Tracer {
	if n.traces == nil {
		return noop.Tracer{}
	}
	return n.traces.Tracer("kopir")
}

// stopTraces sends what waits.
func (n *node) stopTraces() {
	if n.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tracesBudget)
	defer cancel()
	if err := n.traces.Shutdown(ctx); err != nil {
		n.log.Warn("the last traces were not sent", zap.Error(err))
	}
}

// otlp sends spans to a collector: OTLP over HTTP, in protobuf. (The library's
// own exporter links gRPC and its gateway, eighty packages, to do the same.)
type otlp struct {
	address string
	http    *http.Client
	log     *zap.Logger
	away    atomic.Bool
}

var _ sdktrace.SpanExporter = (*otlp)(nil)

// ExportSpans sends a batch. That the collector is away, and that it is back, is
// told once.
func (o *otlp) ExportSpans(ctx context.Context, all []sdktrace.ReadOnlySpan) error {
	err := o.send(ctx, all)
	switch away := o.away.Swap(err != nil); {
	case err != nil && !away:
		o.log.Warn("traces are lost: the collector does not take them", zap.Error(err))
	case err == nil && away:
		o.log.Info("the collector takes traces again")
	}
	return nil
}

// Shutdown has nothing to end.
func (o *otlp) Shutdown(context.Context) error { return nil }

func (o *otlp) send(ctx context.Context, all []sdktrace.ReadOnlySpan) error {
	if len(all) == 0 {
		return nil
	}
	body, err := proto.Marshal(exportOf(all))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address does not read")
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := o.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)); err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("it answers %d", answer.StatusCode)
	}
	return nil
}

// exportOf writes spans of one provider as the protocol has them.
func exportOf(all []sdktrace.ReadOnlySpan) *collector.ExportTraceServiceRequest {
	of := &spans.ScopeSpans{Scope: &common.InstrumentationScope{Name: "kopir"}}
	for _, s := range all {
		id, own := s.SpanContext().TraceID(), s.SpanContext().SpanID()
		out := &spans.Span{
			TraceId: id[:], SpanId: own[:], Name: s.Name(), Kind: spans.Span_SpanKind(s.SpanKind()), Flags: uint32(s.SpanContext().TraceFlags()),
			StartTimeUnixNano: uint64(s.StartTime().UnixNano()), EndTimeUnixNano: uint64(s.EndTime().UnixNano()), Attributes: attributesOf(s.Attributes()),
			DroppedAttributesCount: uint32(s.DroppedAttributes()), DroppedLinksCount: uint32(s.DroppedLinks()), Status: statusOf(s.Status()),
		}
		if parent := s.Parent().SpanID(); parent.IsValid() {
			out.ParentSpanId = parent[:]
		}
		for _, link := range s.Links() {
			id, span := link.SpanContext.TraceID(), link.SpanContext.SpanID()
			out.Links = append(out.Links, &spans.Span_Link{TraceId: id[:], SpanId: span[:], Attributes: attributesOf(link.Attributes)})
		}
		of.Spans = append(of.Spans, out)
	}
	return &collector.ExportTraceServiceRequest{ResourceSpans: []*spans.ResourceSpans{{
		Resource: &resource.Resource{Attributes: attributesOf(all[0].Resource().Attributes())}, ScopeSpans: []*spans.ScopeSpans{of},
	}}}
}

// statusOf: the protocol counts ok before error, the library after.
func statusOf(s sdktrace.Status) *spans.Status {
	if s.Code == codes.Error {
		return &spans.Status{Code: spans.Status_STATUS_CODE_ERROR, Message: s.Description}
	}
	return nil
}

// attributesOf: ours are texts and whole numbers.
func attributesOf(all []attribute.KeyValue) (out []*common.KeyValue) {
	for _, a := range all {
		v := &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: a.Value.String()}}
		if a.Value.Type() == attribute.INT64 {
			v.Value = &common.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		}
		out = append(out, &common.KeyValue{Key: string(a.Key), Value: v})
	}
	return out
}
