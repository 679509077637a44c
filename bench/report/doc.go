// Package report makes of measurements what people and tools read: tables, plots, and the format of Go's benchmarks.
//
//	Figures of several runs ─► Sample: median, spread ─► Table (Markdown), ratios
//	load.Result             ─► Chart ─► SVG
//	Figures                 ─► Benchmark ─► benchstat
package report
