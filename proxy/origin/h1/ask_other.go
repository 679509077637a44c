//go:build !unix

package h1

// asking is nothing here.
type asking struct{}

// say writes a request. What has come on an idle connection can't be known here: one whose end has come is found out by the
// request, which is then sent again.
func (c *conn) say(head []byte, used bool) error {
	if c.secure != nil {
		return c.saySecurely(head, used)
	}
	_, err := c.Write(head)
	return err
}

// silent can't be known here.
func (c *conn) silent() bool { return true }
