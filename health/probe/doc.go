// Package probe asks this node itself, through its VIPs, whether it serves, and the services beside it.
//
//	Runner ─► one round per VIP and interval ─► Self.Check, CheckPlain ─► self_check ─┐
//	                                        ├─► Self.CheckQUIC ─► self_quic ──────────┼─► report: health.Tracker
//	                                        └─► Service.Check ─► service_probe ───────┘
//
// A check is a request as a client would send it, on a connection of its own, with the field Anyedge-Self: a token that
// only this process knows. The answer is 204 with the node's name. So a check that succeeds proves that packets to the
// VIP come to this host, that this process accepts them, shakes hands with a certificate that is valid, and answers; and
// not another node of the same anycast address, nor another process on the port.
//
// A Service is another program of this host, a name server for example, that is announced with a VIP: it is asked as its
// clients would, over DNS, TCP, TLS or HTTP, or by a program.
//
// It imports health, the client side of quic-go, and miekg/dns.
package probe
