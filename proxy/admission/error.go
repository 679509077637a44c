package admission

import (
	"fmt"
	"net/http"
	"time"
)

// Reason is why a request was refused or cut off. It is also the metric's label.
type Reason string

// The reasons.
const (
	ReasonRate        Reason = "rate"         // the client asked more often than Options.Rate: 429
	ReasonRequests    Reason = "requests"     // Options.Requests were in flight already: 503
	ReasonContent     Reason = "content"      // the content is larger than Options.Content: 413
	ReasonContentIdle Reason = "content_idle" // no octet of the content for Options.ContentIdle: 408
	ReasonSendIdle    Reason = "send_idle"    // the client took no octet for Options.SendIdle: cut off
)

// reasons lists them all, so that each has its counter from the start.
var reasons = [...]Reason{ReasonRate, ReasonRequests, ReasonContent, ReasonContentIdle, ReasonSendIdle}

// Error is a refusal. Reading a request's content yields one too, when the limit is passed midway.
type Error struct {
	Reason     Reason
	Status     int           // what to answer, RFC 9110 §15.5
	RetryAfter time.Duration // when it is worth asking again; 0 says nothing
}

// Error names the limit.
func (e *Error) Error() string { return fmt.Sprintf("limit reached: %s (%d)", e.Reason, e.Status) }

func contentTooLarge() *Error {
	return &Error{Reason: ReasonContent, Status: http.StatusRequestEntityTooLarge}
}

func contentIdle() *Error {
	return &Error{Reason: ReasonContentIdle, Status: http.StatusRequestTimeout}
}
