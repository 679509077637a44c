//go:build lab

package lab_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/bench/lab"
	"github.com/anyedge/anyedge/tls/secret"
)

// What clients do while the route flips, and how large it is.
const (
	steeredOctets = 6 << 20
	steeredPace   = 2 << 20         // octets a second
	steeredIdle   = 4 * time.Second // after which a client gives up
	steeredShakes = 60
)

// What a connection does lives on where the route changes, and dies of it without steering.
func TestSteering(t *testing.T) {
	rows := []string{"download", "download, IPv6", "upload", "requests on one connection", "ngtcp2's client", "Chromium: download", "Chromium: upload", "Chromium: requests beside them", "handshakes under flapping", "owner killed and restarted"}
	table := map[string][2]string{}
	for i, on := range []bool{false, true} {
		t.Run(fmt.Sprintf("steering=%v", on), func(t *testing.T) {
			for row, o := range underFlips(t, on) {
				cells := table[row]
				cells[i] = o.text
				table[row] = cells
				if on && !o.survived {
					t.Errorf("%s: %s", row, o.text)
				}
				if !on && o.survived && strings.HasSuffix(row, "load") {
					t.Errorf("%s: %s: so it isn't steering that saves it", row, o.text)
				}
			}
		})
	}
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tplain quic-go\tsteering")
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row, table[row][0], table[row][1])
	}
	_ = w.Flush() // a Builder takes everything
	t.Log("\n" + out.String())
}

// outcome is how something fared.
type outcome struct {
	survived bool
	text     string
}

// underFlips runs a fleet whose route goes from ams to fra while clients are at work, and then to and fro.
func underFlips(t *testing.T, steering bool) map[string]outcome {
	f := startSteering(t, steering)
	outcomes, mu := map[string]outcome{}, sync.Mutex{}
	var work sync.WaitGroup
	do := func(row string, what func() outcome) {
		work.Go(func() {
			o := what()
			mu.Lock()
			defer mu.Unlock()
			outcomes[row] = o
		})
	}
	do("download", func() outcome { return f.download(t, lab.VIP4) })
	do("download, IPv6", func() outcome { return f.download(t, lab.VIP6) })
	do("upload", func() outcome { return f.upload(t) })
	do("requests on one connection", func() outcome { return f.requests(t) })
	time.Sleep(time.Second) // they are under way
	f.flip(f.Fra)
	work.Wait()
	f.flip(f.Ams)
	outcomes["ngtcp2's client"] = f.ngtcp2(t)
	f.flip(f.Ams)
	maps.Copy(outcomes, f.chromium(t))
	f.flip(f.Ams)
	outcomes["handshakes under flapping"] = f.handshakes(t)
	f.flip(f.Ams)
	outcomes["owner killed and restarted"] = f.restarted(t)
	if steering {
		f.tell(t)
	}
	return outcomes
}

// steered is a fleet whose nodes steer, or don't.
type steered struct {
	*fleet

	settings map[*lab.Metro]lab.Settings
	secret   string // the file
}

// startSteering starts both nodes; more are further keys of the fleet's.
func startSteering(t *testing.T, steering bool, more ...string) *steered {
	file := filepath.Join(t.TempDir(), "fleet.secret")
	f := &steered{assemble(t), map[*lab.Metro]lab.Settings{}, file}
	if err := secret.Create(file, secret.New()); err != nil {
		t.Fatal(err)
	}
	for i, m := range []*lab.Metro{f.Ams, f.Fra} {
		s := lab.Quick()
		if steering {
			other := []*lab.Metro{f.Fra, f.Ams}[i]
			s.More += fmt.Sprintf("fleet: {%s}\n", strings.Join(append(more, fmt.Sprintf(
				"secret_file: %s, steering: {metro: %d, host: 1, nodes: [{name: %s, metro: %d, host: 1, address: %s}]}",
				file, 1+i, other.Host.Name, 2-i, other.ToNode.B.V4)), ", "))
		}
		f.settings[m] = s
		f.Start(s, m)
	}
	f.waitNormal(upLimit)
	return f
}

