package main

import (
	"os"
	"testing"
	"time"
)

func TestSummary(t *testing.T) {
	for want, values := range map[string][]float64{
		"–": nil, "1.5k (1.5k–1.5k)": {1500}, "2.0k (1.0k–9.0k)": {9000, 1000, 2000},
	} {
		if got := summary(values); got != want {
			t.Errorf("%v: %s, want %s", values, got, want)
		}
	}
}

func TestProcessorTime(t *testing.T) {
	before, err := processorTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for { // until it grows, which it does as long as this loop turns
		now, err := processorTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now > before+20*time.Millisecond {
			return
		}
	}
}
