package gateway_test

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"

	"kopir/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The main job: an application arrives, is taken, decided, and everybody
// learns of it in order.
func TestTheMainJob(t *testing.T) {
	w := newTown(t)
	app, reply := w.apply("7ea6369f-18c5-4633-ad73-19de35883e0b")
	if app.State != gateway.Received || app.Number != "UC-2026-000001" || app.Office != district || app.Applicant.Name != "ТЕСТОВ ТЕСТ ТЕСТОВИЧ" || app.DueAt.IsZero() {
		t.Errorf("application %+v", app)
	}
	if reply.Status != 200 || !bytes.Contains(reply.Bytes, []byte(app.Number)) || !bytes.Contains(reply.Bytes, []byte("ds:Signature")) {
		t.Errorf("reply %d %s", reply.Status, reply.Bytes)
	}
	w.deliver()
	for _, d := range w.post.taken() {
		t.Log(d.Route, d.MessageType, string(d.Body))
	}
	for _, l := range w.logs.All() {
		t.Log(l.Message, l.ContextMap())
	}
}
