// Package admin is the door for the operator: one HTTP API on loopback or a unix socket.
//
//	anyedge status, explain, … ─► guard (token, Host) ─► /v1/… ─► Backend (cmd/anyedge)
//	Prometheus                 ─► /metrics            ─► the registry
//	a load balancer, systemd   ─► /healthz, /readyz
//
// It knows nothing of routing: what it shows comes from a [Backend] that cmd/anyedge wires, so the data path and
// the control path stay apart. It may import cache (for purges) and health (for events).
package admin
