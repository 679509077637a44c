package disk_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache/disk"
)

func TestOptions(t *testing.T) {
	f := func(want string, change func(o *disk.Options)) {
		t.Helper()
		var o disk.Options
		o.SetDefaults()
		o.Path = "/var/cache/anyedge"
		change(&o)
		var got []string
		o.Check(func(key, problem string) { got = append(got, key+": "+problem) })
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
	f("", func(*disk.Options) {})
	f("", func(o *disk.Options) { o.Path, o.Paths = "", []string{"/a", "/b"} })
	f("", func(o *disk.Options) { o.Size, o.Segment, o.Admission = 256<<10, 64<<10, disk.All })
	f("paths: stands beside path: name the disks in one of them", func(o *disk.Options) { o.Paths = []string{"/a"} })
	f(`paths: "/a" is empty or there twice`, func(o *disk.Options) { o.Path, o.Paths = "", []string{"/a", "/a"} })
	f("size: must be at least 256KiB", func(o *disk.Options) { o.Size = 1 })
	f("segment: must be from 64KiB to 32GiB, or 0", func(o *disk.Options) { o.Segment = 1 })
	f("segment: must be at most a quarter of size", func(o *disk.Options) { o.Segment = o.Size / 2 })
	f("min_free: must be from 0% to below 100%", func(o *disk.Options) { o.MinFree = 1 })
	f(`admission: "some" is neither "second_hit" nor "all"`, func(o *disk.Options) { o.Admission = "some" })
	f("queue: must be at least 64KiB", func(o *disk.Options) { o.Queue = 0 })
	f("io: must be from 1 to 4096", func(o *disk.Options) { o.IO = 0 })
	f("slow: must be above 0", func(o *disk.Options) { o.Slow = 0 })
	f("rest: must be above 0", func(o *disk.Options) { o.Rest = 0 })
}

// Every size that Check passes makes a store that works.
func TestSizes(t *testing.T) {
	for _, size := range []int64{256 << 10, 1 << 20, 100 << 20} {
		o := options(t.TempDir())
		o.Size, o.Segment = size, 0
		s := open(t, o)
		for i := range uint64(100) {
			put(t, s, record("/a", i%3, i+1, 5000))
		}
		if len(versions(t, s, "/a")) == 0 || s.Stats()[0].Bytes > size {
			t.Errorf("%d: %+v", size, s.Stats()[0])
		}
		closeStore(t, s)
	}
}

func TestMetrics(t *testing.T) {
	o := options(t.TempDir())
	s := open(t, o)
	defer closeStore(t, s)
	put(t, s, record("/a", 0, 1, 100))
	registry := prometheus.NewRegistry()
	s.RegisterMetrics(registry)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		if len(f.GetMetric()) != 1 || m.GetLabel()[0].GetValue() != o.Paths[0] || f.GetHelp() == "" {
			t.Errorf("%v", f)
		}
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	for name, want := range map[string]float64{
		"anyedge_disk_records": 1, "anyedge_disk_up": 1, "anyedge_disk_segments": 1, "anyedge_disk_writes_total": 1,
		"anyedge_disk_size_bytes": float64(o.Size), "anyedge_disk_corrupt_total": 0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
}
