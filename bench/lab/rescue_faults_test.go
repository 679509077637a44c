//go:build lab

package lab_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// What goes wrong under a rescue stays bounded, and ends for the client as soon as it may.
func TestRescueFaults(t *testing.T) {
	f := startSteering(t, true, "tcp_rescue: true")
	f.flip(f.Fra)
	t.Run("flood", f.bogusACKs)
	f.flip(f.Ams)
	t.Run("SYN cookies", f.synCookies)
	t.Run("owner killed", f.ownerKilled)
	f.flip(f.Ams)
	t.Run("owner cut off", f.ownerCutOff)
	f.tell(t)
}

// bogusACKs sends segments of connections that nobody has, from one network: the host resets some, as it would without a
// rescue. None goes to the other node, and that isn't asked more than the limit allows.
func (f *steered) bogusACKs(t *testing.T) {
	const segments, questionsOfSource = 20_000, 2_000
	c, err := f.Client.ListenPacket("ip4:tcp", "0.0.0.0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	from := f.clientAddress()
	resets, begin := f.resets(), time.Now()
	for i := range segments {
		if _, err := c.WriteTo(bogusACK(from, lab.VIP4, uint16(10_000+i)), &net.IPAddr{IP: lab.VIP4.AsSlice()}); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(begin)
	f.Await("they have come", moveLimit, func() bool { return f.Fra.Node.Metric("anyedge_rescue_missed_total") >= segments*9/10 })
	asked := f.Fra.Node.Metric(`anyedge_rescue_segments_total{verdict="asked"}`)
	if most := questionsOfSource * (took.Seconds() + 1); asked > most || asked == 0 {
		t.Errorf("%v questions in %v: at most %v are allowed", asked, took, most)
	}
	if n := f.Ams.Node.Metric("anyedge_rescue_injected_total"); n != 0 {
		t.Errorf("%v segments went on", n)
	}
	if n := f.resets() - resets; n > segments {
		t.Errorf("%d resets for %d segments", n, segments)
	}
	t.Logf("%d segments in %v: %v questions, %d resets", segments, took.Round(time.Millisecond), asked, f.resets()-resets)
}

// synCookies has a host keep nothing of connections that begin: what completes them has no socket, and isn't led away.
func (f *steered) synCookies(t *testing.T) {
	f.Ams.Host.Run("sysctl", "-q", "-w", "net.ipv4.tcp_syncookies=2")
	defer f.Ams.Host.Run("sysctl", "-q", "-w", "net.ipv4.tcp_syncookies=1")
	for _, vip := range []netip.Addr{lab.VIP4, lab.VIP6} {
		before := f.Ams.Node.Metric("anyedge_rescue_syn_cookies_total")
		if out, err := f.fetch(within(t, time.Minute), vip, "--fail", "--output", "/dev/null", "https://"+lab.SiteName+"/page"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if f.Ams.Node.Metric("anyedge_rescue_syn_cookies_total") == before {
			t.Errorf("%v: no SYN cookie was seen", vip)
		}
	}
}

// resets are those that both nodes' hosts have sent.
func (f *steered) resets() (n int) {
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		n += snmp(m.Host.Run("cat", "/proc/net/snmp"), "Tcp:", "OutRsts")
	}
	return n
}

// clientAddress is where the client's packets come from.
func (f *steered) clientAddress() netip.Addr {
	c, err := f.Client.Dial(f.Context(), "udp4", net.JoinHostPort(lab.VIP4.String(), "443"))
	if err != nil {
		f.Fatalf("%v", err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// bogusACK is a segment of no connection.
func bogusACK(from, to netip.Addr, port uint16) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, port)
	binary.BigEndian.PutUint16(b[2:], 443)
	binary.BigEndian.PutUint32(b[4:], uint32(port)*7919)
	binary.BigEndian.PutUint32(b[8:], uint32(port)*104729)
	b[12], b[13] = 5<<4, 0x10
	binary.BigEndian.PutUint16(b[14:], 1024)
	sum := uint32(6 + len(b)) // RFC 9293, section 3.1: with the addresses, the protocol and the length
	for _, part := range [][]byte{from.AsSlice(), to.AsSlice(), b} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum>>16 > 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(b[16:], ^uint16(sum))
	return b
}

// connected is a connection to ams whose segments come by fra: it has had an answer each way.
func (f *steered) connected(t *testing.T) net.Conn {
	tcp, err := f.Client.Dial(t.Context(), "tcp4", net.JoinHostPort(lab.VIP4.String(), "443"))
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(tcp, &tls.Config{RootCAs: f.CA.Pool, ServerName: lab.SiteName})
	t.Cleanup(func() { _ = c.Close() })
	answers := bufio.NewReader(c)
	ask := func() {
		if err := askPage(c, answers); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	f.flip(f.Fra)
	before := f.Fra.Node.Metric(`anyedge_rescue_segments_total{verdict="marked"}`)
	ask()
	if f.Fra.Node.Metric(`anyedge_rescue_segments_total{verdict="marked"}`) == before {
		t.Error("its segments don't come by fra")
	}
	return c
}

// askPage asks for the page over H1.
func askPage(c net.Conn, answers *bufio.Reader) error {
	_ = c.SetDeadline(time.Now().Add(moveLimit))
	if _, err := fmt.Fprintf(c, "GET /page HTTP/1.1\r\nHost: %s\r\n\r\n", lab.SiteName); err != nil {
		return err
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// lost waits until the client knows that its connection is lost, and returns the error and how long it took. It goes on
// asking, and gets no answer.
func lost(t *testing.T, c net.Conn, limit time.Duration) (time.Duration, error) {
	begin := time.Now()
	go func() { // ends with the connection
		for {
			if _, err := io.WriteString(c, "GET /page HTTP/1.1\r\n"); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	_ = c.SetDeadline(begin.Add(limit))
	_, err := io.Copy(io.Discard, c)
	if err == nil {
		err = io.EOF
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the client doesn't know within %v", limit)
	}
	return time.Since(begin).Round(10 * time.Millisecond), err
}

// ownerKilled kills the process that has a connection: its host ends it, and all that the rescue had made there is gone.
func (f *steered) ownerKilled(t *testing.T) {
	c := f.connected(t)
	const device = "anyedge0"
	if out := f.Ams.Host.Run("ip", "-o", "link"); !strings.Contains(out, device) {
		t.Errorf("there is no device %s:\n%s", device, out)
	}
	f.Ams.Node.Kill()
	took, err := lost(t, c, moveLimit)
	t.Logf("the client knows after %v: %v", took, err)
	f.Await("the device is gone", moveLimit, func() bool { return !strings.Contains(f.Ams.Host.Run("ip", "-o", "link"), device) })
	f.Start(f.settings[f.Ams], f.Ams)
	f.waitAnnounced(f.Ams, upLimit)
}

// ownerCutOff takes away the host that has a connection: it is given up, and the other one resets what is its.
func (f *steered) ownerCutOff(t *testing.T) {
	c := f.connected(t)
	f.Ams.ToNode.Cut()
	took, err := lost(t, c, time.Minute) // alone, a node waits for 30 s before it gives another up
	t.Logf("the client knows after %v: %v", took, err)
	f.Ams.ToNode.Restore()
}
