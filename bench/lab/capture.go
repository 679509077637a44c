//go:build lab

package lab

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Capture records what passes an interface.
type Capture struct {
	*Process

	file string
}

// Capture records, from now on, what passes the end of a link. The filter is pcap-filter(7)'s.
func (e End) Capture(filter string) *Capture {
	l := e.Host.lab
	l.Helper()
	c := &Capture{file: filepath.Join(l.dir, e.Host.Name+"-"+e.Dev+".pcap")}
	args := []string{"-i", e.Dev, "-w", c.file, "-U", "--immediate-mode", "-n", "-Z", "root"}
	c.Process = e.Host.Start("tcpdump", append(args, strings.Fields(filter)...)...)
	c.WaitLog("listening on", startLimit)
	return c
}

// Stop ends the capture and decodes the BGP UPDATEs in it.
func (c *Capture) Stop() []Update {
	c.lab.Helper()
	c.Signal(syscall.SIGINT)
	_ = c.Wait(10 * time.Second) // its exit code says nothing more than the file
	return c.Updates()
}

// Updates decodes the BGP UPDATEs that were captured so far.
func (c *Capture) Updates() []Update {
	c.lab.Helper()
	file, err := os.Open(c.file)
	if err != nil {
		c.lab.Fatalf("%v", err)
	}
	defer file.Close()
	updates, err := ReadUpdates(file)
	if err != nil {
		c.lab.Fatalf("%s: %v", c.file, err)
	}
	return updates
}
