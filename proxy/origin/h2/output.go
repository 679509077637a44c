package h2

import (
	"fmt"
	"runtime"
	"time"

	"github.com/anyedge/anyedge/proxy/h2/frame"
)

const (
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113, section 3.4
	// firstWindow is how much of a content is taken before somebody has read it, in octets.
	firstWindow = 256 << 10
	// largestWindow is the same where whoever reads has waited for the server: what a distant one can have under way.
	largestWindow = 4 << 20
	// connWindow is the same of all streams, in octets. It is given anew as soon as something has come: whoever doesn't read
	// holds up nobody else.
	connWindow = 16 << 20
	// creditShare is the share of a window that is given back at a time.
	creditShare = 4
	// keptOut is how large a buffer may be that is kept, in octets.
	keptOut = 64 << 10
	// maxOut is how much may wait to be written, in octets, beyond which a server asks for more than it takes.
	maxOut = 4 << 20
	// linger is how long a server has to take GOAWAY.
	linger = time.Second
	// rearm is the share of a timeout that a deadline may lag behind, since setting one costs more than reading the clock.
	rearm = 8
)

// appendGreeting appends what a connection begins with: the preface, this side's SETTINGS, and the connection's window.
func (c *Client) appendGreeting(dst []byte) []byte {
	settings := make([]byte, 0, 3*frame.SettingSize)
	settings = frame.AppendSetting(settings, frame.SettingEnablePush, 0)
	settings = frame.AppendSetting(settings, frame.SettingInitialWindowSize, firstWindow)
	settings = frame.AppendSetting(settings, frame.SettingMaxHeaderList, uint32(c.MaxHeader))
	dst = frame.Append(append(dst, preface...), frame.Head{Length: len(settings), Kind: frame.Settings})
	return frame.AppendUpdate(append(dst, settings...), 0, connWindow-frame.InitialWindow)
}

// write writes what waits, unless somebody does. With yields others get a turn before, so that it leaves together. What has
// come meanwhile is left to a goroutine: nobody is kept by what others have to say. n.mu is held, but not meanwhile.
func (n *conn) write(yields bool) {
	if n.writing || len(n.out) == 0 {
		return
	}
	n.writing = true
	if yields {
		n.mu.Unlock()
		runtime.Gosched()
		n.mu.Lock()
	}
	n.writeOnce()
	if len(n.out) > 0 {
		n.work.Go(n.writeOn)
		return
	}
	n.rest()
}

// writeBeside has a goroutine write, for one who mustn't wait. n.mu is held.
func (n *conn) writeBeside() {
	if !n.writing && len(n.out) > 0 {
		n.writing = true
		n.work.Go(n.writeOn)
	}
}

// writeOn writes until nothing waits. It is the one who writes.
func (n *conn) writeOn() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.out) > 0 {
		n.writeOnce()
	}
	n.rest()
}

// rest ends writing. n.mu is held.
func (n *conn) rest() {
	n.writing = false
	n.rested.Broadcast()
}

// writeOnce writes what waits. n.mu is held, but not meanwhile.
func (n *conn) writeOnce() {
	out := n.out
	n.out = n.spare[:0]
	if now := time.Now(); n.err == nil && now.Sub(n.armed) >= n.client.FirstByte/rearm {
		n.armed = now
		_ = n.wire.SetWriteDeadline(now.Add(n.client.FirstByte))
	}
	n.mu.Unlock()
	_, err := n.wire.Write(out)
	n.mu.Lock()
	if n.spare = nil; cap(out) <= keptOut {
		n.spare = out
	}
	if err != nil {
		n.out = nil
		n.end(fmt.Errorf("write: %w", err))
	}
}

// ping asks whether the server is there. n.mu is held.
func (n *conn) ping(now time.Time) {
	if !n.pinged.IsZero() {
		return
	}
	n.pinged = now
	n.out = append(frame.Append(n.out, frame.Head{Length: 8, Kind: frame.Ping}), "anyedge?"...)
	n.lookAt(now.Add(min(n.client.Pong, n.client.Quiet)))
}
