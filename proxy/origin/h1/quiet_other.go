//go:build !unix

package h1

// poll is nothing here.
type poll struct{}

// quiet can't be known here. A connection whose end has come is found out by the request, which is then sent again.
func (c *conn) quiet() bool { return true }
