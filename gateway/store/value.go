package store

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kopir/gateway"
)

// micros and moment keep a time as microseconds since 1970 in UTC; the zero
// time is nought.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// blob never gives NULL: a missing blob is an empty one.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return string(b), nil
}

func fromJSON(s string, v any) error {
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return fmt.Errorf("store: a row does not read: %w", err)
	}
	return nil
}

// A cursor is the place of the last row that was given: its time and its key.
func cursor(at int64, key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(at, 10) + " " + key))
}

func parseCursor(c string) (at int64, key string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(c)
	if err == nil {
		var num string
		num, key, _ = strings.Cut(string(b), " ")
		at, err = strconv.ParseInt(num, 10, 64)
	}
	if err != nil {
		return 0, "", &gateway.Error{Code: gateway.Malformed, Field: "cursor", Say: "the cursor is not one that a page gave; leave it out to begin anew"}
	}
	return at, key, nil
}

// where collects conditions and their values.
type where struct {
	parts []string
	args  []any
}

func (w *where) and(cond string, args ...any) {
	w.parts = append(w.parts, cond)
	w.args = append(w.args, args...)
}

// in adds "column IN (?, …)" for values; none adds nothing.
func in[T ~string](w *where, column string, values []T) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = string(v)
	}
	w.and(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

func (w *where) String() string {
	if len(w.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.parts, " AND ")
}
