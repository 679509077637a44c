// Package acme obtains certificates by ACME (RFC 8555) and keeps them good.
//
//	names ─► Manager.Configure ─► what is stored ─► Publish ─► edgetls.Store        before a listener opens   stored.go
//	Manager.Run ─► step: each name, each interval                                                             step.go
//	                 └► certmagic: load, OCSP, ARI, due? ─► issuer, one authority after the other             issuer.go
//	                                                          └► order ─► solver ─► Challenges.Put            solver.go
//	CA ─► plain port, /.well-known/acme-challenge/ ─► Handler ──────┐
//	CA ─► TLS port, ALPN acme-tls/1 ─► edgetls.Store ───────────────┴► Challenges: answered while under way   challenges.go
//
// Further names come with clients' handshakes, where the configuration lets them:
//
//	edgetls.Store: no certificate covers it ─► Demand: does a site serve it? is there room? ─► ask ─► a name more  ondemand.go
//
// Names in zones that are configured, wildcards among them, are shown by records in DNS instead: package dns01.
//
// Behind an anycast address the authority's packets land anywhere, and from several places at once. Where nodes join each
// other, a Team is the Challenges:
//
//	Put ─► every node that is there ─► answers, and says so ─► the authority is asked to validate           team.go
//	step ─► Team: who obtains? ─┬─ this node: the first by name that hasn't tried in vain ─► certmagic      share.go
//	                            └─ another one ─► its certificate and key, sealed ─► stored here, published  seal.go
//
// One node obtains a name's certificate; when it is gone, the next one does. A node that doesn't say that it answers keeps
// an order waiting, and not failing. What nodes say is sealed under a key of the fleet secret, each message for one node.
//
// With Redis, the nodes share a depot besides. It has copies alone, so that it may be away, slow or wiped:
//
//	step ─► depot: lock ─► the later of what is here and there, to both ─► certmagic ─► to the depot         depot.go, shared.go
//	sealed: a storage whose values are encrypted under a key of the fleet secret, here and there              sealed.go
//
// Nothing waits for an authority but the step of the one name: a node starts with what is stored, and serves on with
// what it has while authorities are down, slow or refusing. What they say is in Status, in their own words.
//
// It is the home of certmagic, which has renewal, ARI (RFC 9773), OCSP, locks and storage; orders go through acmez, on
// which certmagic stands, since certmagic's own issuer answers challenges with listeners of its own. It may import tls
// and health.
package acme
