package cache

import (
	"net/http"
	"time"
)

// pass sends the request on as it is. Nothing of it is stored, but for a response to POST that says it may be. It may change
// what is stored: an unsafe method invalidates, and the response to a HEAD freshens.
func pass(x *exchange) step {
	t := x.target()
	r := x.r.WithContext(&traced{x.r.Context(), x.awaitInterim()})
	r.Header = x.coder.originConditions(r.Header)
	requested := time.Now()
	response, err := x.next.RoundTrip(r)
	x.interim.stop()
	if err != nil {
		x.err = err
		return fail
	}
	x.status.FwdStatus = response.StatusCode
	if invalidates(x.r.Method, response.StatusCode) {
		x.c.invalidate(x.policy, x.r, response.Header)
	}
	if !isSafe(x.r.Method) {
		x.c.invalidateGroups(string(x.policy.appendRequestURI(nil, x.r)), response.Header)
		x.keepPosted(response, requested)
	}
	if stored := x.found.Response; stored != nil && x.r.Method == http.MethodHead {
		if isServerError(response.StatusCode) && x.staleUsable() {
			response.Body.Close()
			return serveOnError
		}
		r := newReceived(x.options.Targeted, response.StatusCode, header(response.Header), requested, time.Now())
		x.c.refreshByHead(&t, stored, r, response.Header)
	}
	x.forward(response)
	return nil
}
