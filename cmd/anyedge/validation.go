package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/routing/rpki"
)

// finding is what route origin validation says of a prefix that is to be announced.
type finding struct {
	key    string
	prefix netip.Prefix
	origin uint32
	state  rpki.State
	by     rpki.VRPs // that cover it
}

func (f finding) String() string {
	switch f.state {
	case rpki.Invalid:
		return fmt.Sprintf("%s by AS%d is invalid by RPKI, so much of the net would drop it: signed is %v", f.prefix, f.origin, f.by)
	case rpki.NotFound:
		return fmt.Sprintf("%s: nobody has signed a ROA for it: whoever announces it is believed", f.prefix)
	}
	return fmt.Sprintf("%s by AS%d is valid by RPKI", f.prefix, f.origin)
}

// validateOrigins holds what is to be announced against the VRPs; nothing where there is no file of them.
func validateOrigins(cfg *configs.Config) ([]finding, error) {
	o := cfg.BGP.RPKI
	if o.VRPsFile == "" {
		return nil, nil
	}
	file, err := os.Open(o.VRPsFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	vrps, err := rpki.Read(file, prefixes(cfg))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.VRPsFile, err)
	}
	var list []finding
	for _, vip := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		for i, p := range cfg.VIPs[vip].Announce {
			f := finding{key: fmt.Sprintf("vips.%s.announce[%d]", vip, i), prefix: p, origin: cmp.Or(o.OriginASN, cfg.BGP.ASN)}
			f.state, f.by = vrps.Validate(p, f.origin)
			list = append(list, f)
		}
	}
	return list, nil
}

// warnings are what is no mistake, and may be none.
func warnings(cfg *configs.Config, read readings) []string {
	list := append(cfg.Warnings(), fileWarnings(cfg, read, time.Now())...)
	findings, _ := validateOrigins(cfg) // checkFiles has reported the error
	for _, f := range findings {
		if f.state == rpki.NotFound {
			list = append(list, f.key+": "+f.String())
		}
	}
	return list
}
