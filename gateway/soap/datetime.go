package soap

import (
	"regexp"
	"time"
)

// dateTime admits xs:dateTime and the two deviations seen: an offset without a
// colon, and no offset at all.
var dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$`)

// oneZone is the moment since which the whole country keeps +05:00; before it
// the gateway kept +06:00.
var oneZone = time.Date(2024, 3, 1, 0, 0, 0, 0, time.FixedZone("", 6*3600))

// ParseDateTime reads a date of the wire. One without an offset is taken in
// the time that the country keeps at that date.
func ParseDateTime(s string) (time.Time, bool) {
	parts := dateTime.FindStringSubmatch(s)
	if parts == nil {
		return time.Time{}, false
	}
	layout := "2006-01-02T15:04:05"
	switch zone := parts[2]; {
	case zone == "":
		t, err := time.ParseInLocation(layout, s, time.FixedZone("", 5*3600))
		if err != nil {
			return time.Time{}, false
		}
		if t.Before(oneZone) {
			t, err = time.ParseInLocation(layout, s, time.FixedZone("", 6*3600))
		}
		return t, err == nil
	case zone == "Z" || len(zone) == len("+06:00"):
		layout += "Z07:00"
	default:
		layout += "Z0700"
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return time.Time{}, false
	}
	if _, offset := t.Zone(); offset > 14*3600 || offset < -14*3600 {
		return time.Time{}, false
	}
	return t, true
}

// FormatDateTime writes a date as the gateway does: milliseconds and an offset.
func FormatDateTime(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }
