package server

import (
	"reflect"
	"time"

	"kopir/gateway"
	"kopir/signature/verdict"
)

// filledNouns are values in which no field is empty, so that no member hides
// behind omitempty.
func filledNouns() map[string]any {
	app := fill[gateway.Application]()
	app.State, app.Channel = gateway.Completed, gateway.Portal
	app.Forecast.Because = gateway.AsSlow
	withoutContent(&app)
	return map[string]any{
		"Application": app,
		"Event":       with(fill[gateway.Event](), func(e *gateway.Event) { e.Kind, e.From, e.To = gateway.EventState, gateway.Held, gateway.Received }),
		"Due":         with(fill[gateway.Due](), func(d *gateway.Due) { d.State, d.Channel = gateway.Received, gateway.Portal }),
		"DueGroup":    fill[gateway.DueGroup](),
		"Evidence":    with(fill[gateway.Evidence](), func(e *gateway.Evidence) { e.Kind, e.Outcome = gateway.ByPerson, verdict.Passed }),
		"Delivery": with(fill[gateway.Delivery](), func(d *gateway.Delivery) {
			d.Route, d.State, d.Cause = gateway.ToPortal, gateway.Dead, gateway.CauseRefused
		}),
		"DeadGroup":    with(fill[gateway.DeadGroup](), func(g *gateway.DeadGroup) { g.Route, g.Cause = gateway.ToPortal, gateway.CauseRefused }),
		"GroupSettled": fill[gateway.GroupSettled](),
		"Office":       fill[Office](),
		"Notification": with(fill[gateway.Notification](), func(n *gateway.Notification) { n.State = gateway.Done }),
		"Service":      with(fill[Service](), func(s *Service) { s.Statuses[0].State = gateway.Received }),
		"Problem":      fill[Problem](),
		"NoticePage":   with(fill[gateway.NoticePage](), func(p *gateway.NoticePage) { p.Notices[0].MessageType = "RESPONSE" }),
	}
}

func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

func fill[T any]() T {
	var v T
	fillValue(reflect.ValueOf(&v).Elem())
	return v
}

func fillValue(v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)))
		return
	case reflect.TypeFor[gateway.IIN]():
		v.SetString("900101300007")
		return
	case reflect.TypeFor[gateway.BIN]():
		v.SetString("050540001237")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillValue(v.Index(0))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"number": "UC-2026-000001"}))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Type != reflect.TypeFor[[]verdict.Proof]() { // never shown
				fillValue(v.Field(i))
			}
		}
	default:
		panic("fill: " + v.Type().String())
	}
}
