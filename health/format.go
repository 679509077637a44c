package health

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Format prints v for people: "23%", "1.25s", "3 failures in a row".
func (u Unit) Format(v float64) string {
	switch u {
	case Ratio:
		// Cut, not rounded: 99.97% must not read as if it had reached a threshold of 100%.
		return strconv.FormatFloat(math.Floor(v*1000)/10, 'f', -1, 64) + "%"
	case Seconds:
		return formatSeconds(v)
	case Failures:
		if v == 1 {
			return "1 failure in a row"
		}
		return fmt.Sprintf("%.0f failures in a row", v)
	case Names:
		if v == 1 {
			return "1 name"
		}
		return fmt.Sprintf("%.0f names", v)
	case PerSecond:
		return strconv.FormatFloat(v, 'f', 1, 64) + "/s"
	case BitsPerSecond:
		return formatBits(v)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// formatBits keeps one decimal of the unit that leaves few digits.
func formatBits(v float64) string {
	for _, u := range []struct {
		unit float64
		name string
	}{{1e9, "Gbit/s"}, {1e6, "Mbit/s"}, {1e3, "kbit/s"}} {
		if v >= u.unit {
			return strconv.FormatFloat(math.Round(10*v/u.unit)/10, 'f', -1, 64) + " " + u.name
		}
	}
	return strconv.FormatFloat(math.Round(v), 'f', -1, 64) + " bit/s"
}

// formatSeconds keeps three digits.
func formatSeconds(v float64) string {
	d := time.Duration(v * float64(time.Second))
	for _, s := range []struct{ below, unit time.Duration }{
		{10 * time.Millisecond, 10 * time.Microsecond},
		{time.Second, time.Millisecond},
		{10 * time.Second, 10 * time.Millisecond},
	} {
		if d < s.below {
			return d.Round(s.unit).String()
		}
	}
	return d.Round(100 * time.Millisecond).String()
}

// Threshold prints a threshold in the signal's unit, and none for a Crit of 0.
func (s Signal) Threshold(v float64) string {
	switch {
	case v == 0:
		return "none"
	case s.Unit == Failures:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return s.Unit.Format(v)
}

// Verdict says in figures why the signal has its grade: "100% >= crit 100%", "12% until below 10%", "7 of 50 samples".
func (s Signal) Verdict() string {
	value := s.Unit.Format(s.Value)
	switch {
	case s.Grade == Unknown:
		return s.lacking()
	case s.Grade == Crit && s.Value >= s.Crit:
		return value + " >= crit " + s.Threshold(s.Crit)
	case s.Grade == Warn && s.Value >= s.Warn:
		return value + " >= warn " + s.Threshold(s.Warn)
	case s.Grade == Warn && s.Unit == Failures && s.Value == 0 && s.Samples >= s.MinSamples:
		return "warn without a result"
	case s.Grade >= Warn && s.Unit == Failures:
		return fmt.Sprintf("%s until %d successes in a row, %d so far", s.Grade, s.MinSamples, s.Samples)
	case s.Grade == Warn && s.Value < s.WarnExit:
		return value + " at last, warn without a result"
	case s.Grade == Crit:
		return fmt.Sprintf("%s, crit until below %s", value, s.Threshold(s.CritExit))
	case s.Grade == Warn:
		return fmt.Sprintf("%s, warn until below %s", value, s.Threshold(s.WarnExit))
	}
	return value + " < warn " + s.Threshold(s.Warn)
}

// lacking says what keeps the grade unknown.
func (s Signal) lacking() string {
	switch {
	case s.MinSamples == 0:
		return "not measured"
	case s.Unit == Failures:
		return fmt.Sprintf("%d of %d successes in a row", s.Samples, s.MinSamples)
	}
	return fmt.Sprintf("%d of %d samples", s.Samples, s.MinSamples)
}

// About names what the signal is about: "origin shop", "VIP www".
func (s Signal) About() string {
	switch s.Cause {
	case Path:
		return "origin " + s.Subject
	case Load:
		return s.Subject
	}
	if s.Name == Disk || s.Name == BGPSessions {
		return s.Subject
	}
	return "VIP " + s.Subject
}

// String is the signal in one line: "origin shop: origin_probe 100% >= crit 100% (2/2 servers down: connection refused)".
func (s Signal) String() string {
	text := fmt.Sprintf("%s: %s %s", s.About(), s.Name, s.Verdict())
	if s.Detail != "" {
		text += " (" + s.Detail + ")"
	}
	return text
}
