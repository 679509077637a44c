package proxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

const webSocket = "websocket"

// cleanFields takes away what ends here, and what a client may not say, before the cache looks: what the cache keys on
// must be what the origin sees. It changes the request's field map in place; nobody else reads it any more.
func (c *Chain) cleanFields(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeFrom(r.Context())
		if r.ProtoMajor == 1 && asksForWebSocket(r) {
			ex.protocol = webSocket
		}
		if ex.protocol != "" && r.Method != http.MethodConnect && r.ContentLength != 0 {
			c.fail(w, r, refusal(http.StatusBadRequest, "upgrade_with_content")) // whose octets would follow?
			return
		}
		if expect := r.Header.Get("Expect"); expect != "" && !strings.EqualFold(expect, "100-continue") {
			c.fail(w, r, refusal(http.StatusExpectationFailed, "expect"))
			return
		}
		cleanRequest(r.Header, r.Method)
		w = continueAtRead(w, r)
		if err := findContent(r); err != nil {
			c.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// asksForWebSocket reports whether r wants to change to WebSocket (RFC 6455 §4.1). An offer of any other protocol is
// ignored, as RFC 9110 §7.8 allows; h2c above all, which would lead past this proxy.
func asksForWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) &&
		httpguts.HeaderValuesContainsToken(r.Header["Connection"], "Upgrade") && httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], webSocket)
}
