package routing

import "time"

// shifted is a copy of s with each of its times moved by d, as when the clock that they are by is set.
func (s *saved) shifted(d time.Duration) *saved {
	c := *s
	c.Saved, c.Starts = moved(s.Saved, d), shift(s.Starts, d)
	c.VIPs = eachOf(s.VIPs, func(v savedVIP) savedVIP { v.Damper.At = moved(v.Damper.At, d); return v })
	c.Forces = eachOf(s.Forces, func(f *Force) *Force {
		if f == nil {
			return nil
		}
		return &Force{f.Level, moved(f.Since, d), moved(f.Until, d), f.Reason}
	})
	c.Drains = eachOf(s.Drains, func(p *Drain) *Drain {
		if p == nil {
			return nil
		}
		return &Drain{moved(p.Since, d), moved(p.Until, d), p.Reason}
	})
	c.Blackholes = eachOf(s.Blackholes, func(h *Blackhole) *Blackhole {
		if h == nil {
			return nil
		}
		return &Blackhole{moved(h.Since, d), moved(h.Until, d), h.Reason}
	})
	return &c
}

// moved is t moved by d; the zero time stays, which is none.
func moved(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(d)
}

func shift(times []time.Time, d time.Duration) []time.Time {
	list := make([]time.Time, len(times))
	for i, t := range times {
		list[i] = moved(t, d)
	}
	return list
}

// eachOf is a copy of m with each value changed.
func eachOf[V any](m map[string]V, change func(V) V) map[string]V {
	c := make(map[string]V, len(m))
	for k, v := range m {
		c[k] = change(v)
	}
	return c
}
