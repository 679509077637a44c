//go:build lab

package lab_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// What TCP clients do while the route flips, and how large it is.
const (
	rescuedPaced = 8 << 20 // at 2 MiB a second
	rescuedLarge = 1 << 30
	rescuedUp    = 200 << 20
)

// What a TCP connection does lives on where the route changes, and dies of it without the rescue.
func TestRescue(t *testing.T) {
	rows := []struct {
		name string
		do   func(f *steered, t *testing.T) outcome
	}{
		{"download over H1, two flips", func(f *steered, t *testing.T) outcome {
			return f.curlDown(t, lab.VIP4, rescuedPaced, 2, "--http1.1", "--limit-rate", "2M")
		}},
		{"download over H2, two flips", func(f *steered, t *testing.T) outcome {
			return f.curlDown(t, lab.VIP4, rescuedPaced, 2, "--http2", "--limit-rate", "2M")
		}},
		{"download over IPv6, two flips", func(f *steered, t *testing.T) outcome {
			return f.curlDown(t, lab.VIP6, rescuedPaced, 2, "--limit-rate", "2M")
		}},
		{"large download at full speed, a flip", func(f *steered, t *testing.T) outcome { return f.curlDown(t, lab.VIP4, rescuedLarge, 1) }},
		{"upload at full speed, a flip", func(f *steered, t *testing.T) outcome { return f.curlUp(t, lab.VIP4) }},
		{"upload over IPv6, a flip", func(f *steered, t *testing.T) outcome { return f.curlUp(t, lab.VIP6) }},
		{"h2load, 10 connections, flips", (*steered).loaded},
		{"download without timestamps, two flips", (*steered).withoutTimestamps},
	}
	table := map[string][2]string{}
	for i, on := range []bool{false, true} {
		t.Run(fmt.Sprintf("rescue=%v", on), func(t *testing.T) {
			f := startSteering(t, true, fmt.Sprintf("tcp_rescue: %v", on))
			for _, row := range rows {
				f.flip(f.Ams)
				o := row.do(f, t)
				cells := table[row.name]
				cells[i] = o.text
				table[row.name] = cells
				if o.survived != on {
					t.Errorf("%s: %s", row.name, o.text)
				}
			}
			if on {
				f.unfragmented(t)
				f.tell(t)
			}
		})
	}
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\twithout\twith fleet.tcp_rescue")
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.name, table[row.name][0], table[row.name][1])
	}
	_ = w.Flush() // a Builder takes everything
	t.Log("\n" + out.String())
}

// fetch runs curl on the client host; what it prints is its own measure, or its error.
func (f *steered) fetch(ctx context.Context, vip netip.Addr, args ...string) (string, error) {
	at := net.JoinHostPort(vip.String(), "443")
	if vip.Is6() {
		at = "[" + vip.String() + "]:443"
	}
	return f.Client.Exec(ctx, "curl", append([]string{
		"--silent", "--show-error", "--max-time", "60", "--cacert", f.CA.File, "--connect-to", lab.SiteName + ":443:" + at,
	}, args...)...)
}

var curlError = regexp.MustCompile(`curl: \(\d+\) .*`)

// transferred runs curl under a flip or two.
func (f *steered) transferred(target string, flips int, octets int64, curl func() (string, error)) outcome {
	type end struct {
		out string
		err error
	}
	var e end
	done := make(chan struct{})
	before := f.Site.Requests(target)
	begin := time.Now()
	go func() { // ends with the program; awaited below
		defer close(done)
		e.out, e.err = curl()
	}()
	f.Await("the origin is asked for "+target, moveLimit, func() bool {
		select {
		case <-done:
			return true
		default:
			return f.Site.Requests(target) > before
		}
	})
	for i, after := range []time.Duration{300 * time.Millisecond, 1500 * time.Millisecond}[:flips] {
		select {
		case <-done:
		case <-time.After(after):
			f.flip([]*lab.Metro{f.Fra, f.Ams}[i])
		}
	}
	<-done
	took := time.Since(begin)
	if e.err != nil {
		return outcome{false, fmt.Sprintf("dies after %v: %s", took.Round(100*time.Millisecond), curlError.FindString(e.out))}
	}
	return outcome{true, fmt.Sprintf("whole, %d MiB in %v, %.0f Mbit/s", octets>>20, took.Round(100*time.Millisecond), float64(octets)*8/1e6/took.Seconds())}
}

