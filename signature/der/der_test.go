package der_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"kopir/signature/der"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func value(t testing.TB, s string) der.Value {
	t.Helper()
	raw := unhex(t, s)
	v, err := der.Parse("test", raw, raw[0])
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// TestEncodingsThatAreNotDER: refused with the place.
func TestEncodingsThatAreNotDER(t *testing.T) {
	for _, c := range []struct{ name, bytes string }{
		{"nothing", ""}, {"tag alone", "30"}, {"cut off", "30 03 02 01"}, {"cut in the length", "30 82 01"},
		{"indefinite", "30 80 00 00"}, {"long form for a short length", "30 81 03 02 01 05"}, {"zero in front of the length", "30 82 00 80"},
		{"length of nine bytes", "30 89 01 00 00 00 00 00 00 00 00"}, {"high tag number", "3f 1f 00"}, {"bytes behind it", "30 00 00"}, {"another tag", "31 00"},
	} {
		var fault *der.Error
		if _, err := der.Parse("test", unhex(t, c.bytes), der.Sequence); !errors.As(err, &fault) || fault.Object != "test" || fault.Message == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestIntegers(t *testing.T) {
	for s, want := range map[string]string{
		"02 01 00": "0", "02 01 7f": "127", "02 02 00 80": "128", "02 01 80": "-128", "02 01 ff": "-1", "02 02 ff 7f": "-129",
		"02 09 00 ff ff ff ff ff ff ff ff": "18446744073709551615",
	} {
		n, err := value(t, s).BigInt()
		w, _ := new(big.Int).SetString(want, 10)
		if err != nil || n.Cmp(w) != 0 {
			t.Errorf("%s: %v %v", s, n, err)
		}
	}
	for _, s := range []string{"02 00", "02 02 00 7f", "02 02 ff 80", "04 01 00"} {
		if n, err := value(t, s).BigInt(); err == nil {
			t.Errorf("%s was read as %v", s, n)
		}
	}
	for _, s := range []string{"02 01 ff", "02 05 00 80 00 00 00", "02 05 01 00 00 00 00", "02 02 00 01"} {
		if n, err := value(t, s).Int(); err == nil {
			t.Errorf("%s was read as %d", s, n)
		}
	}
	if n, err := value(t, "02 04 7f ff ff ff").Int(); err != nil || n != 1<<31-1 {
		t.Errorf("%d %v", n, err)
	}
}

// TestIdentifiersAgree with encoding/asn1, which wrote them.
func TestIdentifiersAgree(t *testing.T) {
	for _, oid := range []asn1.ObjectIdentifier{{0, 9, 2342, 19200300, 100, 1, 1}, {1, 2, 398, 3, 10, 1, 1, 2, 3, 2}, {2, 5, 29, 15}, {2, 999, 3}, {1, 39, 127, 128, 16383, 16384}} {
		raw, err := asn1.Marshal(oid)
		if err != nil {
			t.Fatal(err)
		}
		v, err := der.Parse("test", raw, der.ObjectID)
		if err != nil {
			t.Fatal(err)
		}
		text, err := v.OID()
		same, err2 := v.ObjectIdentifier()
		if err != nil || err2 != nil || text != oid.String() || !same.Equal(oid) {
			t.Errorf("%s: %s %s %v %v", oid, text, same, err, err2)
		}
	}
	for _, s := range []string{"06 00", "06 02 2a 80", "06 03 2a 80 01", "06 0b 2a ff ff ff ff ff ff ff ff ff 7f"} {
		if text, err := value(t, s).OID(); err == nil {
			t.Errorf("%s was read as %s", s, text)
		}
	}
}

func timeValue(t testing.TB, tag byte, text string) der.Value {
	t.Helper()
	return value(t, hex.EncodeToString(append([]byte{tag, byte(len(text))}, text...)))
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Time{
		"500101000000Z": time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), "491231235959Z": time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC),
		"240229120000Z": time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
	} {
		if got, err := timeValue(t, der.UTCTime, text).Time(); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s %v", text, got, err)
		}
	}
	if got, err := timeValue(t, der.GeneralizedTime, "20500101000000Z").Time(); err != nil || got.Year() != 2050 {
		t.Errorf("%s %v", got, err)
	}
	for _, text := range []string{"230229120000Z", "231301120000Z", "230100120000Z", "230101240000Z", "230101006000Z", "230101000060Z", "2301010000Z", "230101000000+0600", "230101000000", "23010100000aZ", "2301010000.0Z", ""} {
		if got, err := timeValue(t, der.UTCTime, text).Time(); err == nil {
			t.Errorf("%s was read as %s", text, got)
		}
	}
	for _, text := range []string{"20230101000000.5Z", "20230101000000", "230101000000Z"} {
		if got, err := timeValue(t, der.GeneralizedTime, text).Time(); err == nil {
			t.Errorf("%s was read as %s", text, got)
		}
	}
}

