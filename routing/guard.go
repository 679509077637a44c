package routing

import (
	"fmt"
	"slices"
	"time"

	"github.com/anyedge/anyedge/health"
)

const (
	// freshFor is how old what another node said, or showed, may be to count.
	freshFor = 5 * time.Second
	// headroomFactor is how much room the others need for each bit that would move to them.
	headroomFactor = 1.2
	// vetoWithin is how long ago another node must have found the same origin's path critical to have the same failure.
	vetoWithin = time.Minute
)

// Guard says whether the other nodes could take over, by which figures. The last good door never closes by itself.
type Guard struct {
	Allowed bool `json:"allowed"`
	Able    int  `json:"able"`   // others that are fresh, verified on the data plane, and announced
	Others  int  `json:"others"` // all others
	// Stale are those that would be able, but have told and answered only before this node began to fail.
	Stale    int     `json:"stale,omitempty"`
	Need     int     `json:"need"`
	Headroom float64 `json:"headroom"` // of the able, in bits per second; negative: one of them doesn't know
	Wanted   float64 `json:"wanted"`   // our load with its margin
}

// String is the guard in a clause: "1 of 2 other nodes can take over, 1 needed; they have room for 3 Gbit/s of 1.2 Gbit/s".
func (g Guard) String() string {
	text := fmt.Sprintf("%d of %d other nodes can take over, %d needed", g.Able, g.Others, g.Need)
	switch {
	case g.Able < g.Need && g.Stale > 0:
		return fmt.Sprintf("%s; %d not heard since this one fails", text, g.Stale)
	case g.Able < g.Need || g.Wanted == 0:
		return text
	case g.Headroom < 0:
		return text + "; how much room they have isn't known"
	}
	return fmt.Sprintf("%s; they have room for %s, and %s would come", text, health.BitsPerSecond.Format(g.Headroom), health.BitsPerSecond.Format(g.Wanted))
}

// guard asks whether the others could take over. What is broken anyway may leave when nobody knows how much room there
// is; for load that isn't enough.
//
// Who is announced, and broken, trusts in what others have said and shown since it began to fail, no more in what was before:
// else nodes with one common fault would each take the other for well, and all leave. So of nodes that fail, the last to
// begin finds that the others do, and stays.
func (a *assessment) guard(broken bool) *Guard {
	g := Guard{Others: len(a.Fleet.Nodes), Need: a.Options.MinNodes, Wanted: a.Fleet.Load * headroomFactor}
	for _, n := range a.Fleet.Nodes {
		if !n.able() {
			continue
		}
		if broken && a.outdated(&n) {
			g.Stale++
			continue
		}
		g.Able++
		if n.Headroom < 0 || g.Headroom < 0 {
			g.Headroom = -1
			continue
		}
		g.Headroom += n.Headroom
	}
	room := g.Headroom >= g.Wanted || broken && g.Headroom < 0
	g.Allowed = g.Able >= g.Need && room
	return &g
}

// outdated says whether n told or answered last before this node began to fail. That counts as long as it is announced.
func (a *assessment) outdated(n *Node) bool {
	since := a.next.FailSince
	return a.State.Level < Withdrawn && !since.IsZero() && max(n.Age, n.Verified) > a.Now.Sub(since)
}

// fresh says whether what n told counts.
func (n *Node) fresh() bool { return within(n.Age, freshFor) }

// able says whether n could take over: it tells, it answers on the data plane, and it attracts traffic.
func (n *Node) able() bool {
	return n.fresh() && within(n.Verified, freshFor) && n.Level <= LightlyDepref && !n.Failing
}

// Fresh says whether what is of that age counts; negative: it never was.
func Fresh(age time.Duration) bool { return within(age, freshFor) }

func within(age, limit time.Duration) bool { return age >= 0 && age <= limit }

// vetoed says whether a failing path to origin is the origin's own fault: at least half of the metros find it critical,
// and not this one alone. Then leaving would help nobody. Where all nodes stand in one metro, the nodes count.
//
// This node counts among those that fail as soon as its path warns: else what is worse here could be taken for better.
func (a *assessment) vetoed(origin string) bool {
	failing, places := 0, a.reach(origin)
	for _, reached := range places {
		if !reached {
			failing++
		}
	}
	return failing > 0 && 2*(failing+1) >= len(places)+1
}

// reach says for each place that fills from origin whether somebody there reaches it.
func (a *assessment) reach(origin string) map[string]bool {
	places := map[string]bool{}
	if a.Fleet == nil {
		return places
	}
	apart := slices.ContainsFunc(a.Fleet.Nodes, func(n Node) bool { return n.Metro != a.Fleet.Metro })
	for i := range a.Fleet.Nodes {
		n := &a.Fleet.Nodes[i]
		age, fills := n.Origins[origin]
		if !n.fresh() || !fills || apart && n.Metro == a.Fleet.Metro {
			continue
		}
		place := "node " + n.Name
		if apart && n.Metro != "" {
			place = "metro " + n.Metro
		}
		places[place] = places[place] || !within(age, vetoWithin)
	}
	return places
}

// forgive takes out of signals those of origins that fail for everyone, and notes them.
func (a *assessment) forgive(signals []health.Signal) []health.Signal {
	if a.Fleet == nil {
		return signals
	}
	verdicts := map[string]bool{}
	return slices.DeleteFunc(signals, func(s health.Signal) bool {
		vetoed, known := verdicts[s.Subject]
		if !known {
			vetoed = a.vetoed(s.Subject)
			verdicts[s.Subject] = vetoed
		}
		if vetoed {
			a.shared = append(a.shared, s)
		}
		return vetoed
	})
}

// broken is the verdict on a local cause: out at once, unless that would close the last good door.
func (a *assessment) broken() verdict {
	out := verdict{level: Withdrawn, reason: SelfCheckFailed, because: a.local, next: []Next{a.proof()}}
	if a.Fleet == nil {
		return out
	}
	out.guard = a.guard(true)
	switch {
	case !out.guard.Allowed && a.Options.OnLast == OnLastKeep:
		return verdict{level: Depreferred, reason: Guarded, because: a.local, guard: out.guard, next: []Next{
			{Level: Withdrawn, Condition: "once the other nodes can take over"},
			{Level: LightlyDepref, Condition: a.proof().Condition},
		}}
	case a.next.LastDoor && a.State.Level < Withdrawn:
		return verdict{level: Depreferred, reason: Damped, because: a.local, guard: out.guard}
	}
	return out
}

// lastDoor says whether the VIP must open though the damper would wait, since nobody else could serve.
func (a *assessment) lastDoor() bool { return a.Fleet != nil && !a.guard(true).Allowed }
