package load_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/health/load"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// machine is a made-up /proc and /sys.
type machine struct {
	fstest.MapFS
	sampler *load.Sampler
	options health.LoadOptions
	now     time.Time
}

func newMachine(src load.Sources) *machine {
	m := &machine{MapFS: fstest.MapFS{}, now: noon}
	m.options.SetDefaults()
	src.FS, src.CPUs = m, 2
	m.sampler = load.NewSampler(src)
	return m
}

func (m *machine) file(path, format string, args ...any) {
	m.MapFS[path] = &fstest.MapFile{Data: fmt.Appendf(nil, format, args...)}
}

// process has used user and system ticks.
func (m *machine) process(user, system int) {
	m.file("proc/self/stat", "7 (any ) edge) S 1 7 7 0 -1 4194560 100 0 0 0 %d %d 0 0 20 0 9 0 100 1 1", user, system)
}

func (m *machine) network(sent int) {
	m.file("proc/net/dev", "Inter-|   Receive\n face |bytes\n    lo: 99 9 0 0 0 0 0 0 99999999 9 0 0 0 0 0 0\n  eth0: 5 5 0 0 0 0 0 0 %d 3 0 0 0 0 0 0\n  eth1:5 5 0 0 0 0 0 0 1000 3 0 0 0 0 0 0\n", sent)
}

func (m *machine) overflows(n int) {
	m.file("proc/net/netstat", "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 %d 9\nIpExt: InOctets\nIpExt: 1\n", n)
}

// sample is what is measured a second later.
func (m *machine) sample() []health.Figure {
	m.now = m.now.Add(time.Second)
	return m.sampler.Sample(m.now, &m.options)
}

// value is that of one signal, -1 if there is none.
func value(figures []health.Figure, name health.SignalName) float64 {
	for _, f := range figures {
		if f.Name == name {
			return f.Value
		}
	}
	return -1
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }

func TestNothingIsKnownOfAnEmptyMachine(t *testing.T) {
	m := newMachine(load.Sources{})
	m.sample()
	if got := m.sample(); len(got) > 0 || m.sampler.Sent() >= 0 {
		t.Errorf("%+v", got)
	}
}

func TestCPUIsWhatTheProcessCauses(t *testing.T) {
	for _, c := range []struct {
		what     string
		pressure string
		ticks    int // of the process in a second, of 200
		want     float64
	}{
		{"busy, and work waits", "some avg10=88.50 avg60=1.00 avg300=1.00 total=1\nfull avg10=0.00", 180, .885},
		{"others keep it busy", "some avg10=99.00 avg60=1.00 avg300=1.00 total=1\n", 10, .1},
		{"busy, and nothing waits", "some avg10=3.00 avg60=1.00 avg300=1.00 total=1\n", 180, .03},
		{"no pressure information", "", 150, .75},
		{"broken pressure information", "some avg10=x\n", 150, .75},
		{"more than all", "", 250, 1},
	} {
		m := newMachine(load.Sources{})
		if c.pressure != "" {
			m.file("proc/pressure/cpu", "%s", c.pressure)
		}
		m.process(1000, 500)
		if got := value(m.sample(), health.CPU); got != -1 {
			t.Errorf("%s: %g at first, before there is a rate", c.what, got)
		}
		m.process(1000+c.ticks, 500)
		if got := value(m.sample(), health.CPU); !near(got, c.want) {
			t.Errorf("%s: %g, want %g", c.what, got, c.want)
		}
	}
}

func TestMemory(t *testing.T) {
	m := newMachine(load.Sources{})
	m.file("proc/meminfo", "MemTotal:       1000 kB\nMemFree:          10 kB\nMemAvailable:    250 kB\n")
	if got := value(m.sample(), health.Memory); !near(got, .75) {
		t.Errorf("of the machine: %g", got)
	}
	m.file("sys/fs/cgroup/memory.max", "max\n")
	m.file("sys/fs/cgroup/memory.current", "900\n")
	if got := value(m.sample(), health.Memory); !near(got, .75) {
		t.Errorf("in a cgroup without a limit: %g", got)
	}
	m.file("sys/fs/cgroup/memory.max", "1000\n")
	m.file("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 400\n")
	if got := value(m.sample(), health.Memory); !near(got, .5) {
		t.Errorf("in a cgroup: %g", got)
	}
	m.file("proc/meminfo", "MemTotal: 1000 kB\n")
	delete(m.MapFS, "sys/fs/cgroup/memory.max")
	if got := value(m.sample(), health.Memory); got != -1 {
		t.Errorf("of an old kernel: %g", got)
	}
}

func TestDescriptors(t *testing.T) {
	m := newMachine(load.Sources{})
	m.file("proc/self/limits", "Limit  Soft Limit  Hard Limit  Units\nMax cpu time  unlimited  unlimited  seconds\nMax open files            8         4096   files\n")
	for i := range 6 {
		m.file(fmt.Sprint("proc/self/fd/", i), "")
	}
	if got := value(m.sample(), health.Descriptors); !near(got, .75) {
		t.Errorf("%g", got)
	}
	m.file("proc/self/limits", "Max open files  unlimited  unlimited  files\n")
	if got := value(m.sample(), health.Descriptors); got != -1 {
		t.Errorf("unlimited: %g", got)
	}
}

