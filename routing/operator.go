package routing

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// operator is what operators have asked for.
type operator struct {
	all   *Drain            // of every VIP, those of later reloads included
	byVIP map[string]*Drain // of one; it outranks all
	leave *Drain            // of every VIP, since the process is about to stop; the next one doesn't inherit it
	force map[string]*Force // by VIP
	holes map[string]*Blackhole
	stop  string // why the node is stopping; empty unless it is
}

// drain asks for vip, or for all if it is empty. Asked again, the first time counts, the last reason given, and the last
// end, even if that is none.
func (o *operator) drain(vip string, asked Drain) {
	was := o.all
	if vip != "" {
		was = o.of(vip)
	}
	if was != nil {
		asked.Since = was.Since
		asked.Reason = cmp.Or(asked.Reason, was.Reason)
	}
	if vip == "" {
		o.all = &asked
		return
	}
	o.byVIP[vip] = &asked
}

// undrain takes back what was asked for vip, or everything if it is empty. Of a drain of all, the other vips' part stays.
func (o *operator) undrain(vip string, vips []string) {
	if vip == "" {
		o.all = nil
		clear(o.byVIP)
		return
	}
	if o.all != nil {
		for _, other := range vips {
			o.byVIP[other] = o.of(other)
		}
		o.all = nil
	}
	delete(o.byVIP, vip)
}

// of is the drain that holds for vip, or nil.
func (o *operator) of(vip string) *Drain {
	switch {
	case o.byVIP[vip] != nil:
		return o.byVIP[vip]
	case o.all != nil:
		return o.all
	}
	return o.leave
}

// drains are those that outlive the process, by VIP; that of all has no name.
func (o *operator) drains() map[string]*Drain {
	list := maps.Clone(o.byVIP)
	if o.all != nil {
		list[""] = o.all
	}
	return list
}

// resume takes up what an earlier process was asked for, as far as it still holds and there still are such VIPs.
func (o *operator) resume(drains map[string]*Drain, vips []string, now time.Time) {
	for vip, d := range drains {
		switch {
		case !d.holds(now):
		case vip == "":
			o.all = d
		case slices.Contains(vips, vip):
			o.byVIP[vip] = d
		}
	}
}

// longestForce bounds how long a force, a blackhole, or a drain that ends can be forgotten.
const longestForce = 7 * 24 * time.Hour

// newBlackhole checks what an operator asks for.
func newBlackhole(d time.Duration, reason string, now time.Time) (*Blackhole, error) {
	if err := checkForced("blackhole", d, reason); err != nil {
		return nil, err
	}
	return &Blackhole{Since: now, Until: now.Add(d), Reason: reason}, nil
}

// newDrain checks what an operator asks for; a d of 0 is without end.
func newDrain(d time.Duration, reason string, now time.Time) (Drain, error) {
	switch {
	case d == 0:
		return Drain{Since: now, Reason: reason}, nil
	case d < 0 || d > longestForce:
		return Drain{}, fmt.Errorf("drain for %s: give a time up to %s, or none to drain until undrain", setting(d), setting(longestForce))
	}
	return Drain{Since: now, Until: now.Add(d), Reason: reason}, nil
}

// checkForced reports what is wrong with the end of what an operator asks for, or with the reason.
func checkForced(what string, d time.Duration, reason string) error {
	switch {
	case d <= 0 || d > longestForce:
		return fmt.Errorf("%s for %s: it must end, within %s", what, setting(d), setting(longestForce))
	case strings.TrimSpace(reason) == "":
		return fmt.Errorf("%s without a reason: who reads explain next should know why", what)
	}
	return nil
}

// newForce checks what an operator asks for.
func newForce(level Level, d time.Duration, reason string, now time.Time) (*Force, error) {
	switch {
	case level > Withdrawn:
		return nil, fmt.Errorf("force to level %d: the ladder has 0 to 4", level)
	case level == PartlyWithdrawn:
		return nil, errors.New("force to level 3: a force is for all peers alike; 2 leaves it as a last resort, 4 withdraws it")
	}
	if err := checkForced("force", d, reason); err != nil {
		return nil, err
	}
	return &Force{Level: level, Since: now, Until: now.Add(d), Reason: reason}, nil
}

// unforce takes back what vip, or every VIP if it is empty, is forced to.
func (o *operator) unforce(vip string) {
	if vip == "" {
		clear(o.force)
		return
	}
	delete(o.force, vip)
}

// unblackhole takes back that vip's addresses are dropped, or every VIP's if it is empty.
func (o *operator) unblackhole(vip string) {
	if vip == "" {
		clear(o.holes)
		return
	}
	delete(o.holes, vip)
}

// expire drops what has ended by now and tells of each whose it was.
func (o *operator) expire(now time.Time, tell func(vip, what string)) {
	if o.all != nil && !o.all.holds(now) {
		o.all = nil
		tell("", "drain of all")
	}
	for vip, d := range o.byVIP {
		if !d.holds(now) {
			delete(o.byVIP, vip)
			tell(vip, "drain")
		}
	}
	for vip, f := range o.force {
		if !f.holds(now) {
			delete(o.force, vip)
			tell(vip, "force")
		}
	}
	for vip, h := range o.holes {
		if !now.Before(h.Until) {
			delete(o.holes, vip)
			tell(vip, "blackhole")
		}
	}
}

// known returns nil if vip is one of vips, or empty, which means all of them.
func known(vip string, vips []string) error {
	switch {
	case vip == "" || slices.Contains(vips, vip):
		return nil
	case len(vips) == 0:
		return fmt.Errorf("no VIP %q: the configuration has none", vip)
	}
	return fmt.Errorf("no VIP %q: there are %s", vip, strings.Join(slices.Sorted(slices.Values(vips)), ", "))
}
