package gateway

import (
	"context"
	"slices"
	"time"

	"kopir/gateway/soap"
	"kopir/signature/verdict"
)

// How far a signed time may be from ours. A message id is remembered for
// ever, so these guard against wrong clocks and old files, not replay.
const (
	maxAhead = 10 * time.Minute    // clocks differ
	maxStamp = 24 * time.Hour      // of a Timestamp that names no end
	maxOld   = 30 * 24 * time.Hour // of messageDate: a queue may have held it
)

// timely refuses what is too old, unless it is our clock that is wrong: a
// refusal is for good, and the message may be right.
func (b *Bridge) timely(ctx context.Context, m *inbound) error {
	if slices.ContainsFunc(m.signed(), func(t time.Time) bool { return b.keeper.confirm(ctx, t) }) {
		m.at = b.now().UTC()
	}
	err := m.fresh()
	if err != nil && b.misled(ctx, m.at) {
		return untimely(b.ClockFault())
	}
	return err
}

// misled says whether the time by which something was judged may have been
// wrong: the clock is not believed, or was set right since.
func (b *Bridge) misled(ctx context.Context, at time.Time) bool {
	return b.keeper.check(ctx) != nil || b.now().Sub(at).Abs() > clockSlack
}

// hangsOnTime says whether a verdict would be another one at another time.
func hangsOnTime(r verdict.Reason) bool { return r == verdict.Expired || r == verdict.NotYetValid }

// untimely is the answer while our clock is not believed.
func untimely(fault error) error {
	return &Error{Code: TryLater, Say: "the clock of the bridge is not right at the moment; send the same bytes again", Cause: fault}
}

// fresh compares the signed times of a message with ours. An unsigned Timestamp
// proves nothing and is not looked at.
func (m *inbound) fresh() error {
	if t := m.system.Signatures[0].Timestamp; t != nil && t.Signed {
		switch {
		case !t.Created.IsZero() && !t.Expires.IsZero() && t.Created.After(t.Expires):
			return refuse(Stale, "Security/Timestamp", "Created is later than Expires")
		case t.Created.After(m.at.Add(maxAhead)):
			return refuse(Stale, "Security/Timestamp/Created", "the time lies ahead of ours; set the clock")
		case !t.Expires.IsZero() && !m.at.Before(t.Expires):
			return refuse(Stale, "Security/Timestamp/Expires", "the message has expired; send it anew")
		case t.Expires.IsZero() && t.Created.Before(m.at.Add(-maxStamp)):
			return refuse(Stale, "Security/Timestamp/Created", "the message is older than %s; send it anew", maxStamp)
		}
	}
	date, dated := m.date()
	switch {
	case !dated:
	case date.After(m.at.Add(maxAhead)):
		return refuse(Stale, "messageDate", "the date lies ahead of ours; set the clock")
	case date.Before(m.at.Add(-maxOld)):
		return refuse(Stale, "messageDate", "the message is older than %d days; send it anew under a new id", int(maxOld/(24*time.Hour)))
	}
	return nil
}

// date is when the Body says that it was made, if it does.
func (m *inbound) date() (date time.Time, dated bool) {
	switch p := m.message.Payload.(type) {
	case *soap.SyncSendMessageRequest:
		return p.RequestInfo.MessageDate, true
	case *soap.AsyncSendMessageRequest:
		return p.MessageInfo.MessageDate, true
	}
	return time.Time{}, false
}

// signed are the times under the signature of the sending system.
func (m *inbound) signed() (all []time.Time) {
	if date, dated := m.date(); dated {
		all = append(all, date)
	}
	if t := m.system.Signatures[0].Timestamp; t != nil && t.Signed {
		all = append(all, t.Created)
	}
	return all
}
