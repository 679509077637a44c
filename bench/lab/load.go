//go:build lab

package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Load asks for a page again and again, each time over a new connection, as new clients would.
type Load struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex // guards the following field
	requests Requests
}

// Request is one request of a load.
type Request struct {
	At     time.Time // when it was sent
	Took   time.Duration
	Node   string // who answered, by Cache-Status
	Status int
	Err    error // no answer, or not a whole one
}

// Failed says whether the client got no page.
func (r Request) Failed() bool { return r.Err != nil || r.Status != http.StatusOK }

func (r Request) String() string {
	return fmt.Sprintf("%s after %v: node %q status %d error %v", r.At.Format("15:04:05.000"), r.Took, r.Node, r.Status, r.Err)
}

// Requests is a load's log, in the order in which the requests ended.
type Requests []Request

// Failed are those that failed.
func (rs Requests) Failed() Requests {
	return rs.filter(Request.Failed)
}

// By are those that node answered well.
func (rs Requests) By(node string) Requests {
	return rs.filter(func(r Request) bool { return !r.Failed() && r.Node == node })
}

// Since are those that were sent at t or later.
func (rs Requests) Since(t time.Time) Requests {
	return rs.filter(func(r Request) bool { return !r.At.Before(t) })
}

func (rs Requests) filter(want func(Request) bool) Requests {
	var some Requests
	for _, r := range rs {
		if want(r) {
			some = append(some, r)
		}
	}
	return some
}

// patience is how long a load's client waits for a page: longer than a busy machine takes, shorter than a person.
const patience = 3 * time.Second

// Load requests path of the fleet's site through the VIP (IP:port) each interval, until Stop or the end of the
// test.
func (f *Fleet) Load(vip, path string, interval time.Duration) *Load {
	ctx, stop := context.WithCancel(context.Background())
	l := &Load{stop: stop}
	client := f.HTTP(vip)
	client.Timeout = patience
	l.done.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.done.Go(func() { l.add(get(client, "https://"+SiteName+path)) })
			}
		}
	})
	f.Cleanup(func() { l.Stop() })
	return l
}

// HTTP is a client on the fleet's client host that reaches the site at an address (IP:port), over a new connection
// each time.
func (f *Fleet) HTTP(address string) *http.Client { return f.HTTPFrom(f.Client, address) }

// HTTPFrom is HTTP on any host.
func (f *Fleet) HTTPFrom(h *Host, address string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return h.Dial(ctx, network, address)
		},
		TLSClientConfig:   &tls.Config{RootCAs: f.CA.Pool, ServerName: SiteName},
		DisableKeepAlives: true,
	}}
}

// Stop ends the load and returns what it saw.
func (l *Load) Stop() Requests {
	l.stop()
	l.done.Wait()
	return l.Requests()
}

// Requests is what the load saw so far.
func (l *Load) Requests() Requests {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.requests)
}

func (l *Load) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r)
}

func get(client *http.Client, url string) Request {
	r := Request{At: time.Now()}
	resp, err := client.Get(url)
	if err == nil {
		defer resp.Body.Close()
		r.Status = resp.StatusCode
		r.Node, _, _ = strings.Cut(resp.Header.Get("Cache-Status"), ";")
		_, err = io.Copy(io.Discard, resp.Body)
	}
	r.Took, r.Err = time.Since(r.At), err
	return r
}
