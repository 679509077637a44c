package cache

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache/encoding"
)

// EncodingStats is what one coding was used for.
type EncodingStats struct {
	Made   uint64 `json:"made"`   // encoded forms that were made to be stored
	Passed uint64 `json:"passed"` // contents that were encoded as they passed
	In     uint64 `json:"in"`     // bytes of both
	Out    uint64 `json:"out"`    // what they became
}

// encodingCounters count since the start.
type encodingCounters struct {
	codings [encoding.Count]struct{ made, passed, in, out atomic.Uint64 }
	skips   [len(skips)]atomic.Uint64 // in the order of skips
}

// skips are the reasons that are counted.
var skips = [...]skip{skipEncoded, skipNoTransform, skipDigest, skipSmall, skipLarge, skipPersonal, skipBusy, skipNotSmaller}

func (c *encodingCounters) made(coding encoding.Coding, in, out int64) {
	c.codings[coding].made.Add(1)
	c.add(coding, in, out)
}

func (c *encodingCounters) passed(coding encoding.Coding, in, out int64) {
	c.codings[coding].passed.Add(1)
	c.add(coding, in, out)
}

func (c *encodingCounters) add(coding encoding.Coding, in, out int64) {
	c.codings[coding].in.Add(uint64(in))
	c.codings[coding].out.Add(uint64(out))
}

func (c *encodingCounters) skipped(why skip) {
	for i := range skips {
		if skips[i] == why {
			c.skips[i].Add(1)
		}
	}
}

// addTo adds the figures of what was used, and every reason.
func (c *encodingCounters) addTo(s *Stats) {
	s.Encoding, s.Unencoded = make(map[string]EncodingStats), make(map[string]uint64)
	for _, coding := range []encoding.Coding{encoding.Brotli, encoding.Zstd, encoding.Gzip} {
		n := &c.codings[coding]
		s.Encoding[coding.String()] = EncodingStats{Made: n.made.Load(), Passed: n.passed.Load(), In: n.in.Load(), Out: n.out.Load()}
	}
	for i, why := range skips {
		s.Unencoded[string(why)] = c.skips[i].Load()
	}
}

// collectEncoding sends the metrics of content coding.
func collectEncoding(ch chan<- prometheus.Metric, s *Stats) {
	send := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	made := desc("encoded_stored_total", "Encoded forms that were made to be stored.", "coding")
	passed := desc("encoded_passing_total", "Contents that were encoded as they passed.", "coding")
	in := desc("encoded_in_bytes_total", "Contents that were encoded.", "coding")
	out := desc("encoded_out_bytes_total", "What they became.", "coding")
	for coding, n := range s.Encoding {
		send(made, n.Made, coding)
		send(passed, n.Passed, coding)
		send(in, n.In, coding)
		send(out, n.Out, coding)
	}
	unencoded := desc("unencoded_total", "Contents of a type that is encoded that weren't, by reason.", "reason")
	for why, n := range s.Unencoded {
		send(unencoded, n, why)
	}
}
