package bgptest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// writeWait bounds each write: a speaker that doesn't read must not hold up the router.
const writeWait = time.Second

// identifier is every router's BGP identifier.
var identifier = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// connection is one TCP connection, from OPEN to its end.
type connection struct {
	router *Router
	conn   net.Conn
	hold   time.Duration
}

// run speaks until the connection ends; the error says how.
func (c *connection) run() error {
	open, err := c.handshake()
	if err != nil {
		return err
	}
	if !c.router.established(c, open) {
		c.notify(gobgp.BGP_ERROR_CEASE, gobgp.BGP_ERROR_SUB_CONNECTION_REJECTED, nil)
		return errors.New("refused: another session is up, or the router stops")
	}
	done := make(chan struct{})
	var keepalive sync.WaitGroup
	keepalive.Go(func() { c.keepAlive(done) })
	defer keepalive.Wait()
	defer close(done)
	for {
		m, err := c.receive()
		if err != nil {
			return err
		}
		if update, ok := m.Body.(*gobgp.BGPUpdate); ok {
			c.router.take(update)
		}
	}
}

// handshake exchanges OPENs and the first KEEPALIVEs (RFC 4271 §8.2.2).
func (c *connection) handshake() (*gobgp.BGPOpen, error) {
	ours, err := c.open()
	if err != nil {
		return nil, err
	}
	if err := c.send(ours); err != nil {
		return nil, err
	}
	m, err := c.receive()
	if err != nil {
		return nil, err
	}
	open, ok := m.Body.(*gobgp.BGPOpen)
	if !ok {
		c.notify(gobgp.BGP_ERROR_FSM_ERROR, 1, nil)
		return nil, fmt.Errorf("message type %d instead of OPEN", m.Header.Type)
	}
	if _, err := gobgp.ValidateOpenMsg(open, c.router.options.PeerASN, c.router.options.ASN, identifier); err != nil {
		var wrong *gobgp.MessageError
		if errors.As(err, &wrong) {
			c.notify(wrong.TypeCode, wrong.SubTypeCode, wrong.Data)
		}
		return nil, err
	}
	c.hold = min(c.hold, time.Duration(open.HoldTime)*time.Second)
	if err := c.send(gobgp.NewBGPKeepAliveMessage()); err != nil {
		return nil, err
	}
	if m, err = c.receive(); err == nil && m.Header.Type != gobgp.BGP_MSG_KEEPALIVE {
		err = fmt.Errorf("message type %d instead of KEEPALIVE", m.Header.Type)
	}
	return open, err
}

// open is our OPEN, with the capabilities that a table of one family needs.
func (c *connection) open() (*gobgp.BGPMessage, error) {
	o := c.router.options
	as := uint16(gobgp.AS_TRANS)
	if o.ASN <= 0xffff {
		as = uint16(o.ASN)
	}
	return gobgp.NewBGPOpenMessage(as, uint16(o.HoldTime/time.Second), identifier, []gobgp.OptionParameterInterface{
		gobgp.NewOptionParameterCapability([]gobgp.ParameterCapabilityInterface{
			gobgp.NewCapMultiProtocol(family(o.Address)),
			gobgp.NewCapFourOctetASNumber(o.ASN),
		}),
	})
}

// keepAlive sends KEEPALIVEs until done.
func (c *connection) keepAlive(done <-chan struct{}) {
	tick := time.NewTicker(max(c.hold/3, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			if c.router.frozen.Load() {
				continue
			}
			if c.send(gobgp.NewBGPKeepAliveMessage()) != nil {
				return // the reader learns of it too
			}
		}
	}
}

// receive reads one message within the hold time. A NOTIFICATION is an error that tells it.
func (c *connection) receive() (*gobgp.BGPMessage, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.hold)); err != nil {
		return nil, err
	}
	data := make([]byte, gobgp.BGP_HEADER_LENGTH, gobgp.BGP_MAX_MESSAGE_LENGTH)
	if _, err := io.ReadFull(c.conn, data); err != nil {
		return nil, err
	}
	length := int(data[16])<<8 | int(data[17])
	if length < len(data) || length > gobgp.BGP_MAX_MESSAGE_LENGTH {
		return nil, fmt.Errorf("message of %d octets", length)
	}
	data = data[:length]
	if _, err := io.ReadFull(c.conn, data[gobgp.BGP_HEADER_LENGTH:]); err != nil {
		return nil, err
	}
	m, err := gobgp.ParseBGPMessage(data)
	if err != nil {
		return nil, err
	}
	if n, ok := m.Body.(*gobgp.BGPNotification); ok {
		return nil, describe(n)
	}
	return m, nil
}

// describe tells a NOTIFICATION, with the message to the operator if it has one (RFC 9003).
func describe(n *gobgp.BGPNotification) error {
	text := fmt.Sprintf("NOTIFICATION %d/%d", n.ErrorCode, n.ErrorSubcode)
	if n.ErrorCode == gobgp.BGP_ERROR_CEASE && len(n.Data) > 1 && int(n.Data[0]) == len(n.Data)-1 {
		text += " " + strings.ToValidUTF8(string(n.Data[1:]), "?")
	}
	return errors.New(text)
}

func (c *connection) send(m *gobgp.BGPMessage) error {
	data, err := m.Serialize()
	if err != nil {
		return err
	}
	return c.write(data)
}

func (c *connection) write(data []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	_, err := c.conn.Write(data)
	return err
}

// notify sends a NOTIFICATION, if it can; the connection ends in any case.
func (c *connection) notify(code, subcode uint8, data []byte) {
	if err := c.send(gobgp.NewBGPNotificationMessage(code, subcode, data)); err != nil {
		c.router.log.Debug("NOTIFICATION not sent", "code", code, "subcode", subcode, "error", err)
	}
}

func family(a netip.Addr) gobgp.Family {
	if a.Is4() {
		return gobgp.RF_IPv4_UC
	}
	return gobgp.RF_IPv6_UC
}
