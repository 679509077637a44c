//go:build lab

package lab_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// Upgrades in front of BIRD and of FRR: transfers over H1, H2 and H3 go on, new connections are taken all the time, and no
// route moves, since the session stays with the former process. Moved on purpose, it costs what a new session takes.
func TestUpgrade(t *testing.T) {
	f := &steered{fleet: start(t, lab.Quick())}
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tUPDATEs\tchanges of the forwarding table\twithout the route\ttransfers cut\tconnections refused")
	for _, m := range []struct {
		metro  *lab.Metro
		fib    *lab.FIB
		router string
	}{{f.Ams, f.ams, "BIRD"}, {f.Fra, f.fra, "FRR"}} {
		f.flip(m.metro)
		stays := f.upgrade(t, m.metro, m.fib)
		fmt.Fprintf(w, "%s\t%s\n", m.router, stays)
		if stays.updates+stays.changes+stays.cut+stays.refused > 0 {
			t.Errorf("%s: an upgrade shows: %s", m.router, stays)
		}
		moved := f.upgrade(t, m.metro, m.fib, "--move-sessions")
		fmt.Fprintf(w, "%s, --move-sessions\t%s\n", m.router, moved)
	}
	_ = w.Flush() // a Builder takes everything
	t.Log("\n" + out.String())
}

// upgraded is what an upgrade did.
type upgraded struct {
	updates, changes, cut, refused int
	without                        time.Duration
}

func (u upgraded) String() string {
	return fmt.Sprintf("%d\t%d\t%v\t%d\t%d", u.updates, u.changes, ms(u.without), u.cut, u.refused)
}

// upgrade upgrades a metro's node, which has the traffic, under load.
func (f *steered) upgrade(t *testing.T, m *lab.Metro, fib *lab.FIB, flags ...string) (u upgraded) {
	moves := len(flags) > 0
	wire := m.ToNode.A.Capture("tcp port 179")
	begin := time.Now()
	load := f.Load(vip4, "/page", 20*time.Millisecond)
	var cut func() []error
	if !moves { // else the route itself leads elsewhere, and with it what came over TCP
		cut = f.transfers(t)
	}
	f.waitAnswersBy(load, m.Host.Name, begin, 10)

	m.Node.Upgrade(flags...)
	if moves {
		f.Await("every session has moved", upLimit, func() bool {
			s, err := m.Node.CLI("status", "--json")
			return err == nil && !strings.Contains(s, `"sessions": [`) && strings.Count(s, `"state": "established"`) == len(lab.Prefixes())
		})
		waitVia(fib, m.Host.Name, moveLimit)
		waitVia(f.core, m.Edge.Name, moveLimit)
	}
	f.waitAnswersBy(load, m.Host.Name, time.Now(), 50)
	if cut != nil {
		for _, err := range cut() {
			u.cut++
			t.Error(err)
		}
	}
	for _, r := range load.Stop().Failed() {
		u.refused++
		if !moves {
			t.Error(r)
		}
	}
	for _, p := range lab.Prefixes() {
		since := time.Time{}
		for _, e := range fib.History(p) {
			if e.At.Before(begin) {
				continue
			}
			u.changes++
			here := !e.Gone && len(e.Hops) > 0 && e.Hops[0].Dev == m.Host.Name
			if here && !since.IsZero() {
				u.without = max(u.without, e.At.Sub(since))
				since = time.Time{}
			} else if !here && since.IsZero() {
				since = e.At
			}
		}
	}
	for _, update := range wire.Stop() {
		if from(m, update) {
			u.updates++
		}
	}
	return u
}

// transfers begins a paced download and upload over each protocol, and returns what waits for their end.
func (f *steered) transfers(t *testing.T) func() []error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	do := func(what string, work func() error) {
		all.Go(func() {
			if err := work(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	for _, protocol := range []string{"H1", "H2", "H3"} {
		c := f.client(t, protocol)
		do("download over "+protocol, func() error { return download(c) })
		up := f.client(t, protocol)
		do("upload over "+protocol, func() error { return upload(up) })
	}
	return func() []error {
		all.Wait()
		return failed
	}
}

// client is one of a protocol.
func (f *steered) client(t *testing.T, protocol string) *http.Client {
	if protocol == "H3" {
		return f.h3Client(t, lab.VIP4).Client
	}
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return f.Client.Dial(ctx, network, vip4)
		},
		TLSClientConfig: &tls.Config{RootCAs: f.CA.Pool, ServerName: lab.SiteName}, Protocols: new(http.Protocols),
	}
	tr.Protocols.SetHTTP1(protocol == "H1")
	tr.Protocols.SetHTTP2(protocol == "H2")
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

func download(c *http.Client) error {
	resp, err := c.Get(fmt.Sprintf("https://%s/fresh/%d", lab.SiteName, transferOctets))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var got bytes.Buffer
	if _, err := io.Copy(&got, &paced{Reader: resp.Body}); err != nil {
		return fmt.Errorf("after %d octets: %w", got.Len(), err)
	}
	if !bytes.Equal(got.Bytes(), lab.Content(transferOctets)) {
		return fmt.Errorf("%d octets that aren't the origin's", got.Len())
	}
	return nil
}

func upload(c *http.Client) error {
	resp, err := c.Post("https://"+lab.SiteName+"/upload", "application/octet-stream", &paced{Reader: lab.Reader(transferOctets)})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}

// transferOctets take 8 s at the pace of a transfer: an upgrade takes less.
const transferOctets = 8 * steeredPace
