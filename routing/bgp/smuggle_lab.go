//go:build lab

package bgp

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"github.com/anyedge/anyedge/routing"
)

// Smuggle gives GoBGP paths behind Set's back, marked like those of level 0: what a fault in this package would do at
// its worst. The export policy alone stands between them and the peers. Only the lab has it.
func (s *Speaker) Smuggle(prefixes ...netip.Prefix) error {
	e := s.engine.Load()
	if e == nil {
		return errors.New("smuggle: the speaker isn't running")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var paths []*apiutil.Path
	for _, p := range prefixes {
		path, err := newPath(p, everyPeer, s.settings.levels[routing.Announced])
		if err != nil {
			return fmt.Errorf("smuggle: %w", err)
		}
		paths = append(paths, path)
	}
	return e.apply(paths, nil)
}
