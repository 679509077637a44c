package proxy

import (
	"net/http"
	"strings"

	"github.com/anyedge/anyedge/health"
)

const loopField = "Cdn-Loop"

// breakLoop refuses a request that this node has forwarded before (RFC 8586): an origin's address leads back to us.
// The answer is 508, not the 502 that RFC 9209 suggests for proxy_loop_detected: the node that is one turn ahead would
// take a 502 for a server's failure and retry, which makes the loop a tree.
func (c *Chain) breakLoop(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !listsCDN(r.Header[loopField], c.options.Node) {
			next.ServeHTTP(w, r)
			return
		}
		c.options.Journal.Add(health.EventFill, r.Host, "a request came back: an origin's address leads to this node")
		c.fail(w, r, &failure{status: http.StatusLoopDetected, kind: "proxy_loop_detected", reason: "loop"})
	})
}

// listsCDN reports whether the CDN-Loop field's lines name cdn.
func listsCDN(lines []string, cdn string) bool {
	for _, line := range lines {
		for info := range strings.SplitSeq(line, ",") {
			id, _, _ := strings.Cut(info, ";")
			if strings.EqualFold(strings.TrimSpace(id), cdn) {
				return true
			}
		}
	}
	return false
}

// validPseudonym reports whether name can stand for the node in Via and CDN-Loop: a token without what the list and
// parameter syntax of either would read otherwise.
func validPseudonym(name string) bool {
	for i := range len(name) {
		if !alphanumeric(name[i]) && strings.IndexByte("-._~", name[i]) < 0 {
			return false
		}
	}
	return name != ""
}

func alphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}
