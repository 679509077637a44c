package configs

import "strings"

// places are where a configuration's keys stand in its file, for mistakes that show only when what they name is used.
type places struct {
	file string
	at   map[string][2]int // line and column of each value, by path
}

func (d *decoder) places() places {
	at := make(map[string][2]int, len(d.positions))
	for path, n := range d.positions {
		at[path] = [2]int{max(n.Line, 1), max(n.Column, 1)}
	}
	return places{d.file, at}
}

// Mistake says that problem is what is wrong at key, a path such as tls.certificates[0], at the nearest place that the
// file has. It is for what Parse can't see: files that are missing, keys that don't fit.
func (cfg *Config) Mistake(key, problem string) Mistake {
	m := Mistake{File: cfg.places.file, Line: 1, Col: 1, Key: key, Problem: problem}
	for p := key; p != ""; p = p[:max(strings.LastIndexAny(p, ".["), 0)] {
		if at, ok := cfg.places.at[p]; ok {
			m.Line, m.Col = at[0], at[1]
			break
		}
	}
	return m
}
