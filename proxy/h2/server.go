package h2

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

// Server is what the connections of one socket have in common. Its fields are set before the first connection and not
// changed afterwards; all but Hits must be.
type Server struct {
	Handler http.Handler
	Hits    *hitpath.Server // answers what it can before Handler; nil: nothing
	Context context.Context // has values for requests
	Log     *slog.Logger

	// Header is a header section at most, in octets as RFC 9113, section 6.5.2, counts them, and as it comes. What is above
	// gets 431, or ends the connection.
	Header      int64
	Streams     int           // that a client may have open at a time
	IdleTimeout time.Duration // without a request
	SendIdle    time.Duration // a client that takes nothing for that long is cut off
	// RestAfter is after how long without a word Serve returns for a rest, so that the stack on which it answered isn't kept;
	// the next is to be called in another goroutine. 0: never.
	RestAfter time.Duration

	inputs  sync.Pool // of *input
	outputs sync.Pool // of *output
}

// NewConn returns a connection whose handshake is done, and whose protocol is H2. Below TLS it is w. Serve must follow.
func (s *Server) NewConn(t *tls.Conn, w hitpath.Wire) *Conn {
	state := t.ConnectionState()
	c := &Conn{
		server: s, tls: t, wire: w, security: hitpath.SecurityOf(&state), client: hitpath.AddressOf(t.RemoteAddr()),
		open: map[uint32]*stream{}, touched: time.Now(),
		initial: frame.InitialWindow, window: frame.InitialWindow, receive: uploadWindow,
	}
	_ = t.SetReadDeadline(c.touched.Add(s.firstWait()))
	c.changed.L = &c.mu
	c.table = hpack.NewDecoder(frame.TableSize, c.addField)
	c.table.SetMaxStringLength(int(s.Header))
	o := c.output()
	o.octets = s.appendGreeting(o.octets)
	return c
}

// firstWait is how long is waited for a word before expired looks at the connection.
func (s *Server) firstWait() time.Duration {
	if s.RestAfter > 0 {
		return min(s.RestAfter, s.IdleTimeout)
	}
	return s.IdleTimeout
}

// appendGreeting appends what a connection begins with: this side's SETTINGS, and the window for uploads.
func (s *Server) appendGreeting(dst []byte) []byte {
	settings := make([]byte, 0, 5*frame.SettingSize)
	settings = frame.AppendSetting(settings, frame.SettingMaxFrameSize, frame.MaxPayload)
	settings = frame.AppendSetting(settings, frame.SettingMaxStreams, uint32(s.Streams))
	settings = frame.AppendSetting(settings, frame.SettingMaxHeaderList, uint32(s.Header))
	settings = frame.AppendSetting(settings, frame.SettingInitialWindowSize, uploadWindow)
	settings = frame.AppendSetting(settings, frame.SettingExtendedConnect, 1)
	dst = frame.Append(dst, frame.Head{Length: len(settings), Kind: frame.Settings})
	dst = append(dst, settings...)
	return frame.AppendUpdate(dst, 0, uploadWindow-frame.InitialWindow)
}
