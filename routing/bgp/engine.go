package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// engine is a running GoBGP server: started whole, and safe for concurrent use until stopped.
type engine struct {
	server   *server.BgpServer
	asn      uint32
	routerID netip.Addr
	serving  sync.WaitGroup
	endWatch context.CancelFunc
}

// startEngine starts GoBGP with the policies of in and without peers, so that nothing can pass before they hold.
func startEngine(o *Options, in policyInput, ss *sessions, log *slog.Logger) (*engine, error) {
	chatter := slog.New(&chatter{next: log.Handler(), hear: ss.hear})
	e := &engine{server: server.NewBgpServer(server.LoggerOption(chatter, new(slog.LevelVar))), asn: o.ASN, routerID: o.RouterID}
	watching, endWatch := context.WithCancel(context.Background())
	e.endWatch = endWatch
	e.serving.Go(e.server.Serve) // until stop
	if err := e.setUp(watching, in, ss); err != nil {
		e.stop()
		return nil, fmt.Errorf("start the BGP speaker: %w", err)
	}
	return e, nil
}

func (e *engine) setUp(watching context.Context, in policyInput, ss *sessions) error {
	ctx := context.Background() // GoBGP's calls are local and don't wait
	global := &api.Global{Asn: e.asn, RouterId: e.routerID.String(), ListenPort: -1}
	if err := e.server.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return err
	}
	if err := e.setPolicies(in); err != nil {
		return err
	}
	for _, a := range assignments() {
		if err := e.server.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: a}); err != nil {
			return err
		}
	}
	// Its goroutine ends with watching; stop's last act wakes it in any case.
	return e.server.WatchEvent(watching, server.WatchEventMessageCallbacks{OnPeerUpdate: ss.event}, server.WatchPeer())
}

// stop ends everything at once. Sessions that are up get Cease/Peer De-configured.
func (e *engine) stop() {
	e.endWatch()
	e.server.Stop() // unlike StopBgp it ends the BFD goroutine that every server has
	e.serving.Wait()
}

// setPolicies replaces all policies in one step; the assignments stay.
func (e *engine) setPolicies(in policyInput) error {
	return e.server.SetPolicies(context.Background(), policies(in))
}

func (e *engine) addPeer(n *neighbor) error {
	if err := e.server.AddPeer(context.Background(), &api.AddPeerRequest{Peer: n.api()}); err != nil {
		return fmt.Errorf("add peer %s: %w", n.Name, err)
	}
	return nil
}

// resend announces all to a peer by the policies as they are now, in the session that there is.
func (e *engine) resend(n *neighbor) error {
	req := &api.ResetPeerRequest{Address: n.Address.String(), Soft: true, Direction: api.ResetPeerRequest_DIRECTION_OUT}
	if err := e.server.ResetPeer(context.Background(), req); err != nil {
		return fmt.Errorf("announce anew to %s: %w", n.Name, err)
	}
	return nil
}

// deletePeer ends the session with Cease/Peer De-configured.
func (e *engine) deletePeer(n *neighbor) error {
	if err := e.server.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: n.Address.String()}); err != nil {
		return fmt.Errorf("remove peer %s: %w", n.Name, err)
	}
	return nil
}

// shutPeer ends the session with Cease/Administrative Shutdown and a message, and keeps it down until openPeer. GoBGP's
// ResetPeer would hit the next session where this one has just ended by itself.
func (e *engine) shutPeer(a netip.Addr, message string) error {
	req := &api.DisablePeerRequest{Address: a.String(), Communication: truncate(message, maxCommunication)}
	if err := e.server.DisablePeer(context.Background(), req); err != nil {
		return fmt.Errorf("end the session with %s: %w", a, err)
	}
	return nil
}

// openPeer lets a session come up again.
func (e *engine) openPeer(a netip.Addr) error {
	if err := e.server.EnablePeer(context.Background(), &api.EnablePeerRequest{Address: a.String()}); err != nil {
		return fmt.Errorf("let the session with %s come up: %w", a, err)
	}
	return nil
}

// shutDown ends all sessions with Cease/Administrative Shutdown and a message (RFC 9003).
func (e *engine) shutDown(message string) error {
	return e.server.DisablePeer(context.Background(), &api.DisablePeerRequest{Communication: message})
}

// apply gives the server new paths and takes old ones away, each kind in one batch.
func (e *engine) apply(added, removed []*apiutil.Path) error {
	if len(added) > 0 {
		if _, err := e.server.AddPath(apiutil.AddPathRequest{Paths: added}); err != nil {
			return fmt.Errorf("announce: %w", err)
		}
	}
	if len(removed) > 0 {
		if err := e.server.DeletePath(apiutil.DeletePathRequest{Paths: removed}); err != nil {
			return fmt.Errorf("withdraw: %w", err)
		}
	}
	return nil
}
