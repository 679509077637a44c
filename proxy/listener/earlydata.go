package listener

import (
	"crypto/tls"
	"slices"
	"strconv"

	"github.com/quic-go/quic-go"
)

// SetEarlyData says whether clients that come back may send requests with their first packet, before the handshake is
// complete (0-RTT; RFC 9001, section 4.6). Whoever records those packets can send them again, to this node or to another,
// so a handler must mind Info.Early. It counts for handshakes that begin from now on; at first it is off. Over TCP there is
// none: crypto/tls takes no early data.
func (l *Listener) SetEarlyData(allowed bool) { l.earlyData.Store(allowed) }

// choosesEarlyData makes c allow early data for as long as the listener does.
func (l *Listener) choosesEarlyData(c *quic.Config) *quic.Config {
	without, with := c.Clone(), c.Clone()
	with.Allow0RTT = true
	c.GetConfigForClient = func(*quic.ClientInfo) (*quic.Config, error) {
		if l.earlyData.Load() {
			return with, nil
		}
		return without, nil
	}
	return c
}

// remembersSettings makes session tickets carry the limit of a header section that SETTINGS tell a client, which it obeys
// in early data of its next connection. At a node with a lower one such data is refused (RFC 9114, section 7.2.4.2); the
// session resumes all the same.
func remembersSettings(c *tls.Config, header int64) *tls.Config {
	c = c.Clone()
	wrap, unwrap := c.WrapSession, c.UnwrapSession
	if wrap == nil || unwrap == nil {
		wrap, unwrap = c.EncryptTicket, c.DecryptTicket
	}
	c.WrapSession = func(state tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
		s.Extra = append(s.Extra, strconv.AppendInt([]byte(settingsMark), header, 10))
		return wrap(state, s)
	}
	c.UnwrapSession = func(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		s, err := unwrap(ticket, state)
		if err == nil && s != nil {
			s.EarlyData = s.EarlyData && slices.ContainsFunc(s.Extra, func(extra []byte) bool { return fits(extra, header) })
		}
		return s, err
	}
	if choose := c.GetConfigForClient; choose != nil {
		c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(h)
			if chosen == nil || err != nil {
				return chosen, err
			}
			return remembersSettings(chosen, header), nil
		}
	}
	return c
}

const settingsMark = "anyedge h3 header "

// fits says whether what a ticket carries is a limit that header keeps.
func fits(extra []byte, header int64) bool {
	if len(extra) < len(settingsMark) || string(extra[:len(settingsMark)]) != settingsMark {
		return false
	}
	told, err := strconv.ParseInt(string(extra[len(settingsMark):]), 10, 64)
	return err == nil && told <= header
}
