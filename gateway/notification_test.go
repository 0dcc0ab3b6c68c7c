package gateway_test

import (
	"testing"

	"kopir/gateway"
)

// TestNotifications: the lines of the cabinet, as they went out.
func TestNotifications(t *testing.T) {
	w := newTown(t)
	app, _ := w.apply("m-1")
	who := gateway.Actor{Name: "specialist"}
	if _, err := w.bridge.Take(t.Context(), app.Number, who); err != nil {
		t.Fatal(err)
	}
	if _, err := w.bridge.Decide(t.Context(), app.Number, who, gateway.Decision{State: gateway.Completed, Result: w.result("official", app.Number, "")}); err != nil {
		t.Fatal(err)
	}
	all, err := w.bridge.Notifications(t.Context(), app.Number)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string][]gateway.Notification{}
	for _, n := range all {
		lines[n.Partner] = append(lines[n.Partner], n)
	}
	portal := lines["portal"]
	if len(portal) != 3 || len(lines["csc"]) != 3 || len(all) != 6 {
		t.Fatalf("%+v", all)
	}
	for i, code := range []string{"ACCEPTED", "IN_PROCESSING", "COMPLETED"} {
		if n := portal[i]; n.Code != code || n.Section.RU != "Уведомления" || n.Section.KK != "Ескерту" || n.Text.RU == "" || n.Text.KK == "" || n.State != gateway.Queued || (n.Result != "") != (code == "COMPLETED") {
			t.Errorf("%+v", n)
		}
	}
	w.deliver()
	if all, err = w.bridge.Notifications(t.Context(), app.Number); err != nil || all[0].State != gateway.Done || all[0].DoneAt.IsZero() {
		t.Errorf("%+v %v", all, err)
	}
	if _, err = w.bridge.Notifications(t.Context(), "UC-0"); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("%v", err)
	}
}
