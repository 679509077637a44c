package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
)

// listed is how many signals a sentence names; explain shows all.
const listed = 3

// Sentence is the decision in one line: "www: announced → depreferred: origin_path_critical: origin shop: …".
func (d Decision) Sentence(vip string) string {
	if d.From == d.To {
		return fmt.Sprintf("%s: %s: %s", vip, d.To, d.Text)
	}
	return fmt.Sprintf("%s: %s → %s: %s", vip, d.From, d.To, d.Text)
}

// Sentence is the change in one line, seen at now from level: "rises to announced in 18s (12:00:30) if all stays well".
func (n Next) Sentence(from Level, now time.Time) string {
	verb := "rises"
	if n.Level > from {
		verb = "falls"
	}
	when := ""
	if !n.At.IsZero() {
		when = fmt.Sprintf("in %s (%s) ", span(max(n.At.Sub(now), 0)), n.At.Format(time.TimeOnly))
	}
	return fmt.Sprintf("%s to %s %s%s", verb, n.Level, when, n.Condition)
}

// text is d's reason with its figures.
func (a *assessment) text(d Decision) string {
	if figures := a.figures(d); figures != "" {
		return string(d.Reason) + ": " + figures
	}
	return string(d.Reason)
}

func (a *assessment) figures(d Decision) string {
	switch d.Reason {
	case Stopped:
		return a.Stop
	case Draining, Drained:
		return a.Drain.Reason
	case NotProven:
		if len(d.Because) == 0 {
			return "no self check has reported yet"
		}
		return sentence(d.Because)
	case SelfCheckFailed:
		return sentence(d.Because)
	case OriginPathCritical:
		return sentence(d.Because) + " for " + span(a.Now.Sub(d.State.BadSince))
	case Holding:
		return fmt.Sprintf("%s for %s of %s", sentence(d.Because), span(a.Now.Sub(d.State.BadSince)), setting(a.Options.PathFall))
	case WarmingUp, Rising:
		return a.waiting(d)
	case Well:
		return a.well(d)
	}
	return ""
}

// waiting says how far the dwell has come, and why it is as long as it is.
func (a *assessment) waiting(d Decision) string {
	if d.From != d.To {
		return "able to serve"
	}
	due := d.Next[0].At
	began := due.Add(-a.dwell())
	text := fmt.Sprintf("well for %s of %s", span(a.Now.Sub(began)), setting(a.dwell()))
	if falls := d.State.Falls; falls > 1 {
		text += fmt.Sprintf(", since it fell %d times without %s announced between", falls, setting(steadyAfter))
	}
	return text
}

func (a *assessment) well(d Decision) string {
	switch {
	case d.From != d.To:
		return "all well for " + span(a.Now.Sub(a.settled()))
	case len(d.Because) > 0:
		return "announced in spite of " + sentence(d.Because)
	}
	return "all is well"
}

// sentence names the first few signals, and what they are about once.
func sentence(signals []health.Signal) string {
	var parts []string
	about := ""
	for _, s := range signals[:min(len(signals), listed)] {
		text := s.String()
		if s.About() == about {
			text = strings.TrimPrefix(text, about+": ")
		}
		about = s.About()
		parts = append(parts, text)
	}
	if more := len(signals) - listed; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return strings.Join(parts, "; ")
}

// origins names the signals' origins with a verb: "origin shop has", "origins img and shop have".
func origins(signals []health.Signal) string {
	var names []string
	for _, s := range signals {
		if !slices.Contains(names, s.Subject) {
			names = append(names, s.Subject)
		}
	}
	last := len(names) - 1
	if last < 1 {
		return "origin " + strings.Join(names, "") + " has"
	}
	return "origins " + strings.Join(names[:last], ", ") + " and " + names[last] + " have"
}

// span prints how long something took: tenths below ten seconds, else whole seconds.
func span(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return setting(d.Round(time.Second))
}

// setting prints a duration as one would write it: 10m, not 10m0s.
func setting(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
