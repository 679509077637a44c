package h3

import (
	"context"
	"net/http"

	"golang.org/x/net/http2/hpack"
)

// requestContext ends with the stream, and has what the connection has.
type requestContext struct {
	context.Context
	values context.Context
}

// Value asks the stream's context first: context finds out that way that it can end with it.
func (c requestContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// plainMethod tells whether a request is GET or HEAD.
func plainMethod(list []hpack.HeaderField) bool {
	for _, f := range list {
		if f.Name == ":method" {
			return f.Value == http.MethodGet || f.Value == http.MethodHead
		}
	}
	return false
}
