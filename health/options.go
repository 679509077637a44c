package health

import "time"

// Options sets when the signals change their grade. It is the `health` key of the configuration.
type Options struct {
	Signals   SignalOptions    `yaml:"signals"`
	SelfCheck SelfCheckOptions `yaml:"self_check"`
	Load      LoadOptions      `yaml:"load"`
	// CertificateExpiry is how long before its end a certificate is to be renewed; less is a warning.
	CertificateExpiry time.Duration `yaml:"certificate_expiry"`
}

// SignalOptions holds the thresholds of every measured signal.
type SignalOptions struct {
	// FillErrors grades the share of an origin's fills that failed: no response, a truncated one, or a 5xx.
	FillErrors RatioThreshold `yaml:"fill_errors"`
	// ConnectErrors grades the share of an origin's fills that got no connection.
	ConnectErrors RatioThreshold `yaml:"connect_errors"`
	// FillQueue grades the share of an origin's fills that had to wait for a place at a server, or got none.
	FillQueue RatioThreshold `yaml:"fill_queue"`
	// FillLatency grades the time from sending a fill to its first byte.
	FillLatency LatencyThreshold `yaml:"fill_latency"`
	// OriginProbe grades the share of an origin's servers that its active probes find down.
	OriginProbe ShareThreshold `yaml:"origin_probe"`
}

// RatioThreshold grades a ratio of failures over a sliding window.
// The grade is left once the ratio is below half of the threshold that it entered by.
type RatioThreshold struct {
	Warn   float64       `yaml:"warn" unit:"ratio"` // 0..1
	Crit   float64       `yaml:"crit" unit:"ratio"` // 0..1, above Warn
	Window time.Duration `yaml:"window"`
	// MinSamples is how many samples the window must hold to be graded; with fewer it is unknown, so that one failed
	// fill of a quiet night withdraws nothing. A grade that it has is kept until fewer than half as many are left.
	MinSamples int `yaml:"min_samples"`
}

// LatencyThreshold grades a quantile of a duration over a sliding window.
// The grade is left once the quantile is below three quarters of the threshold that it entered by.
type LatencyThreshold struct {
	Warn       time.Duration `yaml:"warn"`
	Crit       time.Duration `yaml:"crit"`
	Quantile   float64       `yaml:"quantile"` // 0..1
	Window     time.Duration `yaml:"window"`
	MinSamples int           `yaml:"min_samples"` // as in RatioThreshold; only fills that got an answer count
}

// ShareThreshold grades a share of servers, without a window: the probes bring their own hysteresis.
type ShareThreshold struct {
	Warn float64 `yaml:"warn" unit:"ratio"`
	Crit float64 `yaml:"crit" unit:"ratio"`
}

// SelfCheckOptions sets how this node asks itself through its VIPs. Nothing is known of a VIP until Rise successes in a
// row have proven it. After that a failure is a warning, and Fall in a row are critical until Rise successes in a row.
type SelfCheckOptions struct {
	Interval time.Duration `yaml:"interval"`
	Timeout  time.Duration `yaml:"timeout"`
	Fall     int           `yaml:"fall"` // failures in a row that make it crit
	Rise     int           `yaml:"rise"` // successes in a row that make it ok
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{
		Signals: SignalOptions{
			FillErrors:    RatioThreshold{Warn: 0.02, Crit: 0.20, Window: 10 * time.Second, MinSamples: 50},
			ConnectErrors: RatioThreshold{Warn: 0.02, Crit: 0.20, Window: 10 * time.Second, MinSamples: 50},
			FillQueue:     RatioThreshold{Warn: 0.20, Crit: 0.80, Window: 10 * time.Second, MinSamples: 50},
			FillLatency:   LatencyThreshold{Warn: 500 * time.Millisecond, Crit: 2 * time.Second, Quantile: 0.9, Window: 10 * time.Second, MinSamples: 50},
			OriginProbe:   ShareThreshold{Warn: 0.34, Crit: 1},
		},
		SelfCheck:         SelfCheckOptions{Interval: time.Second, Timeout: time.Second, Fall: 3, Rise: 3},
		CertificateExpiry: 7 * 24 * time.Hour,
	}
	o.Load.SetDefaults()
}

// Check reports every value that can't be right; configs turns it into FILE:LINE:COL.
func (o *Options) Check(report func(key, problem string)) {
	s := o.Signals
	for key, r := range map[string]RatioThreshold{
		"signals.fill_errors": s.FillErrors, "signals.connect_errors": s.ConnectErrors, "signals.fill_queue": s.FillQueue,
	} {
		switch {
		case r.Warn <= 0 || r.Crit > 1:
			report(key, "warn and crit must lie above 0% and at most at 100%")
		case r.Warn >= r.Crit:
			report(key+".warn", "must be below crit")
		}
	}
	switch l := s.FillLatency; {
	case l.Warn <= 0:
		report("signals.fill_latency.warn", "must be above 0")
	case l.Warn >= l.Crit:
		report("signals.fill_latency.warn", "must be below crit")
	}
	if q := s.FillLatency.Quantile; q <= 0 || q >= 1 {
		report("signals.fill_latency.quantile", "must lie between 0 and 1, for example 0.9")
	}
	if p := s.OriginProbe; p.Warn <= 0 || p.Crit > 1 || p.Warn > p.Crit {
		report("signals.origin_probe", "needs 0% < warn <= crit <= 100%")
	}
	for key, w := range map[string]struct {
		d time.Duration
		n int
	}{
		"signals.fill_errors": {s.FillErrors.Window, s.FillErrors.MinSamples}, "signals.connect_errors": {s.ConnectErrors.Window, s.ConnectErrors.MinSamples},
		"signals.fill_queue":   {s.FillQueue.Window, s.FillQueue.MinSamples},
		"signals.fill_latency": {s.FillLatency.Window, s.FillLatency.MinSamples},
	} {
		if w.d < time.Second || w.d > 10*time.Minute {
			report(key+".window", "must lie between 1s and 10m")
		}
		if w.n < 1 {
			report(key+".min_samples", "must be at least 1")
		}
	}
	if o.CertificateExpiry < 0 {
		report("certificate_expiry", "must not be negative; 0 warns once it has expired")
	}
	c := o.SelfCheck
	if c.Interval < 50*time.Millisecond || c.Interval > time.Minute {
		report("self_check.interval", "must lie between 50ms and 1m")
	}
	if c.Timeout < 10*time.Millisecond || c.Timeout > time.Minute {
		report("self_check.timeout", "must lie between 10ms and 1m")
	}
	if c.Fall < 1 {
		report("self_check.fall", "must be at least 1")
	}
	if c.Rise < 1 {
		report("self_check.rise", "must be at least 1")
	}
}
