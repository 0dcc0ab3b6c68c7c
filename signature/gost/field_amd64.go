package gost

import "golang.org/x/sys/cpu"

// hasADX tells whether the processor knows MULX, ADCX and ADOX. It is decided
// once, before anything is signed or verified.
var hasADX = cpu.X86.HasADX && cpu.X86.HasBMI2

//go:noescape
func mul256ADX(z, x, y *fe256)

//go:noescape
func mul512ADX(z, x, y *fe512)

func (z *fe256) mul(x, y *fe256) {
	if hasADX {
		mul256ADX(z, x, y)
		return
	}
	z.mulGo(x, y)
}

func (z *fe512) mul(x, y *fe512) {
	if hasADX {
		mul512ADX(z, x, y)
		return
	}
	z.mulGo(x, y)
}
