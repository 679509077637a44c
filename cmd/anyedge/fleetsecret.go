package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/tls/secret"
)

// readSecret takes the keys that the fleet shares from the secret file, and hands them to those who may change theirs
// while they run. Without a file there are none; with an error the former go on.
func (n *node) readSecret(cfg *configs.Config) error {
	if cfg.Fleet.SecretFile == "" {
		return nil
	}
	s, err := secret.Load(cfg.Fleet.SecretFile)
	if err != nil {
		return err
	}
	old := n.secret.Swap(s)
	if old != nil && slices.Equal(old.Describe(), s.Describe()) {
		return nil
	}
	n.certs.ShareTickets(s.TicketKeys)
	if n.steering != nil {
		if err := n.steering.Rekey(steerKeys(s)); err != nil {
			return err
		}
	}
	n.log.Info("fleet secret read", "file", cfg.Fleet.SecretFile, "secrets", listed(s))
	n.journal.Add(health.EventNode, cfg.Node.Name, "fleet secret read: "+listed(s))
	return nil
}

// tokenKey is the key of QUIC's tokens for a socket that opens now.
func (n *node) tokenKey() []byte {
	if s := n.secret.Load(); s != nil {
		return s.TokenKey()
	}
	return n.tokens
}

// secretStatus says which secrets the node has, so that an operator who rotates sees that all nodes have the same.
func (n *node) secretStatus() []secret.Description {
	if s := n.secret.Load(); s != nil {
		return s.Describe()
	}
	return nil
}

func listed(s *secret.Set) string {
	var list []string
	for _, d := range s.Describe() {
		list = append(list, fmt.Sprintf("%s %d (%s)", d.Role, d.Number, d.Fingerprint))
	}
	return strings.Join(list, ", ")
}
