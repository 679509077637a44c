package cache

import (
	"context"

	"github.com/anyedge/anyedge/cache/lifespan"
)

// Outcome is what the cache did with one request, for the access log. Read it after the handler has returned.
type Outcome struct {
	// Hit is set when a stored response answered without the origin being asked first.
	Hit bool
	// Disk is set when the stored response came from the disk tier.
	Disk bool
	// Fwd is why the request went to the origin; empty on a hit.
	Fwd Fwd
	// FwdStatus is the status that the origin answered with, 0 for none.
	FwdStatus int
	// Stored is set when the response was stored, or a stored one updated.
	Stored bool
	// Collapsed is set when another request's fill answered this one.
	Collapsed bool
	// Stale is set when the client got a response beyond its freshness lifetime.
	Stale bool
}

// Fwd is why a request went to the origin: the values of Cache-Status' fwd parameter, RFC 9211 §2.2.
type Fwd string

// The reasons.
const (
	FwdBypass   Fwd = "bypass"    // the cache was configured to let the request pass
	FwdMethod   Fwd = "method"    // the method's semantics require it
	FwdURIMiss  Fwd = "uri-miss"  // nothing is stored for the target URI
	FwdVaryMiss Fwd = "vary-miss" // nothing that is stored for it matches the request's fields
	FwdRequest  Fwd = "request"   // what is stored is fresh, but the request asked for more
	FwdStale    Fwd = "stale"     // what is stored is stale
	FwdPartial  Fwd = "partial"   // some of the slices that the request wants are stored, or their head is
)

type outcomeKey struct{}

// noted is a context in which the outcome is noted.
type noted struct {
	context.Context
	outcome *Outcome
}

// Value returns the outcome, or what the context has.
func (n *noted) Value(key any) any {
	if key == (outcomeKey{}) {
		return n.outcome
	}
	return n.Context.Value(key)
}

// AfterFunc has f called at the context's end.
func (n *noted) AfterFunc(f func()) (stop func() bool) { return lifespan.AtEnd(n.Context, f) }

// WithOutcome returns a context in which the cache's handler notes its outcome in o.
func WithOutcome(ctx context.Context, o *Outcome) context.Context {
	return &noted{ctx, o}
}

// outcomeFrom returns the context's outcome, or one that nobody reads.
func outcomeFrom(ctx context.Context) *Outcome {
	if o, ok := ctx.Value(outcomeKey{}).(*Outcome); ok {
		return o
	}
	return new(Outcome)
}