// flip leads the world to a metro.
func (f *steered) flip(m *lab.Metro) {
	f.Helper()
	f.Prefer(m)
	waitVia(f.core, m.Edge.Name, moveLimit)
}

// h3Client is a browser, so to say, on the client host, with one connection at a time.
type h3Client struct {
	*http.Client

	dials atomic.Int64
	conn  atomic.Pointer[quic.Conn] // the last
}

func (f *steered) h3Client(t *testing.T, vip netip.Addr) *h3Client {
	network := "udp4"
	if vip.Is6() {
		network = "udp6"
	}
	socket, err := f.Client.ListenPacket(network, ":0")
	if err != nil {
		f.Fatalf("%v", err)
	}
	tr, c := &quic.Transport{Conn: socket}, &h3Client{}
	h3 := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: f.CA.Pool, ServerName: lab.SiteName},
		QUICConfig:      &quic.Config{MaxIdleTimeout: steeredIdle, KeepAlivePeriod: 200 * time.Millisecond, HandshakeIdleTimeout: steeredIdle},
		Dial: func(ctx context.Context, _ string, tlsConf *tls.Config, conf *quic.Config) (*quic.Conn, error) {
			c.dials.Add(1)
			conn, err := tr.DialEarly(ctx, net.UDPAddrFromAddrPort(netip.AddrPortFrom(vip, 443)), tlsConf, conf)
			c.conn.Store(conn)
			return conn, err
		},
	}
	c.Client = &http.Client{Transport: h3, Timeout: time.Minute}
	t.Cleanup(func() {
		_ = h3.Close()
		_ = tr.Close()
		_ = socket.Close()
	})
	return c
}

// paced reads at a steady pace.
type paced struct {
	io.Reader

	begin time.Time
	n     int64
}

func (p *paced) Read(b []byte) (int, error) {
	if p.begin.IsZero() {
		p.begin = time.Now()
	}
	time.Sleep(time.Until(p.begin.Add(time.Duration(p.n) * time.Second / steeredPace)))
	n, err := p.Reader.Read(b[:min(len(b), 64<<10)])
	p.n += int64(n)
	return n, err
}

// measured turns what came into an outcome.
func measured(what string, begin time.Time, n int64, err error) outcome {
	took := time.Since(begin).Round(100 * time.Millisecond)
	if err != nil {
		return outcome{false, fmt.Sprintf("dies after %v, %.1f of %d MiB: %v", took, float64(n)/(1<<20), steeredOctets>>20, brief(err))}
	}
	return outcome{n == steeredOctets, fmt.Sprintf("%s, %.1f MiB in %v", what, float64(n)/(1<<20), took)}
}

// brief is an error without what was asked for.
func brief(err error) error {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		return asked.Err
	}
	return err
}

func (f *steered) download(t *testing.T, vip netip.Addr) outcome {
	begin := time.Now()
	resp, err := f.h3Client(t, vip).Get(fmt.Sprintf("https://%s/fresh/%d", lab.SiteName, steeredOctets))
	if err != nil {
		return measured("", begin, 0, err)
	}
	defer resp.Body.Close()
	var got bytes.Buffer
	n, err := io.Copy(&got, &paced{Reader: resp.Body})
	if err == nil && !bytes.Equal(got.Bytes(), lab.Content(steeredOctets)) {
		return outcome{false, "whole, but not the origin's content"}
	}
	return measured("whole", begin, n, err)
}

