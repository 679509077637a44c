package proxy

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/lifespan"
	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/tls/clientauth"
)

// exchange is what the steps learn of one request and its response. Each field is written by the step that it is
// commented with and read by later ones, all on the handler's goroutine but for the atomic ones: a fill may outlive
// the request that began it. It is the context of the request, too.
type exchange struct {
	context.Context // observe: the server's; nil outside of a chain

	info     *listener.Info // observe
	started  time.Time      // observe
	inbound  *http.Request  // observe: the server's own request, in which it sets the trailers
	request  http.Request   // observe: the chain's, with this exchange
	recorder recorder       // observe
	content  *clientContent // observe; nil: none
	protocol string         // observe: of an extended CONNECT, as in "websocket"; cleanFields: of an H1 upgrade
	id       string         // requestID

	host    string             // readTarget: without a port
	url     url.URL            // readTarget: where r.URL needn't be parsed anew
	path    string             // readTarget: of the target, for matching
	loose   string             // readTarget: the same as the loosest origin may read it
	site    *site              // chooseSite
	rule    *rule              // chooseSite
	client  *clientauth.Client // clientCertificate; nil: it has shown none
	failure *failure           // fail

	outcome  cache.Outcome          // the cache's handler
	server   atomic.Pointer[string] // Forwarder: who answered
	tunneled atomic.Int64           // octets from a client whose connection was taken over
}

type exchangeKey struct{}

// Value returns the exchange, or what the server's context has.
func (ex *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return ex
	}
	return ex.Context.Value(key)
}

// AfterFunc has f called at the end of the server's context.
func (ex *exchange) AfterFunc(f func()) (stop func() bool) { return lifespan.AtEnd(ex.Context, f) }

// exchangeFrom returns the exchange in which ctx began; an empty one outside of a chain.
func exchangeFrom(ctx context.Context) *exchange {
	if ex, ok := ctx.(*exchange); ok {
		return ex
	}
	if ex, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return ex
	}
	return &exchange{info: listener.InfoFrom(ctx)}
}

// requestID is what a client can tell the operator, to be found in the access log. It is no secret.
func (ex *exchange) requestID() string {
	if ex.id == "" {
		ex.id = newRequestID()
	}
	return ex.id
}

func newRequestID() string {
	var b [12]byte
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return hex.EncodeToString(b[:])
}

func (ex *exchange) siteName() string {
	if ex.site == nil {
		return ""
	}
	return ex.site.name
}

// scheme is the target URI's. An H2 client may write http over TLS, so the listener's word counts.
func (ex *exchange) scheme(r *http.Request) string {
	if ex.info.TLS || r.TLS != nil {
		return "https"
	}
	return "http"
}

// httpVersion is how the client speaks, for the log and the metrics.
func httpVersion(r *http.Request) listener.Protocol {
	switch r.ProtoMajor {
	case 3:
		return listener.H3
	case 2:
		return listener.H2
	}
	return listener.H1
}
