package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/admin"
	"github.com/anyedge/anyedge/routing/steer"
)

// What the parts of a node are built from differs where there is a process before: that is here.

// upgradeSignal asks for an upgrade.
const upgradeSignal = syscall.SIGUSR2

// tokenKeyLen is the length of the key of QUIC's tokens, in octets.
const tokenKeyLen = 32

// shareKeys makes the keys that the processes of this node share, or takes those of the process before.
func (n *node) shareKeys() {
	if n.former != nil {
		n.tokens = n.former.offer.Tokens
		if n.former.offer.Local != nil {
			n.localKeys = *n.former.offer.Local
		}
		return
	}
	n.tokens = make([]byte, tokenKeyLen)
	_, _ = rand.Read(n.tokens) // never fails
	n.localKeys = steer.LocalKeys()
}

// openSteering opens what tells QUIC connections apart: those of other nodes where the configuration asks for that, and
// those of this node's processes.
func (n *node) openSteering(cfg *configs.Config) (err error) {
	if cfg.Fleet.Steering == nil {
		if steer.Supported {
			n.quic, err = steer.Local(generationOf(n.former), n.localKeys, n.journal, n.log)
		}
		return err
	}
	o, keys := *cfg.Fleet.Steering, steerKeys(n.secret.Load())
	socket, err := n.former.takeUDP(socketTunnel + fmt.Sprintf("%s:%d", o.Address.Unmap(), o.Port))
	switch {
	case err != nil:
		return err
	case socket != nil:
		n.steering, err = steer.OpenOn(socket, o, generationOf(n.former), keys, n.journal, n.log)
	default:
		n.steering, err = steer.Open(o, generationOf(n.former), keys, n.journal, n.log)
	}
	if err != nil {
		n.steering = nil
		return err
	}
	n.quic = n.steering
	if n.former != nil {
		err = n.steering.Renumber(n.former.offer.ID)
	}
	return err
}

// openAdmin opens the admin API, on the socket of the process before where that listens at the same address.
func (n *node) openAdmin(cfg *configs.Config) (*admin.Server, error) {
	socket, err := n.former.takeListener(socketAdmin + cfg.Admin.Listen)
	if err != nil {
		return nil, err
	}
	return admin.NewOn(socket, cfg.Admin, n, n.journal, n.registry, n.log)
}

// leadAfter begins with what goes on between two processes once this one decides.
func (n *node) leadAfter() {
	f := n.former
	f.leading.Store(true)
	_ = f.send(&message{Step: stepLeads}) // or it is gone, which shows
	n.start("the former process", n.followFormer)
	if f.move {
		n.startRule("BGP sessions", func(ctx context.Context) error { return n.speakers.MoveSessions(ctx, moveLimit) })
	}
	text := fmt.Sprintf("upgrade: took over from process %d, anyedge %s", f.offer.PID, f.offer.Binary)
	n.log.Info(text, "sessions", n.speakers.Lent())
	n.journal.Add(health.EventNode, n.config().Node.Name, text)
}

// registerUpgrade registers what tells of the process before.
func (n *node) registerUpgrade() {
	n.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "anyedge_former_connections", Help: "Connections that the process before this one still has after an upgrade.",
		}, func() float64 {
			if n.former == nil {
				return 0
			}
			return float64(n.former.connections())
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "anyedge_former_sessions", Help: "BGP sessions that processes before this one hold for it after an upgrade.",
		}, func() float64 { return float64(len(n.speakers.Lent())) }),
	)
}
