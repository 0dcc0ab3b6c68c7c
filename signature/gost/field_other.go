//go:build !amd64

package gost

func (z *fe256) mul(x, y *fe256) { z.mulGo(x, y) }
func (z *fe512) mul(x, y *fe512) { z.mulGo(x, y) }
