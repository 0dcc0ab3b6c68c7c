//go:build shared

package sim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/gateway/soap"
)

// peer finds a program of the peers, by PATH or in KOPIR_PEERS.
func peer(t *testing.T, name string) string {
	t.Helper()
	if dir := os.Getenv("KOPIR_PEERS"); dir != "" {
		return filepath.Join(dir, "bin", name)
	}
	at, err := exec.LookPath(name)
	if err != nil {
		t.Skip("no", name, "here")
	}
	return at
}

// TestPeerClientsReadTheRefusal: clients that know only the contract send an
// unsigned message and read the gateway's typed fault.
func TestPeerClientsReadTheRefusal(t *testing.T) {
	s := newStage(t, nil)
	for _, name := range []string{"call-zeep", "call-php", "call-node"} {
		out, _ := exec.Command(peer(t, name), "--wsdl", s.url+SyncPath+"?wsdl", "--service-id", "GBDFL_UniversalServiceSync", "--message-id", "m-1", "--data", "<a/>").Output()
		var got struct {
			Fault struct{ Detail map[string]any }
		}
		if err := json.Unmarshal(out, &got); err != nil || got.Fault.Detail["errorCode"] != codeUnsigned {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

// TestPeerSignaturesPass: WSS4J signs as the bridge in every form of KeyInfo,
// the gateway answers, and WSS4J and xmlsec1 verify the answer.
func TestPeerSignaturesPass(t *testing.T) {
	wss4j, xs1 := peer(t, "wss4j"), peer(t, "xs1")
	s := newStage(t, nil)
	dir := t.TempDir()
	files, err := s.WriteFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	person, _ := s.Person("citizen")
	envelope, err := soap.Build(&soap.SyncSendMessageRequest{
		RequestInfo: soap.SyncMessageInfo{MessageID: "q1", ServiceID: "GBDFL_UniversalServiceSync", MessageDate: time.Now(), Sender: soap.SenderInfo{SenderID: "MIO", Password: "Qwerty12"}},
		RequestData: soap.RequestData{Data: soap.NestedData([]byte("<messageId>q1</messageId><iin>" + person.IIN + "</iin>"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	plain, signed, answer := filepath.Join(dir, "u.xml"), filepath.Join(dir, "s.xml"), filepath.Join(dir, "a.xml")
	if err := os.WriteFile(plain, envelope, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"BST", "X509KeyIdentifier", "IssuerSerial", "SKI", "Thumbprint"} {
		if out, err := exec.Command(wss4j, "sign", "--p12", files.Bridge, "--pass", DefaultPassword, "--in", plain, "--out", signed, "--keyid", form).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", form, err, out)
		}
		body, err := os.ReadFile(signed)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(s.url+SyncPath, "text/xml", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(got, []byte("<surname>"+person.Surname+"</surname>")) {
			t.Errorf("%s: HTTP %d %v\n%s", form, resp.StatusCode, err, got)
			continue
		}
		if err := os.WriteFile(answer, got, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, judge := range [][]string{{wss4j, "verify"}, {xs1, "verify-soap"}} {
			if out, err := exec.Command(judge[0], judge[1], "--ca", files.Chain, answer).CombinedOutput(); err != nil {
				t.Errorf("%s: %s: %v %s", form, judge[0], err, out)
			}
		}
	}
}

// TestPeersReadTheCitizensSignature: what goxmldsig signs verifies elsewhere.
func TestPeersReadTheCitizensSignature(t *testing.T) {
	s := newStage(t, nil)
	dir := t.TempDir()
	files, err := s.WriteFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	document, err := s.Document("portal", Submission{Person: "citizen", Tweaks: Tweaks{AttachmentKB: 20}})
	if err != nil {
		t.Fatal(err)
	}
	good, bad := filepath.Join(dir, "d.xml"), filepath.Join(dir, "t.xml")
	if err := os.WriteFile(good, document, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, tampered(document), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"santuario", "xs1", "pyxmlsec", "nxc"} {
		if out, err := exec.Command(peer(t, name), "verify", "--ca", files.Chain, good).CombinedOutput(); err != nil || !strings.Contains(string(out), `true`) {
			t.Errorf("%s: %v %s", name, err, out)
		}
		if out, err := exec.Command(peer(t, name), "verify", "--ca", files.Chain, bad).CombinedOutput(); err == nil {
			t.Errorf("%s lets a changed document pass: %s", name, out)
		}
	}
}
