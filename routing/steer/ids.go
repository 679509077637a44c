package steer

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/anyedge/anyedge/routing/quiclb"
)

// ids reads connection IDs of every configuration in force and makes those of one. It never changes.
type ids struct {
	configs    *quiclb.Configs
	checks     [quiclb.MaxConfigID + 1]uint16 // by configuration
	generators [MaxWorkers]*quiclb.Generator
}

// newIDs returns what reads and makes the connection IDs of k; those that it makes are self's, whose worker counts for
// nothing: each has a generator of its own.
func newIDs(k Keys, self ServerID) (*ids, error) {
	made := &ids{}
	var codecs []*quiclb.Codec
	for _, id := range slices.Sorted(maps.Keys(k.CID)) {
		if len(k.CID[id]) != quiclb.KeyLen {
			return nil, fmt.Errorf("connection ID key %d of %d octets: must have %d", id, len(k.CID[id]), quiclb.KeyLen)
		}
		c, err := quiclb.New(quiclb.Config{ID: id, ServerIDLen: serverIDLen, NonceLen: nonceLen, Key: k.CID[id]})
		if err != nil {
			return nil, err
		}
		codecs = append(codecs, c)
		made.checks[id] = binary.BigEndian.Uint16(derive(k.CID[id], "check", 2))
	}
	var err error
	if made.configs, err = quiclb.NewConfigs(codecs...); err != nil {
		return nil, err
	}
	codec := made.configs.Codec(k.CIDConfig)
	if codec == nil {
		return nil, fmt.Errorf("connection IDs of configuration %d: there is no key for it", k.CIDConfig)
	}
	for w := range made.generators {
		self.Worker = uint8(w)
		if made.generators[w], err = quiclb.NewGenerator(codec, self.append(nil, made.checks[k.CIDConfig])); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// owner returns whose a connection ID is, and whether it is one of the fleet's at all. One that a client chose passes for
// the fleet's once in 2^16 times, if it has the right length and a configuration in force. block is room for an AES block.
func (s *ids) owner(block, cid []byte) (ServerID, bool) {
	b := s.configs.ServerID(block, cid)
	if b == nil {
		return ServerID{}, false
	}
	id, check := parseServerID(b)
	return id, check == s.checks[cid[0]>>5]
}
