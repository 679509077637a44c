package routing

import (
	"net/netip"
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
	// StateFile is where the penalties, the starts and the operators' forces outlive a restart; empty: they don't.
	// Its directory must exist.
	StateFile string `yaml:"state_file" json:"-"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{
		PathFall: 3 * time.Second, PathWarn: 10 * time.Second, Rise: 30 * time.Second, WarmUp: 10 * time.Second, DrainLead: 10 * time.Second,
	}
}

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	for key, d := range map[string]time.Duration{
		"path_fall": o.PathFall, "path_warn": o.PathWarn, "rise": o.Rise, "warm_up": o.WarmUp, "drain_lead": o.DrainLead,
	} {
		if d < 0 || d > time.Hour {
			report(key, "must lie between 0s and 1h")
		}
	}
}

// VIP is what the control path knows of a service address set.
type VIP struct {
	Name     string
	Prefixes []netip.Prefix // what BGP announces
	Origins  []string       // the origins that its sites fill from; their path signals count for it
	// SelfChecks says that something asks through this VIP whether it is served, by the node itself or by a service
	// beside it, so that must be proven before anything is announced.
	SelfChecks bool
}
