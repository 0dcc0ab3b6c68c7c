package main

import (
	"time"

	"kopir/gateway"
	"kopir/gateway/server"
	"kopir/mappings"
)

// officeList shows the directory of offices as the REST door tells it, with the
// systems that people reach by an address.
func officeList(set *mappings.Set) (out []server.Office) {
	for _, o := range set.Offices.All() {
		hours, _ := set.Offices.Hours(o.Hours)
		out = append(out, server.Office{ID: o.ID, Kind: o.Kind, Parent: o.Parent, Name: shown(o.Name), Address: shown(o.Address),
			Email: o.Email, Phones: o.Phones, Hours: shown(hours.Text), Note: o.Note})
	}
	for _, a := range set.Sites() {
		out = append(out, server.Office{ID: a.ID, Kind: a.Kind, Name: shown(a.Name), Site: a.Site})
	}
	return out
}

func shown(t mappings.Text) gateway.Text { return gateway.Text{RU: t.Ru, KK: t.Kk, EN: t.En} }

// serviceList shows the services in force as the REST door tells them.
func serviceList(set *mappings.Set, at time.Time) []server.Service {
	var out []server.Service
	for _, s := range set.Offers(at) {
		v := server.Service{ID: s.ID, Edition: s.Edition, ServiceID: s.Gateway.ServiceID, Title: shown(s.Title),
			Channels: []string{}, Statuses: []server.Status{}, Refusals: []server.Refusal{}}
		for _, c := range s.Channels {
			v.Channels = append(v.Channels, c.ID)
		}
		for _, x := range s.Statuses {
			v.Statuses = append(v.Statuses, server.Status{State: gateway.State(x.State), Local: x.Local, Text: shown(x.Text)})
		}
		for _, x := range s.Refusals {
			v.Refusals = append(v.Refusals, server.Refusal{Code: x.ID, Text: shown(x.Text)})
		}
		out = append(out, v)
	}
	return out
}
