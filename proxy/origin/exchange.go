package origin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/origin/h1"
)

// exchange is one request at one server, from the response's header section to its end.
type exchange struct {
	pool      *Pool
	server    *server
	client    context.Context         // of whoever asked
	ctx       context.Context         // of the exchange: client, or a child of it
	cancel    context.CancelCauseFunc // of ctx; nil: it is client
	plain     h1.Request              // what is sent over a connection of package h1 or h2
	content   content                 // of the response
	connected atomic.Bool
	status    int
	began     time.Time
	firstByte time.Duration
	ended     atomic.Bool
}

// end gives the place back and reports how it went: err is why the content is not whole, or nil. Only the first call
// counts. It returns the error for whoever reads the content.
func (x *exchange) end(err error) error {
	if !x.ended.CompareAndSwap(false, true) {
		return err
	}
	cause := context.Cause(x.ctx)
	x.over(nil)
	defer x.pool.release(x.server)
	switch {
	case err != nil && clientLeft(x.client):
		x.pool.canceled(x.server)
		return cause
	case err != nil:
		return x.broken(err, cause)
	}
	x.answered()
	return nil
}

// over ends what there is of the exchange; why is nil where it ended by itself.
func (x *exchange) over(why error) {
	if x.cancel != nil {
		x.cancel(why)
	}
}

// abandon ends the exchange where nobody wants the rest of its content. What came of it was good, but a client that
// left says nothing about the server.
func (x *exchange) abandon() {
	if !clientLeft(x.client) {
		_ = x.end(nil)
		return
	}
	if x.ended.CompareAndSwap(false, true) {
		x.over(nil)
		x.pool.canceled(x.server)
		x.pool.release(x.server)
	}
}

// broken reports a content that stopped in the middle.
func (x *exchange) broken(err, cause error) error {
	t := HTTPResponseIncomplete
	if errors.Is(cause, errIdle) || x.cancel == nil && errors.Is(err, os.ErrDeadlineExceeded) {
		t, err = HTTPResponseTimeout, errIdle
	}
	e := newError(t, x.server.url.String(), err)
	x.pool.failed(x.server, x.began, string(t), e)
	x.pool.reporter.Fill(x.pool.name, health.Fill{FirstByte: x.firstByte, Server: x.server.url.Host, Detail: e.Error()})
	return e
}

// answered reports a whole response. Each 5xx is a fill that failed. Only a 502, 503 or 504 counts against the server,
// since it says that it can't serve; a 500 or 501 is its application's own answer to one request, which another server
// would repeat.
func (x *exchange) answered() {
	fill := health.Fill{OK: x.status < 500, FirstByte: x.firstByte, Server: x.server.url.Host}
	if !fill.OK {
		fill.Detail = fmt.Sprintf("answered %d %s", x.status, http.StatusText(x.status))
	}
	result := classOf(x.status)
	if x.status >= http.StatusBadGateway && x.status <= http.StatusGatewayTimeout {
		x.pool.failed(x.server, x.began, result, errors.New(fill.Detail))
	} else {
		x.pool.succeeded(x.server, x.began, result)
	}
	x.pool.reporter.Fill(x.pool.name, fill)
}

// classes are those of a status.
var classes = [...]string{"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"}

func classOf(status int) string {
	if class := status / 100; class < len(classes) {
		return classes[class]
	}
	return fmt.Sprintf("%dxx", status/100)
}