func TestFlagsAndBooleans(t *testing.T) {
	for s, want := range map[string]uint16{"03 02 06 c0": 0b11, "03 02 01 06": 0b1100000, "03 03 07 00 80": 1 << 8, "03 01 00": 0, "03 02 00 00": 0} {
		if got, err := value(t, s).Flags(); err != nil || got != want {
			t.Errorf("%s: %b %v", s, got, err)
		}
	}
	for _, s := range []string{"03 00", "03 02 08 80", "03 02 06 c1", "03 01 01", "03 05 00 00 00 00 00", "04 02 06 c0"} {
		if got, err := value(t, s).Flags(); err == nil {
			t.Errorf("%s was read as %b", s, got)
		}
	}
	if on, err := value(t, "01 01 ff").Bool(); err != nil || !on {
		t.Error(on, err)
	}
	for _, s := range []string{"01 01 01", "01 00", "01 02 ff ff"} {
		if on, err := value(t, s).Bool(); err == nil {
			t.Errorf("%s was read as %v", s, on)
		}
	}
}

func TestTexts(t *testing.T) {
	for s, want := range map[string]string{
		"0c 04 d2b0 d09a": "ҰК", "1e 04 04b0 041a": "ҰК", "1e 04 d83d de00": "😀", "13 02 4b5a": "KZ", "14 02 41e9": "Aé", "1c 04 0000 04b0": "Ұ", "16 03 61 40 62": "a@b",
	} {
		if got, err := value(t, s).Text(); err != nil || got != want {
			t.Errorf("%s: %q %v", s, got, err)
		}
	}
	for _, s := range []string{"0c 01 ff", "1e 03 04b004", "1c 04 7fffffff", "1c 02 0041", "13 01 ff", "04 01 41"} {
		if got, err := value(t, s).Text(); err == nil {
			t.Errorf("%s was read as %q", s, got)
		}
	}
}

// TestFromBER: every way of writing the same value comes out as the same DER.
func TestFromBER(t *testing.T) {
	want := unhex(t, "30 0d 02 01 03 04 08 0102030405060708")
	for _, s := range []string{
		"30 0d 02 01 03 04 08 0102030405060708",
		"30 80 02 01 03 04 08 0102030405060708 00 00",
		"30 84 0000000d 02 01 03 04 08 0102030405060708",
		"30 80 02 81 01 03 24 80 04 03 010203 04 05 0405060708 00 00 00 00",
		"30 17 02 01 03 24 12 04 02 0102 24 80 04 03 030405 00 00 04 03 060708",
	} {
		raw := unhex(t, s)
		got, err := der.FromBER("test", raw)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x %v", s, got, err)
		}
	}
	for name, s := range map[string]string{
		"no end": "30 80 02 01 03", "bytes behind it": "30 00 00", "indefinite primitive": "04 80 00 00", "longer than its wrapper": "30 03 30 04 0000 0000",
		"length out of bounds": "30 89 01 00 00 00 00 00 00 00 00", "high tag number": "3f 1f 00", "a number within a string": "24 03 02 01 05",
		"wrapper cut short": "30 02 02 01 05",
	} {
		var fault *der.Error
		if got, err := der.FromBER("test", unhex(t, s)); !errors.As(err, &fault) {
			t.Errorf("%s: %x %v", name, got, err)
		}
	}
	deep := append(bytes.Repeat([]byte{0x30, 0x80}, 1000), bytes.Repeat([]byte{0, 0}, 1000)...)
	if _, err := der.FromBER("test", deep); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("a thousand levels: %v", err)
	}
	strings24 := append(bytes.Repeat([]byte{0x24, 0x80}, 1000), bytes.Repeat([]byte{0, 0}, 1000)...)
	if _, err := der.FromBER("test", strings24); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("a thousand levels of strings: %v", err)
	}
}

// FuzzFromBER: what comes out is DER in its structure, or there was an error.
func FuzzFromBER(f *testing.F) {
	f.Add([]byte{0x30, 0x80, 0x24, 0x80, 4, 1, 5, 0, 0, 0, 0})
	f.Add([]byte{0x30, 0x06, 0x02, 0x01, 0x03, 0x04, 0x01, 0x01})
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := der.FromBER("fuzz", raw)
		if err != nil {
			return
		}
		again, err := der.FromBER("fuzz", out)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%x became %x and that %x: %v", raw, out, again, err)
		}
		if _, err := der.Parse("fuzz", out, out[0]); err != nil {
			t.Fatalf("%x became %x: %v", raw, out, err)
		}
	})
}
