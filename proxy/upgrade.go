package proxy

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// extendedConnect returns the :protocol of an extended CONNECT (RFC 8441, RFC 9220), in lower case, or "". It is in place of
// the version.
func extendedConnect(r *http.Request) string {
	if r.Method != http.MethodConnect {
		return ""
	}
	if r.ProtoMajor > 1 && !strings.HasPrefix(r.Proto, "HTTP/") {
		return strings.ToLower(r.Proto)
	}
	return ""
}

// upgrade leads WebSocket past the cache. Towards the origin it is always an H1 upgrade; the client's end is one too,
// or a stream of H2 or H3. The client hears of the change only after the origin has agreed to it.
func (c *Chain) upgrade(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeFrom(r.Context())
		if ex.protocol == "" {
			next.ServeHTTP(w, r)
			return
		}
		c.demand(ex.rule)
		resp, err := ex.rule.forwarder.Upgrade(r)
		switch {
		case err != nil:
			c.fail(w, r, err)
		case resp.StatusCode != http.StatusSwitchingProtocols:
			relay(w, resp)
		case r.Method == http.MethodConnect:
			c.tunnelStream(w, r, resp)
		default:
			c.tunnelConn(w, r, resp)
		}
	})
}

// Upgrade asks the origin to change to WebSocket. On 101 the response's Body is an io.ReadWriteCloser; any other
// status is the origin's refusal.
func (f *Forwarder) Upgrade(r *http.Request) (*http.Response, error) {
	out := f.outgoing(r)
	out.Method, out.Body, out.ContentLength, out.Trailer = http.MethodGet, http.NoBody, 0, nil
	out.Header.Del("Te")
	out.Header.Set("Connection", "Upgrade")
	out.Header.Set("Upgrade", webSocket)
	accept := ""
	if r.Method == http.MethodConnect { // RFC 8441 §5: these fields are H1's
		key := newWebSocketKey()
		out.Header.Set(webSocketKey, key)
		accept = webSocketAnswer(key)
	}
	resp, err := f.roundTrip(r, out)
	if err != nil {
		return nil, err
	}
	if reason := upgradeProblem(r, resp, accept); reason != "" {
		return nil, f.reject(resp, &failure{kind: "http_upgrade_failed", reason: reason})
	}
	cleanResponse(resp.Header)
	return resp, nil
}

// upgradeProblem says why resp can't answer r, or "". accept is the answer to a key of ours; empty where the client
// checks it.
func upgradeProblem(r *http.Request, resp *http.Response, accept string) string {
	if resp.StatusCode != http.StatusSwitchingProtocols {
		if r.Method == http.MethodConnect && resp.StatusCode < 300 {
			return "not_upgraded" // a 2xx would tell the client that the tunnel stands
		}
		return ""
	}
	if _, ok := resp.Body.(io.ReadWriteCloser); !ok {
		return "no_connection"
	}
	if !httpguts.HeaderValuesContainsToken(resp.Header["Upgrade"], webSocket) {
		return "other_protocol"
	}
	if accept != "" && resp.Header.Get(webSocketAccept) != accept {
		return "wrong_accept"
	}
	return ""
}

// tunnelStream makes the request's stream the client's end.
func (c *Chain) tunnelStream(w http.ResponseWriter, r *http.Request, resp *http.Response) {
	defer resp.Body.Close()
	resp.Header.Del(webSocketAccept)
	for key, lines := range resp.Header {
		w.Header()[key] = lines
	}
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if control.Flush() != nil {
		panic(http.ErrAbortHandler)
	}
	client := &streamEnd{content: r.Body, w: w, control: control}
	c.join(r, client, resp)
}

// tunnelConn takes the connection over and makes it the client's end. What the client sent ahead is not lost.
func (c *Chain) tunnelConn(w http.ResponseWriter, r *http.Request, resp *http.Response) {
	defer resp.Body.Close()
	ex := exchangeFrom(r.Context())
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		c.fail(w, r, &failure{status: http.StatusInternalServerError, kind: "proxy_internal_error", reason: err.Error()})
		return
	}
	defer conn.Close()
	ex.recorder.begin(http.StatusSwitchingProtocols)
	resp.Header.Set("Connection", "Upgrade")
	resp.Header.Set("Upgrade", webSocket)
	answer := &http.Response{StatusCode: http.StatusSwitchingProtocols, ProtoMajor: 1, ProtoMinor: 1, Header: resp.Header}
	if errors.Join(answer.Write(buffered), buffered.Flush()) != nil {
		return
	}
	c.join(r, newConnEnd(conn, buffered.Reader, ex), resp)
}

// join lets client and the origin talk until both are done.
func (c *Chain) join(r *http.Request, client tunnelEnd, resp *http.Response) {
	origin := &originEnd{resp.Body.(io.ReadWriteCloser)} // Upgrade has seen to it
	err := newTunnel(client, origin, c.options.TunnelIdle).run(r.Context())
	if err == nil {
		return
	}
	exchangeFrom(r.Context()).failure = &failure{kind: "connection_terminated", reason: err.Error()}
	panic(http.ErrAbortHandler)
}
