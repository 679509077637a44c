package fleet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/routing"
)

// A record's octets: a format, then fields, each a number, a length and so many octets. A field of a number that isn't
// known here is of a later version and skipped; a number never changes its meaning. What is a list comes once for each
// of its elements.
const recordFormat = 1

const (
	fieldVersion  = 1  // text
	fieldMetro    = 2  // text
	fieldStarted  = 3  // number: Unix time in nanoseconds
	fieldAddress  = 4  // 4 or 16 octets
	fieldTunnel   = 5  // 4 or 16 octets, port 2
	fieldClaim    = 6  // metro 2, host 2, generation 1, fixed 1, since 8
	fieldLevel    = 7  // level 1, VIP
	fieldOrigin   = 8  // 1 if critical, origin
	fieldLoad     = 9  // number: bits per second; missing where it isn't known
	fieldHeadroom = 10 // number, likewise
	fieldVerified = 11 // node
	fieldPurges   = 12 // epoch 8, kept 8, last 8, at 8, node
	fieldFailing  = 13 // VIP
)

const (
	// maxText bounds a name; longer ones aren't sent, and not taken.
	maxText = 255
	// maxElements bounds each list.
	maxElements = 8192
)

// appendTo appends the record's octets to b.
func (r *Record) appendTo(b []byte) []byte {
	b = append(b, recordFormat)
	b = appendField(b, fieldVersion, []byte(r.Version))
	b = appendField(b, fieldMetro, []byte(r.Metro))
	b = appendNumber(b, fieldStarted, uint64(r.Started.UnixNano()))
	if r.Address.IsValid() {
		b = appendField(b, fieldAddress, r.Address.Unmap().AsSlice())
	}
	if r.Tunnel.IsValid() {
		b = appendField(b, fieldTunnel, binary.BigEndian.AppendUint16(r.Tunnel.Addr().Unmap().AsSlice(), r.Tunnel.Port()))
	}
	b = appendField(b, fieldClaim, r.Claim.append(nil))
	b = appendReport(b, &r.Report)
	for _, node := range r.Verified {
		b = appendField(b, fieldVerified, []byte(node))
	}
	for _, m := range r.Purges {
		b = appendField(b, fieldPurges, m.append(nil))
	}
	return b
}

func appendReport(b []byte, r *routing.Report) []byte {
	for _, vip := range sortedKeys(r.Levels) {
		b = appendField(b, fieldLevel, append([]byte{byte(r.Levels[vip])}, vip...))
	}
	for _, vip := range r.Failing {
		b = appendField(b, fieldFailing, []byte(vip))
	}
	for _, origin := range r.Origins {
		critical := byte(0)
		if slices.Contains(r.Critical, origin) {
			critical = 1
		}
		b = appendField(b, fieldOrigin, append([]byte{critical}, origin...))
	}
	if r.Load >= 0 {
		b = appendNumber(b, fieldLoad, uint64(r.Load))
	}
	if r.Headroom >= 0 {
		b = appendNumber(b, fieldHeadroom, uint64(r.Headroom))
	}
	return b
}

func (m PurgeMark) append(b []byte) []byte {
	for _, n := range []uint64{m.Epoch, m.Kept, m.Last, uint64(m.At.Unix())} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return append(b, m.Node...)
}

func appendField(b []byte, number uint64, value []byte) []byte {
	b = binary.AppendUvarint(b, number)
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

func appendNumber(b []byte, field, n uint64) []byte {
	return appendField(b, field, binary.AppendUvarint(nil, n))
}

var errShort = errors.New("it ends too early")

// ParseRecord reads what another node published. An error means that none of it counts.
func ParseRecord(b []byte) (*Record, error) {
	if len(b) == 0 {
		return nil, errShort
	}
	if b[0] != recordFormat {
		return nil, fmt.Errorf("format %d, this is %d", b[0], recordFormat)
	}
	b = b[1:]
	r := &Record{Report: routing.Report{Levels: map[string]routing.Level{}, Load: -1, Headroom: -1}}
	for len(b) > 0 {
		number, value, rest, err := cutField(b)
		if err == nil {
			err = r.take(number, value)
		}
		if err != nil {
			return nil, fmt.Errorf("field %d: %w", number, err)
		}
		b = rest
	}
	return r, nil
}

func cutField(b []byte) (number uint64, value, rest []byte, err error) {
	number, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, nil, errShort
	}
	length, m := binary.Uvarint(b[n:])
	b = b[min(n+max(m, 0), len(b)):]
	if m <= 0 || length > uint64(len(b)) {
		return number, nil, nil, errShort
	}
	return number, b[:length], b[length:], nil
}

