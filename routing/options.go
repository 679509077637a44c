package routing

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Options sets how fast decisions follow the signals. It is the `routing` key of the configuration.
type Options struct {
	// PathFall is how long a path or load signal must be critical before the VIP is depreferred.
	// Local causes don't wait.
	PathFall time.Duration `yaml:"path_fall" json:"path_fall"`
	// PathWarn is how long a path or load signal must warn before the VIP is lightly depreferred.
	PathWarn time.Duration `yaml:"path_warn" json:"path_warn"`
	// Rise is how long all must be well before each step up.
	Rise time.Duration `yaml:"rise" json:"rise"`
	// WarmUp is how long each of the first steps up takes, after the node has proven that it serves, so that a cold cache
	// fills before it attracts all its traffic.
	WarmUp time.Duration `yaml:"warm_up" json:"warm_up"`
	// DrainLead is how long a drained VIP stays depreferred before it is withdrawn.
	DrainLead time.Duration `yaml:"drain_lead" json:"drain_lead"`
	// LoadFall is how long a load signal must be bad before each step down, LoadRise how long what has moved away would
	// have to fit again before each step back.
	LoadFall time.Duration `yaml:"load_fall" json:"load_fall"`
	LoadRise time.Duration `yaml:"load_rise" json:"load_rise"`
	// Shed are the classes of peers that may lose the routes while the node is overloaded, the first to go first.
	Shed []string `yaml:"shed" json:"shed,omitempty"`
	// RefuseFills has the node refuse what only the origin could answer while load is critical and another node has room,
	// so that those who ask for what is stored are served.
	RefuseFills bool `yaml:"refuse_fills" json:"refuse_fills,omitempty"`
	// MinNodes is how many other nodes must be able to take over before this one withdraws. It counts where fleet.nodes
	// says who they are.
	MinNodes int `yaml:"min_nodes" json:"min_nodes"`
	// OnLast says what the last good door does that no longer serves itself: keep announces it depreferred, withdraw
	// closes it.
	OnLast string `yaml:"on_last" json:"on_last"`
	// StateFile is where the penalties, the starts and the operators' forces outlive a restart; empty: they don't.
	// Its directory must exist.
	StateFile string `yaml:"state_file" json:"-"`
}

// The values of Options.OnLast.
const (
	OnLastKeep     = "keep"
	OnLastWithdraw = "withdraw"
)

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{
		PathFall: 3 * time.Second, PathWarn: 10 * time.Second, Rise: 30 * time.Second, WarmUp: 10 * time.Second, DrainLead: 10 * time.Second,
		LoadFall: 30 * time.Second, LoadRise: 5 * time.Minute, MinNodes: 1, OnLast: OnLastKeep,
	}
}

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	for key, d := range map[string]time.Duration{
		"path_fall": o.PathFall, "path_warn": o.PathWarn, "rise": o.Rise, "warm_up": o.WarmUp, "drain_lead": o.DrainLead,
		"load_fall": o.LoadFall, "load_rise": o.LoadRise,
	} {
		if d < 0 || d > time.Hour {
			report(key, "must lie between 0s and 1h")
		}
	}
	if o.MinNodes < 1 {
		report("min_nodes", "must be at least 1: with no other node, leaving would serve nobody")
	}
	if o.OnLast != OnLastKeep && o.OnLast != OnLastWithdraw {
		report("on_last", fmt.Sprintf("%q is neither keep nor withdraw", o.OnLast))
	}
	for i, class := range o.Shed {
		if slices.Contains(o.Shed[:i], class) {
			report(fmt.Sprintf("shed[%d]", i), fmt.Sprintf("%q is given twice", class))
		}
	}
}

// VIP is what the control path knows of a service address set.
type VIP struct {
	Name     string
	Prefixes []netip.Prefix // what BGP announces
	// Addresses are its own within them: what peers are asked to drop, if an operator wants that.
	Addresses []netip.Addr
	Origins   []string // the origins that its sites fill from; their path signals count for it
	// SelfChecks says that something asks through this VIP whether it is served, by the node itself or by a service
	// beside it, so that must be proven before anything is announced.
	SelfChecks bool
}
