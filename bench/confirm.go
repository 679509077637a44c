package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/report"
)

const (
	// confirmWindow is how long a program asks that can be told.
	confirmWindow = 2 * time.Second
	// confirmRequests and confirmOctets are what another one asks for, at most.
	confirmRequests = 40_000
	confirmOctets   = 400 << 20
)

// confirm measures hits in closed loops once more with other programs, so that our load can be trusted, or not.
func (s *session) confirm(out io.Writer, c *contestant) error {
	if !s.job.Confirm || !c.Accounted() {
		return nil
	}
	t := report.Table{Head: []string{"requests", "ours", "h2load", "wrk", "gtlsclient"}}
	for _, r := range s.rows {
		if !r.scenario.Stored() || r.scenario.Rate > 0 || r.scenario.Kept != load.Keep || c.applies(r) != "" {
			continue
		}
		ours, err := s.measure(c, r, 1)
		if err != nil {
			return err
		}
		perCPU, rate := []string{r.name() + ", per CPU-second", report.Count(ours.PerCPU)}, []string{r.name() + ", per second", report.Count(ours.Rate)}
		for _, p := range []program{h2load, wrk, gtlsclient} {
			asked, err := s.ask(c, r, p)
			switch {
			case errors.Is(err, exec.ErrNotFound):
				perCPU, rate = append(perCPU, "not installed"), append(rate, "not installed")
			case errors.Is(err, errNotFor):
				perCPU, rate = append(perCPU, "–"), append(rate, "–")
			case err != nil:
				return err
			default:
				perCPU = append(perCPU, report.Count(float64(asked.requests)/asked.used.Seconds()))
				rate = append(rate, report.Count(float64(asked.requests)/asked.took.Seconds()))
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

// asked is what a program has asked, and what that took: of time, and of the server's processor time.
type asked struct {
	requests   int
	took, used time.Duration
}

// ask has another program ask.
func (s *session) ask(c *contestant, r row, p program) (a asked, err error) {
	warm := s.plan(c, r, 1) // these programs ask for the address, which has a key of its own
	warm.Host, warm.Requests, warm.Connections, warm.Streams = c.Address, 1, 1, 1
	if _, err := load.Run(s.ctx, warm); err != nil {
		return a, err
	}
	before, err := c.Usage()
	if err != nil {
		return a, err
	}
	stored := s.asked()
	began := time.Now()
	if a.requests, err = p(s.ctx, "https://"+c.Address+r.scenario.Whole().Path, r); err != nil {
		return a, err
	}
	a.took = time.Since(began)
	if n := s.asked() - stored; n > 0 {
		return a, fmt.Errorf("the origin was asked %d times for what is stored", n)
	}
	after, err := c.Usage()
	a.used = after.CPU - before.CPU
	if err == nil && a.used <= 0 {
		err = fmt.Errorf("%d requests took no processor time", a.requests)
	}
	return a, err
}

func h2load(ctx context.Context, url string, r row) (int, error) {
	if _, err := exec.LookPath("h2load"); err != nil {
		return 0, err
	}
	if r.protocol == load.H3 {
		return 0, errNotFor // as Debian builds it
	}
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

// gtlsclient is ngtcp2's. It asks for all at once that the server's limit of streams lets it, and says of answers what they are
// only with every packet, which would take it longer than to ask: so that is for one, and the origin wasn't asked for the others.
func gtlsclient(ctx context.Context, url string, r row) (int, error) {
	if _, err := exec.LookPath("gtlsclient"); err != nil {
		return 0, err
	}
	if r.protocol != load.H3 {
		return 0, errNotFor
	}
	host, port, err := net.SplitHostPort(strings.Split(url, "/")[2])
	if err != nil {
		return 0, err
	}
	run := func(n int, more ...string) ([]byte, error) {
		args := append(more, "--no-quic-dump", "--no-http-dump", "--exit-on-all-streams-close", "-n", strconv.Itoa(n), host, port, url)
		out, err := exec.CommandContext(ctx, "gtlsclient", args...).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("gtlsclient: %w\n%s", err, out)
		}
		return out, nil
	}
	if out, err := run(1); err != nil || !bytes.Contains(out, []byte("[:status: 200]")) {
		return 0, errors.Join(err, errors.New("gtlsclient: the answer is no success"))
	}
	clients := r.scenario.Clients(load.H3).Connections
	each := max(min(confirmRequests, confirmOctets/int(r.scenario.Content.Octets))/clients, 1)
	errs := make([]error, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() { _, errs[i] = run(each, "-q") })
	}
	all.Wait()
	return clients * each, errors.Join(errs...)
}

func found(pattern, program string, out []byte) (int, error) {
	m := regexp.MustCompile(pattern).FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s: not every answer is a success, or its words have changed:\n%s", program, out)
	}
	return strconv.Atoi(string(m[1]))
}
