package gateway

import (
	"context"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// trail is what is told of one message in the one line of the log that it
// gets: filled on the way, written at the end. It holds no body, no password
// and no whole number of a person.
type trail struct {
	door        Door
	remote      string
	request     string
	operation   string
	sender      string
	former      bool // it gave its former password
	service     string
	messageID   string
	application string
	outcome     string // accepted, refused, held, repeated, answered, fault
	bytes       int
}

// log writes the line: what went well at info, what the sender must mend at
// warn, what we must mend at error.
func (b *Bridge) logTrail(ctx context.Context, t *trail, took time.Duration, err error) {
	level := zapcore.InfoLevel
	fields := []zap.Field{
		zap.String("door", string(t.door)), zap.String("operation", t.operation), zap.String("sender", t.sender),
		zap.String("service", t.service), zap.String("message_id", t.messageID), zap.String("outcome", t.outcome),
		zap.Int("bytes", t.bytes), zap.Duration("took", took), traceID(ctx),
	}
	if t.application != "" {
		fields = append(fields, zap.String("application", t.application))
	}
	if t.former {
		fields = append(fields, zap.String("password", "former"))
	}
	if t.request != "" {
		fields = append(fields, zap.String("request", t.request))
	}
	if t.remote != "" {
		fields = append(fields, zap.String("remote", t.remote))
	}
	if err != nil {
		level = zapcore.WarnLevel
		if c := CodeOf(err); c == Internal || c == TryLater {
			level = zapcore.ErrorLevel
		}
		fields = append(fields, zap.String("code", string(CodeOf(err))), zap.Error(err))
	}
	b.log.Log(level, "message", fields...)
}
