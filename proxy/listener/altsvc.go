package listener

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

// altSvcField is the canonical key of the field (RFC 7838, section 3).
const altSvcField = "Alt-Svc"

// altSvcAge is how long a client may go on with QUIC on the strength of one response: a day, so that a client that
// comes back tomorrow begins with H3, and one that QUIC fails for isn't bound for longer.
const altSvcAge = 86400

// altSvc is the field that tells clients of QUIC on the same port.
//
//   - Not told yet whether QUIC answers: no field.
//   - It answers: h3=":443"; ma=86400.
//   - It answers no longer: clear, since a client that remembers H3 would go on trying what is broken.
type altSvc struct {
	offer *altSvcValue
	value atomic.Pointer[altSvcValue] // nil: no field
}

// altSvcValue is the field's value in the forms that it is sent in.
type altSvcValue struct {
	values []string
	line   string
}

func newAltSvcValue(value string) *altSvcValue {
	return &altSvcValue{values: []string{value}, line: altSvcField + ": " + value + "\r\n"}
}

var altSvcClear = newAltSvcValue("clear")

func newAltSvc(port uint16) *altSvc {
	return &altSvc{offer: newAltSvcValue(fmt.Sprintf(`h3=":%d"; ma=%d`, port, altSvcAge))}
}

func (a *altSvc) set(answers bool) {
	if answers {
		a.value.Store(a.offer)
		return
	}
	if a.value.Load() != nil {
		a.value.Store(altSvcClear)
	}
}

// add sets the field in h. The value is shared; its capacity makes an append copy it.
func (a *altSvc) add(h http.Header) {
	if v := a.value.Load(); v != nil {
		h[altSvcField] = v.values[:1:1]
	}
}

// line is the field as a line of H1; empty for none.
func (a *altSvc) line() string {
	if v := a.value.Load(); v != nil {
		return v.line
	}
	return ""
}
