package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// answer is what a request of the story got.
type answer struct {
	proto, status, cacheStatus, proxyStatus, content string
	code                                             int
}

// story tells the main job from the first announcement to the return of the origin. Its error names the step that
// didn't happen.
func (d *demo) story(ctx context.Context) error {
	for _, step := range []struct {
		title string
		tell  func(context.Context) error
	}{
		{"A node starts: it announces nothing before it has served itself through its VIP", d.announced},
		{"A page over H1, H2 and H3: one miss, then hits, byte for byte the same", d.served},
		{"The origin dies: the page is served stale, what can't be cached fails, and the route is depreferred", d.originDies},
		{"The origin returns: the route is as before", d.originReturns},
	} {
		d.say("\n=== %s\n", step.title)
		if err := step.tell(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	d.say("\nThe origin was asked %d times in all.", d.origin.requests.Load())
	return nil
}

func (d *demo) announced(ctx context.Context) error {
	d.say("origin  http://%s\nedge    https://127.0.0.1:%d (TCP and UDP), http://127.0.0.1:%d\nrouter  BGP on 127.0.0.1:%d\nadmin   http://%s\n",
		d.origin.address, d.ports.HTTPS, d.ports.HTTP, d.ports.BGP, d.node.admin.Addr())
	d.showTable("The router's table before")
	if err := d.awaitLevel(ctx, routing.Announced); err != nil {
		return err
	}
	d.showTable("The router's table now")
	return nil
}

func (d *demo) served(ctx context.Context) error {
	var first answer
	for i, proto := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
		a, err := d.get(ctx, proto, "/")
		if err != nil {
			return err
		}
		d.show("/", a)
		want := "hit"
		if i == 0 {
			first, want = a, "fwd=uri-miss"
		}
		if a.code != http.StatusOK || !strings.Contains(a.cacheStatus, want) || a.content != first.content {
			return fmt.Errorf("%s / got %d %q with %q, which should be 200, %s and the first one's content", proto, a.code, a.cacheStatus, a.content, want)
		}
	}
	return nil
}

func (d *demo) originDies(ctx context.Context) error {
	died := time.Now()
	d.origin.die()
	d.say("The origin is gone: connections to %s are refused.\n", d.origin.address)
	if err := d.awaitLevel(ctx, routing.Depreferred); err != nil {
		return err
	}
	d.say("%.1f s later:\n", time.Since(died).Seconds())
	d.showTable("The router's table now")
	if err := d.explain(); err != nil {
		return err
	}
	if err := d.staleServed(ctx); err != nil {
		return err
	}
	a, err := d.get(ctx, "HTTP/2.0", "/account/")
	if err != nil {
		return err
	}
	d.show("/account/", a)
	if a.code != http.StatusBadGateway || a.proxyStatus == "" {
		return fmt.Errorf("/account/ got %d with Proxy-Status %q, which should be 502 with its reason", a.code, a.proxyStatus)
	}
	return nil
}

// staleServed asks until the stored page, fresh for 5 s, is served stale.
func (d *demo) staleServed(ctx context.Context) error {
	return d.await(ctx, "the page is served stale", func() (bool, error) {
		a, err := d.get(ctx, "HTTP/3.0", "/")
		if err != nil {
			return false, err
		}
		if a.code != http.StatusOK {
			return false, fmt.Errorf("/ got %d with the origin dead; its stored response should have been used", a.code)
		}
		if !strings.Contains(a.cacheStatus, "ttl=-") {
			return false, nil
		}
		d.show("/", a)
		return true, nil
	})
}

func (d *demo) originReturns(ctx context.Context) error {
	if err := d.origin.live(); err != nil {
		return err
	}
	returned := time.Now()
	if err := d.awaitLevel(ctx, routing.Announced); err != nil {
		return err
	}
	d.say("%.1f s after its return:\n", time.Since(returned).Seconds())
	d.showTable("The router's table now")
	a, err := d.get(ctx, "HTTP/2.0", "/")
	if err != nil {
		return err
	}
	d.show("/", a)
	if a.code != http.StatusOK {
		return fmt.Errorf("/ got %d with the origin back", a.code)
	}
	return nil
}

// awaitLevel waits until the controller and the router agree on level.
func (d *demo) awaitLevel(ctx context.Context, level routing.Level) error {
	return d.await(ctx, fmt.Sprintf("www is %s in the router", level), func() (bool, error) {
		e, err := d.node.control.Explain("www")
		if err != nil {
			return false, err
		}
		table := d.router.Table()
		return e[0].Level == level && len(table) == 1 && depreferred(table[0]) == (level == routing.Depreferred), nil
	})
}

func depreferred(r bgptest.Route) bool { return r.HasCommunity("65535:0") }

// await waits until done, at most demoStep.
func (d *demo) await(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, demoStep)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s", demoStep, what)
		case err := <-d.ended:
			d.ended <- err
			return errors.Join(errors.New("the edge stopped"), err)
		case <-poll.C:
		}
	}
}

