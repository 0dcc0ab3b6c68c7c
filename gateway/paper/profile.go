package paper

import (
	"encoding/binary"
	"math"
	"sync"
)

// sRGB is a colour profile of the sRGB space (IEC 61966-2-1), computed here: an
// ICC profile of version 2 for displays, with the primaries adapted to D50 and
// the transfer curve in 1024 steps (ICC.1:2001-04, 6.1 and 6.3).
var sRGB = sync.OnceValue(func() []byte {
	type tag struct {
		name string
		data []byte
	}
	u32 := binary.BigEndian.AppendUint32
	u16 := binary.BigEndian.AppendUint16
	fixed := func(b []byte, v float64) []byte { return u32(b, uint32(int32(math.Round(v*65536)))) }
	xyz := func(x, y, z float64) []byte {
		return fixed(fixed(fixed(append([]byte("XYZ "), 0, 0, 0, 0), x), y), z)
	}
	ascii := func(s string) []byte { return append(append([]byte("text"), 0, 0, 0, 0), s+"\x00"...) }
	const called = "sRGB IEC61966-2.1"
	description := u32(append([]byte("desc"), 0, 0, 0, 0), uint32(len(called)+1))
	description = append(description, called+"\x00"...)
	description = append(description, make([]byte, 4+4+2+1+67)...) // no Unicode and no Macintosh name
	const steps = 1024
	curve := u32(append([]byte("curv"), 0, 0, 0, 0), steps)
	for i := range steps {
		v := float64(i) / (steps - 1)
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		curve = u16(curve, uint16(math.Round(v*65535)))
	}
	tags := []tag{
		{"desc", description}, {"cprt", ascii("No copyright, use freely")}, {"wtpt", xyz(0.9505, 1, 1.0891)},
		{"rXYZ", xyz(0.4360747, 0.2225045, 0.0139322)}, {"gXYZ", xyz(0.3850649, 0.7168786, 0.0971045)}, {"bXYZ", xyz(0.1430804, 0.0606169, 0.7141733)},
		{"rTRC", curve}, {"gTRC", nil}, {"bTRC", nil}, // the three share one curve
	}
	table := u32(nil, uint32(len(tags)))
	var data []byte
	at, size := 0, 0
	for _, t := range tags {
		if t.data != nil {
			at, size = 128+4+12*len(tags)+len(data), len(t.data)
			data = append(data, t.data...)
			data = append(data, make([]byte, (4-len(data)%4)%4)...)
		}
		table = u32(u32(append(table, t.name...), uint32(at)), uint32(size))
	}
	header := u32(nil, uint32(128+len(table)+len(data)))
	header = append(header, 0, 0, 0, 0)                                     // no preferred module
	header = append(header, 2, 0x10, 0, 0)                                  // version 2.1
	header = append(header, "mntrRGB XYZ "...)                              // display; from RGB to XYZ
	header = append(header, 7, 0xe8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)          // 1 January 2024
	header = append(header, "acsp"...)                                      // signature of a profile
	header = append(header, make([]byte, 4+4+4+4+8+4)...)                   // no platform, flags, maker, model, attributes; perceptual
	header = append(header, 0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d) // D50
	header = append(header, make([]byte, 128-len(header))...)               // creator and reserve
	return append(append(header, table...), data...)
})