func (f *steered) curlDown(t *testing.T, vip netip.Addr, octets int64, flips int, args ...string) outcome {
	file := filepath.Join(t.TempDir(), "got")
	target := fmt.Sprintf("/fresh/%d", octets)
	o := f.transferred(target, flips, octets, func() (string, error) {
		return f.fetch(within(t, time.Minute), vip, append(args, "--fail", "--output", file, "https://"+lab.SiteName+target)...)
	})
	if info, err := os.Stat(file); o.survived && (err != nil || info.Size() != octets) {
		return outcome{false, fmt.Sprintf("ends early: %v", err)}
	}
	return o
}

func (f *steered) curlUp(t *testing.T, vip netip.Addr) outcome {
	file := filepath.Join(t.TempDir(), "sent")
	if err := os.WriteFile(file, lab.Content(rescuedUp), 0o600); err != nil {
		t.Fatal(err)
	}
	return f.transferred("/upload", 1, rescuedUp, func() (string, error) {
		return f.fetch(within(t, time.Minute), vip, "--fail", "--data-binary", "@"+file, "https://"+lab.SiteName+"/upload")
	})
}

var h2loadCounts = regexp.MustCompile(`requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored`)

// loaded has h2load ask on connections that stay while the route goes to and fro.
func (f *steered) loaded(t *testing.T) outcome {
	out, done := "", make(chan struct{})
	go func() { // ends with the program; awaited below
		defer close(done)
		out, _ = f.Client.Exec(within(t, time.Minute), "h2load", "--requests=100000", "--clients=10", "--max-concurrent-streams=4",
			"--connect-to="+net.JoinHostPort(lab.VIP4.String(), "443"), "https://"+lab.SiteName+"/page")
	}()
	flips := 0
	for running := true; running; flips++ {
		select {
		case <-done:
			running = false
		case <-time.After(500 * time.Millisecond):
			f.Prefer([]*lab.Metro{f.Fra, f.Ams}[flips%2])
		}
	}
	n := h2loadCounts.FindStringSubmatch(out)
	if n == nil {
		return outcome{false, "h2load says nothing: " + out}
	}
	return outcome{n[3] == "0" && n[4] == "0", fmt.Sprintf("%s requests answered, %s failed, %s errors, %d flips", n[2], n[3], n[4], flips-1)}
}

// withoutTimestamps is of a client whose owner can only be asked for.
func (f *steered) withoutTimestamps(t *testing.T) outcome {
	set := func(v string) { f.Client.Run("sysctl", "-q", "-w", "net.ipv4.tcp_timestamps="+v) }
	set("0")
	defer set("1")
	return f.curlDown(t, lab.VIP4, rescuedPaced, 2, "--limit-rate", "2M")
}

// unfragmented says whether no node had to take the tunnel's packets apart.
func (f *steered) unfragmented(t *testing.T) {
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		out := m.Host.Run("cat", "/proc/net/snmp")
		if n := snmp(out, "Ip:", "FragCreates"); n != 0 {
			t.Errorf("%s made %d fragments", m.Host.Name, n)
		}
	}
}

// snmp is a counter of /proc/net/snmp.
func snmp(text, group, name string) int {
	var names []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != group {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		for i, n := range names {
			if n == name {
				v, _ := strconv.Atoi(words[i]) // digits
				return v
			}
		}
	}
	return -1
}