func TestConnections(t *testing.T) {
	open, limit := 30, 40
	m := newMachine(load.Sources{Connections: func() (int, int) { return open, limit }})
	if got := value(m.sample(), health.Connections); !near(got, .75) {
		t.Errorf("%g", got)
	}
	limit = 0
	if got := value(m.sample(), health.Connections); got != -1 {
		t.Errorf("without a limit: %g", got)
	}
}

func TestBandwidth(t *testing.T) {
	m := newMachine(load.Sources{})
	m.network(0)
	m.sample()
	m.network(1e6)
	if got := value(m.sample(), health.Bandwidth); got != -1 || m.sampler.Sent() != 8e6 {
		t.Errorf("without a capacity: %g, %g bit/s", got, m.sampler.Sent())
	}
	m.options.Bandwidth.Capacity = 16
	m.network(2e6)
	if got := value(m.sample(), health.Bandwidth); !near(got, .5) {
		t.Errorf("%g", got)
	}
	// A burst counts in part, and a counter that begins anew not at all.
	m.network(6e6)
	if got := value(m.sample(), health.Bandwidth); got < .6 || got > 1 {
		t.Errorf("after a burst: %g", got)
	}
	before := m.sampler.Sent()
	m.network(5)
	m.sample()
	if got := m.sampler.Sent(); got != before {
		t.Errorf("after the counter fell: %g, was %g", got, before)
	}
	for range 60 {
		m.sample()
	}
	if got := value(m.sample(), health.Bandwidth); got > .001 {
		t.Errorf("a minute later: %g", got)
	}
}

func TestAcceptDrops(t *testing.T) {
	m := newMachine(load.Sources{})
	m.overflows(5)
	m.sample()
	m.overflows(25)
	if got := value(m.sample(), health.AcceptDrops); !near(got, 20) {
		t.Errorf("%g", got)
	}
	m.file("proc/net/netstat", "TcpExt: SyncookiesSent\nTcpExt: 0\n")
	if got := value(m.sample(), health.AcceptDrops); got != -1 {
		t.Errorf("without the counter: %g", got)
	}
}

func TestDisks(t *testing.T) {
	m := newMachine(load.Sources{Disks: []string{"/a", "/gone"}, Used: func(path string) (float64, error) {
		if path == "/gone" {
			return 0, errors.New("no such directory")
		}
		return .5, nil
	}})
	got := m.sample()
	if len(got) != 1 || got[0].Subject != "/a" || got[0].Value != .5 {
		t.Errorf("%+v", got)
	}
	m.options.Off = []health.SignalName{health.Disk}
	if got := m.sample(); len(got) > 0 {
		t.Errorf("switched off: %+v", got)
	}
}

func TestOff(t *testing.T) {
	m := newMachine(load.Sources{Connections: func() (int, int) { return 1, 2 }})
	m.options.Off = []health.SignalName{health.Connections}
	if got := m.sample(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// The real /proc has what the made-up one has.
func TestThisMachine(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc")
	}
	s := load.NewSampler(load.Sources{FS: os.DirFS("/"), CPUs: 1, Disks: []string{t.TempDir()}, Used: load.Used})
	var o health.LoadOptions
	o.SetDefaults()
	s.Sample(noon, &o)
	var names []string
	for _, f := range s.Sample(noon.Add(time.Second), &o) {
		names = append(names, string(f.Name))
		if f.Value < 0 || f.Value > 1 {
			t.Errorf("%+v", f)
		}
	}
	slices.Sort(names)
	for _, want := range []string{"accept_drops", "cpu", "descriptors", "memory"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in %s", want, strings.Join(names, " "))
		}
	}
}

func FuzzFiles(f *testing.F) {
	f.Add("7 (a) S 1 7 7 0 -1 4194560 100 0 0 0 1 1 0 0", "some avg10=1.0", "MemTotal: 1 kB\nMemAvailable: 1 kB", "eth0: 5 5 0 0 0 0 0 0 1 3", "TcpExt: ListenOverflows\nTcpExt: 1", "Max open files 1 1 files")
	f.Fuzz(func(t *testing.T, stat, pressure, meminfo, dev, netstat, limits string) {
		m := newMachine(load.Sources{})
		for path, text := range map[string]string{
			"proc/self/stat": stat, "proc/pressure/cpu": pressure, "proc/meminfo": meminfo, "proc/net/dev": dev, "proc/net/netstat": netstat, "proc/self/limits": limits,
		} {
			m.file(path, "%s", text)
		}
		m.sample()
		for _, f := range m.sample() {
			if !(f.Value >= 0) {
				t.Errorf("%+v", f)
			}
		}
	})
}

func BenchmarkSample(b *testing.B) {
	s := load.NewSampler(load.Sources{FS: os.DirFS("/"), CPUs: 1, Disks: []string{b.TempDir()}, Used: load.Used})
	var o health.LoadOptions
	o.SetDefaults()
	for b.Loop() {
		s.Sample(time.Now(), &o)
	}
}
