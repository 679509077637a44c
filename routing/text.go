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
func (a *assessment) text(d Decision, v verdict) string {
	if figures := a.figures(d, v); figures != "" {
		return string(d.Reason) + ": " + figures
	}
	return string(d.Reason)
}

func (a *assessment) figures(d Decision, v verdict) string {
	switch d.Reason {
	case Stopped:
		return a.Stop
	case Draining, Drained:
		return a.asked(a.Drain.Until, a.Drain.Reason)
	case Forced:
		return a.asked(a.Force.Until, a.Force.Reason)
	case Quarantined:
		return a.Quarantine + "; " + a.apart()
	case NotProven:
		if len(d.Because) == 0 {
			return "no self check has reported yet"
		}
		return sentence(d.Because)
	case SelfCheckFailed:
		if d.Guard != nil {
			return sentence(d.Because) + "; " + d.Guard.String()
		}
		return sentence(d.Because)
	case Guarded:
		return sentence(d.Because) + "; " + d.Guard.String()
	case OriginPathCritical, OriginPathWarning, SelfCheckWarning:
		return sentence(d.Because) + " for " + span(a.Now.Sub(v.since))
	case Overloaded:
		return sentence(d.Because) + a.withheldText(d.Withheld)
	case Easing:
		return a.easing() + a.withheldText(d.Withheld)
	case OriginFault:
		return sentence(d.Because) + "; other nodes find the same"
	case Holding:
		return fmt.Sprintf("%s for %s of %s", sentence(d.Because), span(a.Now.Sub(v.since)), setting(v.hold))
	case WarmingUp, Rising:
		return a.waiting(d)
	case Damped:
		return a.damped(d)
	case Well:
		return a.well(d)
	}
	return ""
}

// asked is an operator's reason, with the end of what was asked for where it has one.
func (a *assessment) asked(until time.Time, reason string) string {
	if until.IsZero() {
		return reason
	}
	text := fmt.Sprintf("until %s (%s)", until.Format(time.DateTime), setting(until.Sub(a.Now).Round(time.Second)))
	if reason != "" {
		text += ": " + reason
	}
	return text
}

// apart is how far the quarantine has come.
func (a *assessment) apart() string {
	if a.next.AbleSince.IsZero() {
		return "not able to serve yet"
	}
	return fmt.Sprintf("able to serve for %s of %s", span(a.Now.Sub(a.next.AbleSince)), setting(quarantineTime))
}

// easing says how far the way back for load has come.
func (a *assessment) easing() string {
	n := &a.next
	last := n.Steps[len(n.Steps)-1]
	text := fmt.Sprintf("load %s of critical, and %s moved away", health.Ratio.Format(a.load.use), health.Ratio.Format(last.Moved))
	if n.EaseSince.IsZero() {
		return fmt.Sprintf("%s; together not below %s", text, health.Ratio.Format(easeBelow))
	}
	return fmt.Sprintf("%s; together below %s for %s of %s", text, health.Ratio.Format(easeBelow), span(a.Now.Sub(n.EaseSince)), setting(a.Options.LoadRise))
}

// withheldText says which peers have lost the routes.
func (a *assessment) withheldText(classes []string) string {
	if len(classes) == 0 {
		return ""
	}
	return "; withheld from " + strings.Join(classes, ", ")
}

// waiting says how far the dwell before the next step up has come.
func (a *assessment) waiting(d Decision) string {
	switch {
	case d.From == Withdrawn:
		return "able to serve"
	case d.From != d.To:
		return "well for " + span(a.Now.Sub(a.settled(d.To)))
	}
	return fmt.Sprintf("well for %s of %s", span(a.Now.Sub(a.settled(d.To.up()))), setting(a.dwell()))
}

// damped says what the damper holds up, and by which figures.
func (a *assessment) damped(d Decision) string {
	penalty, limit := d.State.Damper.Value(a.Now), pathLimit
	switch {
	case len(a.local) > 0:
		limit = reuseLimit
	case len(d.Because) > 0 && d.Because[0].Cause == health.Load:
		limit = loadLimit
	}
	if len(d.Because) > 0 {
		return fmt.Sprintf("%s; its routes changed too often to change again for that: penalty %.0f > %.0f", sentence(d.Because), penalty, limit)
	}
	return fmt.Sprintf("able to rise, but its routes changed too often: penalty %.0f > %.0f", penalty, limitOfRise(d.From))
}

func (a *assessment) well(d Decision) string {
	switch {
	case d.From != d.To:
		return "all well for " + span(a.Now.Sub(a.settled(Announced)))
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

// subjects names what the signals are about with a verb: "origin shop has", "origins img and shop have".
func subjects(signals []health.Signal) string {
	var names []string
	for _, s := range signals {
		name := s.About()
		if s.Cause == health.Path {
			name = s.Subject
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	last := len(names) - 1
	switch {
	case last < 0:
		return "it has"
	case signals[0].Cause != health.Path:
		return strings.Join(names, " and ") + " has"
	case last == 0:
		return "origin " + names[0] + " has"
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
