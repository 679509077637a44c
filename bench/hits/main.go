package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	edges  []string // NAME=BINARY
	nginx  bool
	runs   int
	window time.Duration
	only   string
}

func main() {
	log.SetFlags(0)
	var o options
	flag.Func("edge", "NAME=BINARY of anyedge; may repeat", func(v string) error {
		o.edges = append(o.edges, v)
		return nil
	})
	flag.BoolVar(&o.nginx, "nginx", false, "measure nginx as well")
	flag.IntVar(&o.runs, "runs", 3, "how often each is measured")
	flag.DurationVar(&o.window, "window", 2*time.Second, "about how long each is measured")
	flag.StringVar(&o.only, "only", "", "only the rows whose name has this in it")
	flag.Parse()
	if err := run(&o); err != nil {
		log.Fatal(err)
	}
}

// run measures everything and prints the table.
func run(o *options) error {
	dir, err := os.MkdirTemp("/dev/shm", "anyedge-hits-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	site, err := newSite(dir)
	if err != nil {
		return err
	}
	servers, err := startServers(o, site)
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	figures := map[string][]float64{}
	for range o.runs {
		for _, row := range rows {
			for _, s := range servers {
				if !strings.Contains(row.name, o.only) || row.protocol == "h3" && !s.h3 {
					continue
				}
				rate, err := measure(row, s, o.window)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", row.name, s.name, err)
				}
				figures[row.name+s.name] = append(figures[row.name+s.name], rate)
			}
		}
	}
	printTable(servers, figures)
	return nil
}

func printTable(servers []*server, figures map[string][]float64) {
	line := []string{"requests per CPU-second"}
	for _, s := range servers {
		line = append(line, s.name)
	}
	fmt.Printf("| %s |\n|%s\n", strings.Join(line, " | "), strings.Repeat("---|", len(line)))
	for _, row := range rows {
		line = []string{row.name}
		for _, s := range servers {
			line = append(line, summary(figures[row.name+s.name]))
		}
		fmt.Printf("| %s |\n", strings.Join(line, " | "))
	}
}

// summary is the median with the lowest and the highest.
func summary(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	slices.SortFunc(values, cmp.Compare)
	k := func(v float64) string { return fmt.Sprintf("%.1fk", v/1000) }
	return fmt.Sprintf("%s (%s–%s)", k(values[len(values)/2]), k(values[0]), k(values[len(values)-1]))
}
