package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sketches = "../../testdata/mappings/sketch/"

// TestMappingNew: what is written from a schema, or from a message, is found
// in order by check, and reads the message that it was written for.
func TestMappingNew(t *testing.T) {
	inner := string(readAll(t, sketches+"benefit.xml"))
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(inner)
	envelope := func(data string) string {
		return `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><s:SendMessage xmlns:s="http://bip.bee.kz/SyncChannel/v10/Types"><request>` +
			`<requestInfo><messageId>1</messageId><serviceId>TEST_BENEFIT</serviceId><messageDate>2026-03-11T10:00:00+05:00</messageDate><sender><senderId>x</senderId><password>x</password></sender></requestInfo>` +
			`<requestData>` + data + `</requestData></request></s:SendMessage></soap:Body></soap:Envelope>`
	}
	for name, c := range map[string]struct {
		in   string
		args []string
		form string
	}{
		"schema":    {"", []string{"-xsd", sketches + "benefit.xsd", "-service", "test-benefit"}, "form: escaped # DECIDE"},
		"document":  {inner, []string{"-sample", "-", "-service", "test-benefit"}, "form: escaped # DECIDE"},
		"escaped":   {envelope("<data>" + escaped + "</data>"), []string{"-sample", "-"}, "form: escaped\n"},
		"in CDATA":  {envelope("<data><![CDATA[" + inner + "]]></data>"), []string{"-sample", "-"}, "form: cdata\n"},
		"as nested": {envelope("<data>" + inner + "</data>"), []string{"-sample", "-"}, "form: nested\n"},
	} {
		dir := t.TempDir()
		code, out, errs := runMappingVerb(t, c.in, nil, append(append([]string{"new"}, c.args...), "-out", dir)...)
		file := filepath.Join(dir, "test-benefit.yaml")
		if code != exitPassed || !strings.HasPrefix(out, file+": ") {
			t.Errorf("%s: %d %s%s", name, code, out, errs)
			continue
		}
		if text := string(readAll(t, file)); !strings.Contains(text, c.form) {
			t.Errorf("%s: not carried as %q", name, c.form)
		}
		if code, _, errs = runMappingVerb(t, "", nil, "check", "-dir", dir); code != exitPassed {
			t.Errorf("%s: %s", name, errs)
		}
		if code, out, errs = runMappingVerb(t, inner, nil, "test", "-dir", dir, "test-benefit", "-"); code != exitPassed || !strings.Contains(out, `"iin": "900101300017"`) || !strings.Contains(out, `"unknown": []`) {
			t.Errorf("%s: %d %s%s", name, code, out, errs)
		}
		if code, _, errs = runMappingVerb(t, c.in, nil, append(append([]string{"new"}, c.args...), "-out", dir)...); code != exitUsage || !strings.Contains(errs, "is there already") {
			t.Errorf("%s was written over: %d %s", name, code, errs)
		}
	}
}

func TestMappingNewRefuses(t *testing.T) {
	away := filepath.Join(t.TempDir(), "a.xsd")
	if err := os.WriteFile(away, []byte(`<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:include schemaLocation="http://example.kz/b.xsd"/></xs:schema>`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   string
		args []string
		want string
	}{
		{"", nil, "needs -xsd FILE, or -sample FILE"},
		{"", []string{"-xsd", "a", "-sample", "b"}, "needs -xsd FILE, or -sample FILE"},
		{"", []string{"-xsd", "none.xsd"}, "no such file"},
		{"", []string{"-xsd", away}, "which is not fetched"},
		{"", []string{"-xsd", sketches + "benefit.xsd", "-root", "other"}, "the root is one of benefitRequest"},
		{"", []string{"-xsd", sketches + "benefit.xsd", "-service", "Справка"}, "lower-case Latin letters"},
		{"<a", []string{"-sample", "-"}, "XML"},
		{"<a/>", []string{"-sample", "-"}, "no elements inside"},
	} {
		if code, out, errs := runMappingVerb(t, c.in, nil, append([]string{"new"}, c.args...)...); code != exitUsage || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %d %q %q", c.args, code, out, errs)
		}
	}
}
