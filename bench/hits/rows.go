package main

import (
	"fmt"
	"time"
)

// row is one way to ask.
type row struct {
	name        string
	protocol    string
	size        int // of the content, in octets
	connections int
	streams     int // at a time, on each
}

var rows = []row{
	{"H1 1 KiB, 32 connections", "h1", 1 << 10, 32, 1},
	{"H1 16 KiB, 32 connections", "h1", 16 << 10, 32, 1},
	{"H1 100 KiB, 32 connections", "h1", 100 << 10, 32, 1},
	{"H2 1 KiB, 16 × 16", "h2", 1 << 10, 16, 16},
	{"H2 16 KiB, 16 × 16", "h2", 16 << 10, 16, 16},
	{"H3 1 KiB, 16 × 16", "h3", 1 << 10, 16, 16},
	{"H3 16 KiB, 16 × 16", "h3", 16 << 10, 16, 16},
}

// calibration is how many requests find out how many make a window.
const calibration = 2000

// measure returns the requests that a server answers for each second of its processor time.
func measure(r row, s *server, window time.Duration) (float64, error) {
	if _, err := s.ask(r, r.connections*r.streams); err != nil { // it is stored from here on
		return 0, err
	}
	rate, err := s.ask(r, calibration)
	if err != nil {
		return 0, err
	}
	n := max(int(rate*window.Seconds()), calibration)
	before, err := processorTime(s.pid())
	if err != nil {
		return 0, err
	}
	if _, err := s.ask(r, n); err != nil {
		return 0, err
	}
	after, err := processorTime(s.pid())
	if err != nil {
		return 0, err
	}
	if after == before {
		return 0, fmt.Errorf("%d requests took no processor time", n)
	}
	return float64(n) / (after - before).Seconds(), nil
}

// ask has n requests answered and returns how many were a second.
func (s *server) ask(r row, n int) (float64, error) {
	url := fmt.Sprintf("https://%s/%d", s.addr, r.size)
	began := time.Now()
	var err error
	if r.protocol == "h3" {
		err = askH3(url, r, n)
	} else {
		err = h2load(url, r, n)
	}
	return float64(n) / time.Since(began).Seconds(), err
}