func (f *steered) upload(t *testing.T) outcome {
	begin := time.Now()
	body := &paced{Reader: lab.Reader(steeredOctets)}
	resp, err := f.h3Client(t, lab.VIP4).Post("https://"+lab.SiteName+"/upload", "application/octet-stream", body)
	if err != nil {
		return measured("", begin, body.n, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return outcome{false, resp.Status}
	}
	return measured("whole", begin, body.n, nil)
}

// requests asks for a page every 100 ms for as long as a download takes.
func (f *steered) requests(t *testing.T) outcome {
	c := f.h3Client(t, lab.VIP4)
	good, bad, slowest := 0, 0, time.Duration(0)
	for begin := time.Now(); time.Since(begin) < steeredOctets/steeredPace*time.Second; time.Sleep(100 * time.Millisecond) {
		r := get(c.Client, "/page")
		slowest = max(slowest, r.took)
		if r.err != nil {
			bad++
		} else {
			good++
		}
	}
	return outcome{bad == 0 && c.dials.Load() == 1, fmt.Sprintf("%d answered, %d failed, %d connections, slowest %v", good, bad, c.dials.Load(), ms(slowest))}
}

// answer is how one request fared.
type answer struct {
	took time.Duration
	err  error
}

func get(c *http.Client, path string) answer {
	begin := time.Now()
	resp, err := c.Get("https://" + lab.SiteName + path)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	return answer{time.Since(begin), err}
}

// ngtcp2 fetches with a client that isn't ours, at its full speed, and flips the route once it is at it.
func (f *steered) ngtcp2(t *testing.T) outcome {
	const octets = 200 << 20
	target := fmt.Sprintf("/fresh/%d", octets)
	dir, began := t.TempDir(), make(chan struct{})
	go func() { // ends with the request, or with the test
		defer close(began)
		f.Await("the origin is asked", moveLimit, func() bool { return f.Site.Requests(target) > 0 })
	}()
	done := make(chan error, 1)
	begin := time.Now()
	go func() { // ends with the program; read below
		_, err := f.Client.Exec(within(t, time.Minute), "gtlsclient", "--download="+dir, "--exit-on-all-streams-close", "--timeout=4s",
			"--no-quic-dump", "--no-http-dump", "--sni="+lab.SiteName, lab.VIP4.String(), "443", "https://"+lab.SiteName+target)
		done <- err
	}()
	<-began
	f.flip(f.Fra)
	err := <-done
	took := time.Since(begin).Round(100 * time.Millisecond)
	info, statErr := os.Stat(filepath.Join(dir, filepath.Base(target)))
	if statErr != nil {
		return outcome{false, fmt.Sprintf("nothing after %v: %v", took, err)}
	}
	if info.Size() < octets {
		return outcome{false, fmt.Sprintf("dies after %v, %d of %d MiB", took, info.Size()>>20, octets>>20)}
	}
	return outcome{true, fmt.Sprintf("whole, %d MiB in %v", octets>>20, took)}
}

// handshakes opens connection after connection while the route goes to and fro.
func (f *steered) handshakes(t *testing.T) outcome {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan outcome, 1)
	go func() { // ends with its loop; read below
		defer stop()
		failed, slowest := 0, time.Duration(0)
		for range steeredShakes {
			r := get(f.h3Client(t, lab.VIP4).Client, "/page")
			slowest = max(slowest, r.took)
			if r.err != nil {
				failed++
			}
		}
		done <- outcome{failed == 0, fmt.Sprintf("%d of %d failed, slowest %v", failed, steeredShakes, ms(slowest))}
	}()
	flips := 0
	for ; ctx.Err() == nil; flips++ {
		f.Prefer([]*lab.Metro{f.Fra, f.Ams}[flips%2])
	}
	o := <-done
	o.text += fmt.Sprintf(", %d flips", flips)
	return o
}

// restarted kills the node that has a connection and starts it again: how soon does the client know?
func (f *steered) restarted(t *testing.T) outcome {
	c := f.h3Client(t, lab.VIP4)
	if r := get(c.Client, "/page"); r.err != nil {
		return outcome{false, r.err.Error()}
	}
	begin := time.Now()
	f.Ams.Node.Kill()
	f.Start(f.settings[f.Ams], f.Ams)
	conn := c.conn.Load()
	<-conn.Context().Done()
	cause := context.Cause(conn.Context())
	var reset *quic.StatelessResetError
	return outcome{errors.As(cause, &reset), fmt.Sprintf("the client knows after %v: %v", time.Since(begin).Round(100*time.Millisecond), brief(cause))}
}

// tell logs what the nodes say of the steering.
func (f *steered) tell(t *testing.T) {
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		out, err := m.Node.CLI("status")
		if err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "steer") || strings.HasPrefix(line, "rescue") {
				t.Logf("%s: %s", m.Host.Name, strings.TrimSpace(line))
			}
		}
	}
}
