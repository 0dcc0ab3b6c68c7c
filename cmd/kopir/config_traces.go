package main

import (
	"fmt"
	"strconv"
)

// tracesConfig is where traces go (OTLP over HTTP), and how many of them.
type tracesConfig struct {
	OTLP   string `yaml:"otlp"` // address of the collector, with its path; empty: nothing is traced
	Sample share  `yaml:"sample"`
}

// share is a part of a whole: above 0, at most 1.
type share float64

func (s *share) parse(t string) error {
	v, err := strconv.ParseFloat(t, 64)
	if err != nil || !(v > 0 && v <= 1) {
		return fmt.Errorf("%q is not a share; write a number above 0, at most 1.0", t)
	}
	*s = share(v)
	return nil
}

func (l *loaded) checkTraces() (fs []fault) {
	_, sampled := l.places["traces.sample"]
	switch {
	case l.Traces.OTLP != "":
		l.checkURL(&fs, "traces.otlp", l.Traces.OTLP)
	case sampled:
		fs = append(fs, l.at("traces.otlp", "is missing, so no trace could go anywhere", "write the collector's address, such as https://collector.example/v1/traces, or leave traces out"))
	}
	return fs
}
