package routing

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/anyedge/anyedge/health"
)

// told is how many changes WriteText lists; the JSON has all that are kept.
const told = 8

// String is what WriteText writes.
func (e Explanation) String() string {
	var b strings.Builder
	_ = e.WriteText(&b) // a strings.Builder takes everything
	return b.String()
}

// WriteText prints the explanation for people, in one write.
func (e Explanation) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s, level %d, since %s (%s)\n\n", e.VIP, e.LevelName, e.Level, e.clock(e.Since), span(e.Now.Sub(e.Since)))
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	e.writeWhy(t)
	e.writeSignals(t)
	e.writeFleet(t)
	e.writeRoutes(t)
	e.writeHistory(t)
	_ = t.Flush() // into b
	_, err := io.WriteString(w, trimLines(b.String()))
	return err
}

func (e *Explanation) writeWhy(w io.Writer) {
	fmt.Fprintf(w, "why\t%s\n\t%s\n", e.Text, e.Reason.Text())
	for i, n := range e.Next {
		fmt.Fprintf(w, "%s\tit %s\n", first(i, "next"), n.Sentence(e.Level, e.Now))
	}
	if e.SpeakerError != "" {
		fmt.Fprintf(w, "error\tthe peers may have other routes: %s; it is tried again\n", e.SpeakerError)
	}
	if e.ClockStep != 0 {
		fmt.Fprintf(w, "clock\t%s; times here are by the clock as it was\n", stepText(e.ClockStep))
	}
	if e.unheard() {
		fmt.Fprintf(w, "but\tno peer's session is established: no router has its routes\n")
	}
	if penalty := math.Round(e.Damping); penalty > 0 {
		fmt.Fprintf(w, "damping\tpenalty %.0f, halved each %s; no rise begins above %.0f\n", penalty, setting(halfLife), limitOfRise(e.Level))
	}
	if len(e.Withheld) > 0 {
		fmt.Fprintf(w, "withheld\tfrom the peers of class %s\n", strings.Join(e.Withheld, ", "))
	}
	if len(e.Shared) > 0 {
		fmt.Fprintf(w, "shared\t%s: it fails for other nodes too\n", sentence(e.Shared))
	}
	if e.Shed {
		fmt.Fprintf(w, "shed\tload asks the node to do without what it can: contents pass as they came instead of being encoded for one client\n")
	}
	if e.Refuse {
		fmt.Fprintf(w, "refuse\twhat only an origin could answer is refused: load is critical, and other nodes have room\n")
	}
	if e.Force != nil {
		fmt.Fprintf(w, "force\tto %s from %s until %s: %s\n", e.Force.Level, e.clock(e.Force.Since), e.clock(e.Force.Until), e.Force.Reason)
	}
	if h := e.Blackhole; h != nil {
		fmt.Fprintf(w, "blackhole\tpeers shall drop what is sent to its addresses, from %s until %s: %s\n", e.clock(h.Since), e.clock(h.Until), h.Reason)
	}
	if e.Drain != nil {
		fmt.Fprintf(w, "drain\tasked for at %s%s\n", e.clock(e.Drain.Since), e.until(e.Drain.Until))
	}
}

// until names the end of what an operator asked for, where there is one.
func (e *Explanation) until(t time.Time) string {
	if t.IsZero() {
		return ", until undrain"
	}
	return ", until " + e.clock(t)
}

// unheard says whether there are routes for peers, and none of them can have got one.
func (e *Explanation) unheard() bool {
	established := func(p Peer) bool { return p.State == "established" }
	return e.Level < Withdrawn && len(e.Peers) > 0 && !slices.ContainsFunc(e.Peers, established)
}

// An empty line ends a table's columns, so that each has its own widths.

func (e *Explanation) writeSignals(w io.Writer) {
	if len(e.Signals) == 0 {
		return
	}
	fmt.Fprintf(w, "\nsignal\tof\tgrade\twhy\twarn\tcrit\tsince\tdetail\n")
	for _, s := range e.Signals {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, e.of(s), s.Grade, s.Verdict(),
			s.Threshold(s.Warn), s.Threshold(s.Crit), e.clock(s.Since), s.Detail)
	}
}

