//go:build !race

package main

import "time"

const (
	barMemory = 20
	barTime   = 5 * time.Second
	barTries  = 3
)