// get asks the edge for path, as a client of its own with one connection.
func (d *demo) get(ctx context.Context, proto, path string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, demoStep)
	defer cancel()
	url := fmt.Sprintf("https://127.0.0.1:%d%s", d.ports.HTTPS, path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	req.Host = demoHost
	transport, done := d.transport(proto)
	defer done()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", proto, path, err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", proto, path, err)
	}
	if resp.Proto != proto {
		return answer{}, fmt.Errorf("asked for %s, got %s", proto, resp.Proto)
	}
	return answer{
		proto: resp.Proto, status: resp.Status, code: resp.StatusCode, content: string(content),
		cacheStatus: resp.Header.Get("Cache-Status"), proxyStatus: resp.Header.Get("Proxy-Status"),
	}, nil
}

func (d *demo) transport(proto string) (http.RoundTripper, func()) {
	if proto == "HTTP/3.0" {
		t := &http3.Transport{TLSClientConfig: d.clientTLS()}
		return t, func() { _ = t.Close() }
	}
	t := &http.Transport{TLSClientConfig: d.clientTLS(), Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(proto == "HTTP/1.1")
	t.Protocols.SetHTTP2(proto == "HTTP/2.0")
	return t, t.CloseIdleConnections
}

func (d *demo) show(path string, a answer) {
	d.say("  %-8s GET %-10s %s\n           Cache-Status: %s", a.proto, path, a.status, a.cacheStatus)
	if a.proxyStatus != "" {
		d.say("           Proxy-Status: %s", a.proxyStatus)
	}
}

func (d *demo) showTable(title string) {
	d.say("%s:", title)
	table := d.router.Table()
	if len(table) == 0 {
		d.say("  (empty)")
	}
	for _, r := range table {
		d.say("  %s", r)
	}
	d.say("")
}

// explain prints what `anyedge explain` prints.
func (d *demo) explain() error {
	all, err := d.node.control.Explain("www")
	if err != nil {
		return err
	}
	d.say("Why? anyedge explain www:\n")
	for _, e := range all {
		if err := e.WriteText(indent{d.out}); err != nil {
			return err
		}
	}
	d.say("")
	return nil
}

// indent indents each line by two blanks; it takes whole lines.
type indent struct{ io.Writer }

func (w indent) Write(b []byte) (int, error) {
	text := strings.ReplaceAll(strings.TrimSuffix(string(b), "\n"), "\n", "\n  ")
	_, err := fmt.Fprintf(w.Writer, "  %s\n", text)
	return len(b), err
}

// invite prints what to try while the demo stays up.
func (d *demo) invite() {
	_, port, _ := net.SplitHostPort(d.node.admin.Addr().String())
	flag := ""
	if "http://"+d.node.admin.Addr().String() != defaultAdmin {
		flag = " --admin http://127.0.0.1:" + port
	}
	d.say(`
The front door stays up; Ctrl-C ends it. Try from another terminal:

  curl -k -i https://localhost:%[1]d/
  curl -i -H 'Host: %[2]s' http://127.0.0.1:%[3]d/        # redirected to https
  go run ./cmd/anyedge status%[4]s
  go run ./cmd/anyedge explain%[4]s
  go run ./cmd/anyedge drain --reason 'a try'%[4]s
  go run ./cmd/anyedge undrain%[4]s
  go run ./cmd/anyedge purge --all%[4]s
  go run ./cmd/anyedge events -f%[4]s
  http://127.0.0.1:%[5]s/                                  # the status page
  http://127.0.0.1:%[5]s/metrics

Its configuration:

%[6]s`, d.ports.HTTPS, demoHost, d.ports.HTTP, flag, port, d.config)
}