// of names what s is about, with its part of the requests where there are several.
func (e *Explanation) of(s health.Signal) string {
	if s.Cause == health.Path && len(e.Shares) > 1 {
		return fmt.Sprintf("%s (%s of requests)", s.About(), health.Ratio.Format(e.Shares[s.Subject]))
	}
	return s.About()
}

func (e *Explanation) writeFleet(w io.Writer) {
	if e.Fleet == nil {
		return
	}
	fmt.Fprintf(w, "\nother node\tmetro\tlevel\ttold\tanswered\troom\tcan take over\n")
	for _, n := range e.Fleet.Nodes {
		room := "not known"
		if n.Headroom >= 0 {
			room = health.BitsPerSecond.Format(n.Headroom)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Name, n.Metro, n.Level, ago(n.Age), ago(n.Verified), room, n.verdict())
	}
	if len(e.Fleet.Nodes) == 0 {
		fmt.Fprintf(w, "none\n")
	}
}

// verdict says whether n could take over, and what is in the way.
func (n *Node) verdict() string {
	if problem := n.Unable(); problem != "" {
		return "no: " + problem
	}
	return "yes"
}

// Unable says what is in the way of n's taking over; empty if nothing is.
func (n *Node) Unable() string {
	switch {
	case n.able():
		return ""
	case n.Problem != "":
		return n.Problem
	case !n.fresh():
		return "it doesn't tell"
	case n.Level > LightlyDepref:
		return "it is " + n.Level.String() + " itself"
	case n.Failing:
		return "it fails its own check"
	}
	return "its data plane doesn't answer"
}

// ago prints an age; a negative one is of what never was.
func ago(d time.Duration) string {
	if d < 0 {
		return "never"
	}
	return span(d) + " ago"
}

func (e *Explanation) writeRoutes(w io.Writer) {
	fmt.Fprintf(w, "\nprefix\tlevel\n")
	for _, p := range e.Prefixes {
		held := ""
		if p.HeldBy != "" {
			held = ", held there by VIP " + p.HeldBy + ", which has it too"
		}
		fmt.Fprintf(w, "%s\t%s%s\n", p.Prefix, p.Level, held)
	}
	fmt.Fprintf(w, "\npeer\tsession\tfor\thas\n")
	for _, p := range e.Peers {
		has := e.sent(p)
		if p.BFD != nil {
			has += "; " + p.BFD.String()
		}
		fmt.Fprintf(w, "%s AS%d\t%s\t%s\t%s\n", p.Name, p.ASN, p.State, span(e.Now.Sub(p.Since)), has)
	}
	if len(e.Peers) == 0 {
		fmt.Fprintf(w, "none\n")
	}
}

// sent says which of the VIP's prefixes p has, and what ended its last session if none is up.
func (e *Explanation) sent(p Peer) string {
	var has []string
	for _, q := range e.Prefixes {
		if slices.Contains(p.AdjOut, q.Prefix.String()) {
			has = append(has, q.Prefix.String())
		}
	}
	switch {
	case p.State != "established" && p.LastError != "":
		return "nothing: " + p.LastError
	case len(has) == 0:
		return "nothing"
	}
	return strings.Join(has, " ")
}

func (e *Explanation) writeHistory(w io.Writer) {
	for i, r := range e.History[:min(len(e.History), told)] {
		d := r.Decision
		change := d.To.String()
		if d.From != d.To {
			change = d.From.String() + " → " + change
		}
		if i == 0 {
			fmt.Fprintf(w, "\nchanged\tto\tbecause\n")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.clock(r.Input.Now), change, d.Text)
	}
}

// clock prints t to the second, with its date if that is another day.
func (e *Explanation) clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	t = t.In(e.Now.Location())
	if t.Format(time.DateOnly) == e.Now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

func first(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

// trimLines drops the blanks that the columns leave at the ends of lines.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}
