package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"kopir/gateway/server"
	"kopir/gateway/sim"
)

var siteTemplate = template.Must(template.New("kopir.yaml").Parse(`# Written by kopir run. ` + "`kopir check -config`" + ` reads it too.
listen: {{.Listen}}
public_url: {{.URL}}
store: {path: data/kopir.db}
local: {path: data/mio.db}
limits: {drain_notice: 0s}
disk: {warn: 100%, refuse: 100%} # a demonstration runs on any disk
mappings: mappings # an akimat's own services, beside the built-in ones
key: {p12: keys/bridge.p12, password_file: keys/bridge.password}
trust: [trust]
revocation:
  ocsp: ["{{.A.OCSP}}"]
  crl: ["{{.A.CRL}}"]
  delta: ["{{.A.DeltaCRL}}"]
{{- if .Others}}
  authorities:
{{- range .Others}}
    - {certificate: authorities/{{.Keys}}.cer, ocsp: ["{{$.A.OCSP}}"], crl: ["{{.CRL}}"], delta: ["{{.DeltaCRL}}"]}
{{- end}}
{{- end}}
gateway:
  sync: {{.A.Sync}}
  async: {{.A.Async}}
  sender_id: {{.Bridge.Sender}}
  password_file: keys/gateway.password
  bins: ["{{.Gateway.BIN}}"]
registries:
  - {id: gbd-fl, sender_code: {{.Bridge.Sender}}, no_data: ["00001"]}
  - {id: gbd-ul, requestor_bin: "{{.Bridge.BIN}}", no_data: ["404"]}
  - {id: enis, shape: enis.yaml}
senders:
  - {id: {{.Portal.Sender}}, channel: portal, status_service: {{index .Portal.Services 0}}, bins: ["{{.Portal.BIN}}", "{{.Gateway.BIN}}"]}
  - {id: {{.CSC.Sender}}, channel: csc, status_service: {{index .CSC.Services 0}}, bins: ["{{.CSC.BIN}}", "{{.Gateway.BIN}}"]}
  - {id: {{.Mobile.Sender}}, channel: portal, rest: {url: "{{.MobileURL}}", keys: [{file: keys/mobile.pem}], sign_answers: true}}
officials: ["{{.Bridge.BIN}}"]
journal: {tsa: "{{(index .A.Authorities 0).Stamps}}"}
api_keys:
  - {name: specialist, role: specialist, sha256: {{.Hash}}}
  - {name: administrator, role: admin, sha256: {{.AdminHash}}}
log: {level: info, format: json}
`))

// writeSite fetches key and trust from the simulator, as an engineer would from
// the authority, and writes the configuration.
func (p *play) writeSite(ctx context.Context) error {
	var hash, adminHash string
	p.key, hash = server.NewKey()
	p.admin, adminHash = server.NewKey()
	site := struct {
		Listen, URL, Hash, AdminHash string
		A                            sim.Address
		Others                       []sim.AuthorityAddress // beside the first
		Bridge, Gateway, Portal, CSC sim.System
		Mobile                       sim.System
		MobileURL                    string
	}{MobileURL: p.simulator + "/mobile/rest", Listen: strings.TrimPrefix(p.bridge, "http://"), URL: p.bridge, Hash: hash, AdminHash: adminHash, A: p.sim.Addresses()}
	for name, s := range map[string]*sim.System{"bridge": &site.Bridge, "gateway": &site.Gateway, "portal": &site.Portal, "csc": &site.CSC, "mobile": &site.Mobile} {
		var ok bool
		if *s, ok = p.sim.System(name); !ok {
			return fmt.Errorf("the simulator has no %s", name)
		}
	}
	site.Others = site.A.Authorities[1:]
	var text strings.Builder
	if err := siteTemplate.Execute(&text, site); err != nil {
		return err
	}
	p12, err := p.fetch(ctx, p.simulator+"/sim/certificates/bridge/key.p12")
	if err != nil {
		return err
	}
	mobile, err := p.fetch(ctx, p.simulator+"/sim/certificates/mobile/cert.pem")
	if err != nil {
		return err
	}
	chain, err := p.fetch(ctx, site.A.Chain)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"kopir.yaml": []byte(text.String()), "keys/bridge.p12": p12, "keys/bridge.password": []byte(sim.DefaultPassword + "\n"),
		"keys/gateway.password": []byte(site.Bridge.Password + "\n"), "keys/mobile.pem": mobile, "trust/authority.pem": chain, "enis.yaml": sim.ShapeYAML(),
	}
	for _, other := range site.Others {
		if files["authorities/"+string(other.Keys)+".cer"], err = p.fetch(ctx, other.Issuing); err != nil {
			return err
		}
	}
	own := sim.OwnServices()
	names, err := fs.Glob(own, "*.yaml")
	if err != nil {
		return err
	}
	for _, name := range names {
		if files["mappings/"+name], err = fs.ReadFile(own, name); err != nil {
			return err
		}
	}
	for name, content := range files {
		file := filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
