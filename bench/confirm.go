package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/report"
)

// confirmWindow is how long each program asks.
const confirmWindow = 2 * time.Second

// confirm measures hits in closed loops once more with other programs, so that our load can be trusted, or not.
func (s *session) confirm(out io.Writer, c *contestant) error {
	if !s.job.Confirm || !c.Accounted() {
		return nil
	}
	t := report.Table{Head: []string{"requests", "ours", "h2load", "wrk"}}
	for _, r := range s.rows {
		if !r.scenario.Stored() || r.scenario.Rate > 0 || r.scenario.Kept != load.Keep || r.protocol == load.H3 || c.applies(r) != "" {
			continue
		}
		ours, err := s.measure(c, r, 1)
		if err != nil {
			return err
		}
		perCPU, rate := []string{r.name() + ", per CPU-second", report.Count(ours.PerCPU)}, []string{r.name() + ", per second", report.Count(ours.Rate)}
		for _, p := range []program{h2load, wrk} {
			n, used, err := s.ask(c, r, p)
			switch {
			case errors.Is(err, exec.ErrNotFound):
				perCPU, rate = append(perCPU, "not installed"), append(rate, "not installed")
			case errors.Is(err, errNotFor):
				perCPU, rate = append(perCPU, "–"), append(rate, "–")
			case err != nil:
				return err
			default:
				perCPU = append(perCPU, report.Count(float64(n)/used.Seconds()))
				rate = append(rate, report.Count(float64(n)/confirmWindow.Seconds()))
			}
		}
		t.Add(perCPU...)
		t.Add(rate...)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	fmt.Fprintf(out, "\nConfirmed, on %s:\n\n", c.Name)
	return t.Write(out)
}

// program asks in place of our load, and returns how many requests had the answer that they must have.
type program func(ctx context.Context, url string, r row) (requests int, err error)

var errNotFor = errors.New("it doesn't speak this protocol")

// ask has another program ask, and returns what it took of the server.
func (s *session) ask(c *contestant, r row, p program) (requests int, used time.Duration, err error) {
	warm := s.plan(c, r, 1) // these programs ask for the address, which has a key of its own
	warm.Host, warm.Requests, warm.Connections, warm.Streams = c.Address, 1, 1, 1
	if _, err := load.Run(s.ctx, warm); err != nil {
		return 0, 0, err
	}
	before, err := c.Usage()
	if err != nil {
		return 0, 0, err
	}
	requests, err = p(s.ctx, "https://"+c.Address+r.scenario.Whole().Path, r)
	if err != nil {
		return 0, 0, err
	}
	after, err := c.Usage()
	used = after.CPU - before.CPU
	if err == nil && used <= 0 {
		err = fmt.Errorf("%d requests took no processor time", requests)
	}
	return requests, used, err
}

func h2load(ctx context.Context, url string, r row) (int, error) {
	clients := r.scenario.Clients(r.protocol)
	args := []string{"-t1", "-D", fmt.Sprint(confirmWindow.Seconds()), "-c", strconv.Itoa(clients.Connections), "-m", strconv.Itoa(clients.Streams)}
	if r.protocol == load.H1 {
		args[len(args)-1] = "1"
		args = append(args, "--h1")
	}
	out, err := exec.CommandContext(ctx, "h2load", append(args, url)...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("h2load: %w\n%s", err, out)
	}
	return found(`status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx`, "h2load", out)
}

func wrk(ctx context.Context, url string, r row) (int, error) {
	if _, err := exec.LookPath("wrk"); err != nil {
		return 0, err
	}
	if r.protocol != load.H1 {
		return 0, errNotFor
	}
	out, err := exec.CommandContext(ctx, "wrk", "-t1", "-c", strconv.Itoa(r.scenario.H1.Connections),
		"-d", confirmWindow.String(), url).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if regexp.MustCompile(`Non-2xx`).Match(out) {
		return 0, fmt.Errorf("wrk: not every answer is a success:\n%s", out)
	}
	return found(`(\d+) requests in`, "wrk", out)
}

func found(pattern, program string, out []byte) (int, error) {
	m := regexp.MustCompile(pattern).FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s: not every answer is a success, or its words have changed:\n%s", program, out)
	}
	return strconv.Atoi(string(m[1]))
}
