package client

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"kopir/gateway"
	"kopir/gateway/soap"
)

// Mailbox is what a Poller fetches from; *Async is one.
type Mailbox interface {
	Messages(ctx context.Context, q Query) (*soap.AsyncGetMessagesResponse, *Answer, error)
	Confirm(ctx context.Context, messageID, serviceID string, refusal *soap.ErrorInfo, resend bool) (*soap.AsyncSendDeliveryNotificationResponse, *Answer, error)
}

// Fetched is a message that was fetched, with the answer that held it.
type Fetched struct {
	Message soap.AsyncMessage
	Answer  *Answer
}

// Rejection is the error of a handler that refuses a message: the gateway is
// told, and with Resend asked to hand it out again.
type Rejection struct {
	Code, Text string
	Data       string // what an engineer needs to know
	Resend     bool
}

func (r *Rejection) Error() string { return "client: rejected " + r.Code + ": " + r.Text }

// Intake keeps a fetched message; *gateway.Bridge does.
type Intake interface {
	Fetched(ctx context.Context, answer []byte, messageID string) gateway.Confirmation
}

// HandOver makes an Intake the Handle of a Poller.
func HandOver(to Intake) func(ctx context.Context, f Fetched) error {
	return func(ctx context.Context, f Fetched) error {
		c := to.Fetched(ctx, f.Answer.Raw, f.Message.MessageInfo.MessageID)
		switch {
		case c.Refused == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err() // we are stopping: that is no word about the message
		}
		return &Rejection{Code: c.Refused.ErrorCode, Text: c.Refused.ErrorMessage, Data: c.Refused.ErrorData, Resend: c.Resend}
	}
}

// more is the pause before the next question while messages come.
const more = 50 * time.Millisecond

// Poller fetches the messages of a service instead of having them pushed. A
// message is confirmed after Handle has returned, so one whose confirmation is
// lost comes again: Handle must know messages by their id.
type Poller struct {
	From      Mailbox
	ServiceID string
	// Amount is how many messages are asked for at a time; zero: the gateway's
	// default. As many more are asked for as were left unsettled the last time,
	// so that these do not stand in the way of what comes after them.
	Amount int32
	// Every is the pause between questions when nothing waits; after a failure
	// it doubles each time, up to sixteenfold. Zero: a minute.
	Every time.Duration
	// Handle takes one message. nil: it is kept safely, and is confirmed. A
	// *Rejection: it is refused. Any other error: it is neither, and comes
	// again.
	Handle func(ctx context.Context, f Fetched) error
	// Failed is told of what went wrong; nil: nobody is.
	Failed func(err error)
	// Tracer makes a span of each question and confirmation; nil: none. What is
	// fetched begins its own trace, which is linked to that of the question.
	Tracer trace.Tracer

	left int32 // unsettled at the last question
}

// maxAmount is how many messages are asked for at the most.
const maxAmount = 100

// Run polls until the context ends, and returns its error.
func (p *Poller) Run(ctx context.Context) error {
	every := p.Every
	if every <= 0 {
		every = time.Minute
	}
	pause := every
	for {
		taken, err := p.Once(ctx)
		switch {
		case err != nil:
			if p.Failed != nil && ctx.Err() == nil {
				p.Failed(err)
			}
		case taken > 0:
			pause = min(every, more)
		default:
			pause = every
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if err != nil {
			pause = min(max(pause, every)*2, every*16)
		}
	}
}

// Once asks once and handles what came, in its order. taken counts the
// messages that were confirmed or refused for good; the error joins all that
// failed.
func (p *Poller) Once(ctx context.Context) (taken int, err error) {
	ctx, span := p.tracer().Start(ctx, "fetch", trace.WithAttributes(attribute.String("kopir.service", p.ServiceID)))
	defer func() { span.SetAttributes(attribute.Int("kopir.taken", taken)); span.End() }()
	amount := p.Amount
	if amount > 0 {
		amount = min(amount+p.left, maxAmount)
	}
	asking, end := p.hop(ctx, "fetch question")
	got, answer, err := p.From.Messages(asking, Query{ServiceID: p.ServiceID, Amount: amount})
	end(err)
	p.left = 0
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, m := range got.Messages {
		if ctx.Err() != nil {
			return taken, errors.Join(append(faults, ctx.Err())...)
		}
		final, err := p.settle(ctx, Fetched{m, answer})
		if err != nil {
			faults = append(faults, err)
		} else if final {
			taken++
		}
	}
	p.left = int32(len(got.Messages) - taken)
	return taken, errors.Join(faults...)
}

// settle handles one message and tells the gateway. final is false when it
// will come again.
func (p *Poller) settle(ctx context.Context, f Fetched) (final bool, err error) {
	info := f.Message.MessageInfo
	if info.MessageID == "" {
		return false, errors.New("client: a fetched message has no id, so it cannot be confirmed")
	}
	var refusal *soap.ErrorInfo
	resend := false
	if err := p.Handle(ctx, f); err != nil {
		var r *Rejection
		if !errors.As(err, &r) {
			return false, err
		}
		refusal, resend = &soap.ErrorInfo{ErrorCode: r.Code, ErrorMessage: r.Text, ErrorData: r.Data}, r.Resend
	}
	telling, end := p.hop(ctx, "confirmation", attribute.String("kopir.message_id", info.MessageID))
	_, _, err = p.From.Confirm(telling, info.MessageID, info.ServiceID, refusal, resend)
	end(err)
	if err != nil {
		return false, err
	}
	return !resend, nil
}

func (p *Poller) tracer() trace.Tracer {
	if p.Tracer == nil {
		return noop.Tracer{}
	}
	return p.Tracer
}

// hop makes a span of one call to the gateway; of an error it tells the cause.
func (p *Poller) hop(ctx context.Context, name string, about ...attribute.KeyValue) (context.Context, func(error)) {
	ctx, span := p.tracer().Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(about...))
	return ctx, func(err error) {
		if err != nil {
			cause := ""
			if e := (*Error)(nil); errors.As(err, &e) {
				cause = string(e.Cause)
			}
			span.SetStatus(codes.Error, cause)
		}
		span.End()
	}
}
