package crash

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"kopir/gateway/sim"
)

// service is what people apply for: partners are told of every state, and at
// the service centre's counter a registry is asked.
const service = sim.DefaultService

var siteTemplate = template.Must(template.New("kopir.yaml").Parse(`# Written by kopir crashtest.
listen: {{.Listen}}
store: {{.Store}}
local: {{.Local}}
key: {p12: ../keys/bridge.p12, password_file: ../keys/bridge.password}
trust: [../trust]
revocation: {ocsp: ["{{.A.OCSP}}"], crl: ["{{.A.CRL}}"], delta: ["{{.A.DeltaCRL}}"]}
gateway: {sync: "{{.A.Sync}}", async: "{{.A.Async}}", sender_id: {{.Bridge.Sender}}, password_file: ../keys/gateway.password, bins: ["{{.Gateway.BIN}}"], timeout: 10s}
registries:
  - {id: gbd-fl, sender_code: {{.Bridge.Sender}}, no_data: ["00001"]}
senders:
  - {id: {{.Portal.Sender}}, channel: portal, status_service: {{index .Portal.Services 0}}, bins: ["{{.Portal.BIN}}", "{{.Gateway.BIN}}"]}
  - {id: {{.CSC.Sender}}, channel: csc, status_service: {{index .CSC.Services 0}}, bins: ["{{.CSC.BIN}}", "{{.Gateway.BIN}}"]}
officials: ["{{.Bridge.BIN}}"]
services: [{{.Service}}]
journal: {checkpoint: 5s, tsa: "{{(index .A.Authorities 0).Stamps}}"}
api_keys:
  - {name: specialist, role: specialist, sha256: {{.Hash}}}
log: {level: info, format: json}
`))

// site writes keys, trust and a configuration for each node.
func (t *trial) site() ([]*node, error) {
	var systems [4]sim.System
	for i, name := range []string{"bridge", "gateway", "portal", "csc"} {
		var ok bool
		if systems[i], ok = t.sim.System(name); !ok {
			return nil, fmt.Errorf("the simulator has no %s", name)
		}
	}
	p12, err := t.sim.BridgeP12(sim.DefaultPassword)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{
		"keys/bridge.p12": p12, "keys/bridge.password": []byte(sim.DefaultPassword + "\n"), "keys/gateway.password": []byte(systems[0].Password + "\n"),
		"keys/api.key": []byte(t.o.Key + "\n"), "trust/authority.pem": t.sim.ChainPEM(),
	} {
		if err := writeFile(filepath.Join(t.o.Dir, name), content); err != nil {
			return nil, err
		}
	}
	var nodes []*node
	for i := range t.o.Nodes {
		n := &node{name: fmt.Sprintf("node%d", i+1), key: t.o.Key}
		n.dir = filepath.Join(t.o.Dir, n.name)
		n.config, n.control = filepath.Join(n.dir, "kopir.yaml"), filepath.Join(n.dir, "failpoints")
		if n.addr, err = freeAddress(); err != nil {
			return nil, err
		}
		store, local := "{path: ../data/kopir.db}", "{path: ../data/mio.db}"
		if t.o.Database == Postgres {
			for _, part := range []struct{ file, name string }{{"store.dsn", t.tables.store}, {"local.dsn", t.tables.local}} {
				address := t.tables.direct(part.name)
				if t.o.disturbed() {
					p, err := newProxy(t.tables.server)
					if err != nil {
						return nil, err
					}
					t.proxies = append(t.proxies, p)
					address = t.tables.through(p.addr, part.name)
				}
				if err := writeFile(filepath.Join(n.dir, part.file), []byte(address+"\n")); err != nil {
					return nil, err
				}
			}
			store, local = "{driver: postgres, dsn_file: store.dsn}", "{driver: postgres, dsn_file: local.dsn}"
		}
		var text strings.Builder
		err := siteTemplate.Execute(&text, struct {
			Listen, Store, Local, Hash, Service string
			A                                   sim.Address
			Bridge, Gateway, Portal, CSC        sim.System
		}{n.addr, store, local, t.o.KeyHash, service, t.sim.Addresses(), systems[0], systems[1], systems[2], systems[3]})
		if err == nil {
			err = writeFile(n.config, []byte(text.String()))
		}
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// freeAddress is one that a process can take, and take again.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
