package proxy

import (
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// fail answers for an origin that could not, and for every refusal: it is the chain's cache.ErrorWriter. A client that
// has left gets nothing, and a response that has begun is broken off, so that nobody takes it for whole.
func (c *Chain) fail(w http.ResponseWriter, r *http.Request, err error) {
	ex := exchangeFrom(r.Context())
	if cause := ex.content.failure(r.Context()); cause != nil && !isLimit(err) {
		err = cause // the rest follows from it
	}
	ex.failure = failureOf(err)
	if r.Context().Err() != nil && !isLimit(err) {
		ex.failure = &failure{status: statusClientGone, reason: "client_gone"}
		panic(http.ErrAbortHandler)
	}
	if ex.recorder.status != 0 {
		panic(http.ErrAbortHandler)
	}
	if c.options.Unanswered != nil && ex.rule != nil && ex.failure.status >= http.StatusInternalServerError {
		c.options.Unanswered(ex.rule.origin)
	}
	h := w.Header()
	for _, key := range [...]string{"Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Expires", "Age", "Vary"} {
		h.Del(key) // whatever this answer was going to be
	}
	h.Set("Proxy-Status", c.proxyStatus(ex.failure))
	h.Set("Cache-Control", "no-store")
	if wait := ex.failure.retryAfter; wait > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
	writePage(w, r, ex.failure.status, ex.requestID())
}

// proxyStatus is the field of RFC 9209: which node, what went wrong, and asking whom. It tells the origin's name, not
// its addresses, and no details.
func (c *Chain) proxyStatus(f *failure) string {
	s := sfTokenOrString(c.options.Node) + "; error=" + f.kind
	if f.origin != "" {
		s += "; next-hop=" + sfTokenOrString(f.origin)
	}
	return s
}

// sfTokenOrString writes s as a structured field's item (RFC 9651 §3.3).
func sfTokenOrString(s string) string {
	if s != "" && (alphanumeric(s[0]) && s[0] > '9' || s[0] == '*') && strings.Trim(s, tokenChars) == "" {
		return s
	}
	return strconv.QuoteToASCII(s)
}

const tokenChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~:/"

// sayings is what the page says for each status, in the client's words.
var sayings = map[int]string{
	http.StatusBadRequest:                  "The request can't be understood as it was sent.",
	http.StatusMethodNotAllowed:            "This method isn't allowed here.",
	http.StatusRequestTimeout:              "The request took too long to arrive.",
	http.StatusRequestEntityTooLarge:       "The request's content is too large.",
	http.StatusExpectationFailed:           "The request expects what can't be met.",
	http.StatusMisdirectedRequest:          "This host isn't served here, or not on this connection.",
	http.StatusTooEarly:                    "The request came too early to be answered safely. Please send it again.",
	http.StatusTooManyRequests:             "Too many requests came from your address. Please try again shortly.",
	http.StatusRequestHeaderFieldsTooLarge: "The request's fields are too large.",
	http.StatusInternalServerError:         "Something went wrong while answering.",
	http.StatusNotImplemented:              "This method isn't implemented here.",
	http.StatusBadGateway:                  "The site's server gave no valid answer.",
	http.StatusServiceUnavailable:          "The site is busy. Please try again shortly.",
	http.StatusGatewayTimeout:              "The site's server took too long to answer.",
	http.StatusLoopDetected:                "The request came back to where it had been.",
}

const pageHTML = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>%[1]d %[2]s</title>
<h1>%[1]d %[2]s</h1>
<p>%[3]s</p>
<p><small>Request ID: %[4]s</small></p>
</html>
`

const pagePlain = "%d %s\n%s\nRequest ID: %s\n"

// writePage writes a small page that says what the status means, as HTML to those who ask for it.
func writePage(w http.ResponseWriter, r *http.Request, status int, id string) {
	title, saying := http.StatusText(status), sayings[status]
	page, kind := fmt.Sprintf(pagePlain, status, title, saying, id), "text/plain; charset=utf-8"
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		page = fmt.Sprintf(pageHTML, status, html.EscapeString(title), html.EscapeString(saying), id)
		kind = "text/html; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(page)) // the client has left; the log says so
	}
}