// take takes one field.
func (r *Record) take(number uint64, value []byte) (err error) {
	switch number {
	case fieldVersion:
		r.Version, err = text(value)
	case fieldMetro:
		r.Metro, err = text(value)
	case fieldStarted:
		var n uint64
		n, err = figure(value)
		r.Started = time.Unix(0, int64(min(n, math.MaxInt64)))
	case fieldAddress:
		r.Address, err = address(value)
	case fieldTunnel:
		r.Tunnel, err = addressPort(value)
	case fieldClaim:
		r.Claim, err = parseClaim(value)
	case fieldVerified:
		err = add(&r.Verified, value)
	case fieldPurges:
		err = r.takeMark(value)
	default:
		err = r.takeReport(number, value)
	}
	return err
}

func (r *Record) takeReport(number uint64, value []byte) error {
	var n uint64
	var err error
	switch number {
	case fieldLevel:
		return r.takeLevel(value)
	case fieldOrigin:
		return r.takeOrigin(value)
	case fieldFailing:
		return add(&r.Report.Failing, value)
	case fieldLoad:
		n, err = figure(value)
		r.Report.Load = float64(n)
	case fieldHeadroom:
		n, err = figure(value)
		r.Report.Headroom = float64(n)
	}
	return err
}

func (r *Record) takeLevel(value []byte) error {
	if len(value) == 0 {
		return errShort
	}
	vip, err := text(value[1:])
	switch {
	case err != nil:
		return err
	case value[0] > byte(routing.Withdrawn):
		return fmt.Errorf("level %d", value[0])
	case len(r.Report.Levels) >= maxElements:
		return errors.New("too many")
	}
	r.Report.Levels[vip] = routing.Level(value[0])
	return nil
}

func (r *Record) takeOrigin(value []byte) error {
	if len(value) == 0 {
		return errShort
	}
	if err := add(&r.Report.Origins, value[1:]); err != nil || value[0] == 0 {
		return err
	}
	return add(&r.Report.Critical, value[1:])
}

func (r *Record) takeMark(value []byte) error {
	if len(value) < 33 {
		return errShort
	}
	node, err := text(value[32:])
	if err != nil {
		return err
	}
	if len(r.Purges) >= maxElements {
		return errors.New("too many")
	}
	number := func(at int) uint64 { return binary.BigEndian.Uint64(value[at:]) }
	r.Purges = append(r.Purges, PurgeMark{Stream{node, number(0)}, number(8), number(16), time.Unix(int64(min(number(24), math.MaxInt32)), 0)})
	return nil
}

func add(list *[]string, value []byte) error {
	s, err := text(value)
	if err == nil && len(*list) >= maxElements {
		err = errors.New("too many")
	}
	if err == nil {
		*list = append(*list, s)
	}
	return err
}

// text is a name, which is shown to people: what could spoil a terminal is refused.
func text(b []byte) (string, error) {
	s := string(b)
	if len(b) > maxText || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return "", fmt.Errorf("%.80q is no name", s)
	}
	return s, nil
}

func figure(b []byte) (uint64, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size != len(b) {
		return 0, errShort
	}
	return n, nil
}

func address(b []byte) (netip.Addr, error) {
	a, ok := netip.AddrFromSlice(b)
	if !ok || a.IsUnspecified() || a.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("%x is no address of a node", b)
	}
	return a.Unmap(), nil
}

func addressPort(b []byte) (netip.AddrPort, error) {
	if len(b) < 2 {
		return netip.AddrPort{}, errShort
	}
	a, err := address(b[:len(b)-2])
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[len(b)-2:])), err
}
