package acme

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

// refusal is why an authority gave no certificate.
type refusal struct {
	authority string
	err       error
}

// Error has the authority's own words, where it has answered.
func (r *refusal) Error() string { return r.authority + ": " + words(r.err) }

func (r *refusal) Unwrap() error { return r.err }

// words are an authority's, without what surrounds them.
func words(err error) string {
	p, ok := errors.AsType[acmeproto.Problem](err)
	if !ok {
		return err.Error()
	}
	text := strings.TrimPrefix(p.Type, problemPrefix) + ": " + p.Detail
	for _, s := range p.Subproblems {
		text += fmt.Sprintf("; %s: %s", strings.TrimPrefix(s.Type, problemPrefix), s.Detail)
	}
	return text
}

// problemPrefix is that of the errors of RFC 8555, section 6.7.
const problemPrefix = "urn:ietf:params:acme:error:"

// rateLimited tells whether an authority has asked for patience.
func rateLimited(err error) bool {
	p, ok := errors.AsType[acmeproto.Problem](err)
	return ok && p.Type == acmeproto.ProblemTypeRateLimited
}

// refusals collects what the authorities say during one step.
type refusals struct {
	mu   sync.Mutex // guards the following field
	list []error
}

type refusalsKey struct{}

func withRefusals(ctx context.Context) (context.Context, *refusals) {
	r := &refusals{}
	return context.WithValue(ctx, refusalsKey{}, r), r
}

// refusalsFrom returns those of ctx's step; where there are none, some that nobody reads.
func refusalsFrom(ctx context.Context) *refusals {
	if r, ok := ctx.Value(refusalsKey{}).(*refusals); ok {
		return r
	}
	return &refusals{}
}

func (r *refusals) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, err)
}

// or is what the authorities have said, or err where none was asked.
func (r *refusals) or(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) > 0 {
		return errors.Join(r.list...)
	}
	return err
}
