// Package admission bounds what clients may ask of the node, ahead of the cache.
//
//	request ─► rate (429) ─► declared content (413) ─► requests in flight (503) ─► next
//	             └─ per client                            └─ of the whole node
//	next reads the content  ─► content guard: size (413), idle (408)
//	next writes the response ─► send guard: a client that takes nothing is cut off
//
// Every refusal is counted with its [Reason]. The limits on header sections and connections are the servers' to
// hold; the listener sets them from the same [Options], with [Shares] for what one client may have of connections.
//
// It imports nothing of anyedge: how a refusal looks is the caller's business.
package admission
