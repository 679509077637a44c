package disk

import "github.com/prometheus/client_golang/prometheus"

// RegisterMetrics registers the disks' metrics, which the store collects when asked for.
func (s *Store) RegisterMetrics(reg prometheus.Registerer) { reg.MustRegister(collector{s}) }

// collector reads Stats when it is asked.
type collector struct{ s *Store }

// Describe leaves the metrics to Collect.
func (m collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect sends the metrics.
func (m collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range m.s.Stats() {
		s.collect(ch)
	}
}

func (s *Stats) collect(ch chan<- prometheus.Metric) {
	send := func(kind prometheus.ValueType, name, help string, v float64) {
		d := prometheus.NewDesc("anyedge_disk_"+name, help, []string{"disk"}, nil)
		ch <- prometheus.MustNewConstMetric(d, kind, v, s.Disk)
	}
	gauge := func(name, help string, v int64) { send(prometheus.GaugeValue, name, help, float64(v)) }
	counter := func(name, help string, v uint64) { send(prometheus.CounterValue, name, help, float64(v)) }
	gauge("bytes", "What the disk tier takes of the disk, room that is reserved included.", s.Bytes)
	gauge("size_bytes", "The most that it may take.", s.Size)
	gauge("segments", "Files that it consists of.", int64(s.Segments))
	gauge("records", "Records that can be read.", s.Records)
	gauge("memory_bytes", "Memory that its directory and queue hold.", s.Memory)
	gauge("queue_bytes", "What waits to be written.", s.Queue)
	gauge("up", "1 while the disk is read and written, 0 while it isn't: full, failing or resting.", s.up())
	counter("writes_total", "Records that were written.", s.Written)
	counter("write_bytes_total", "What was written, with heads and copies.", s.WrittenBytes)
	counter("refused_total", "Records that were offered and not written.", s.Refused)
	counter("evictions_total", "Records that made room for others.", s.Evicted)
	counter("kept_total", "Records that eviction copied because they were read.", s.Kept)
	counter("reads_total", "Reads of heads and chunks.", s.Reads)
	counter("read_bytes_total", "What was read.", s.ReadBytes)
	counter("read_errors_total", "Reads that failed or took too long.", s.ReadErrors)
	counter("corrupt_total", "Records that failed their checksum.", s.Corrupt)
	send(prometheus.CounterValue, "write_seconds_total", "Time spent in writes.", s.WriteTime.Seconds())
}

// up is 1 while the disk does all that it is there for.
func (s *Stats) up() int64 {
	if s.State == OK || s.State == Loading {
		return 1
	}
	return 0
}
