package proxy

import (
	"crypto/subtle"
	"net/http"
)

// selfField is the request field of a self check: it carries the token, and back comes the node's name.
const selfField = "Anyedge-Self"

// selfCheck answers the node's own checks before anything can stand in their way, as limits and sites can.
// The name in the answer shows that the VIP led to this node and not to another. Without the token the field is
// dropped like any spoofed one: see cleanFields.
func (c *Chain) selfCheck(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := r.Header.Get(selfField); token == "" || !c.isSelf(token) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set(selfField, c.options.Node)
		w.WriteHeader(http.StatusNoContent)
	})
}

func (c *Chain) isSelf(token string) bool {
	mine := c.options.SelfToken
	return mine != "" && subtle.ConstantTimeCompare([]byte(token), []byte(mine)) == 1
}
