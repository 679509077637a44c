//go:build lab

package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// adminAddress is where a node's admin API listens by default: on the loopback of its own host.
const adminAddress = "127.0.0.1:9180"

// Node is a running anyedge.
type Node struct {
	*Process

	host  *Host
	file  string
	admin *http.Client
}

// anyedge builds anyedge once for all tests of the process.
var anyedge = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binDir(), "anyedge")
	_, err := output(exec.Command("go", "build", "-o", path, "github.com/anyedge/anyedge/cmd/anyedge"))
	return path, err
})

// StartNode runs anyedge on the host. It returns when the node answers its admin API, which is before it announces
// anything: what it announces shows in the routers.
func (h *Host) StartNode(config string) *Node {
	h.lab.Helper()
	path, err := anyedge()
	if err != nil {
		h.lab.Fatalf("build anyedge: %v", err)
	}
	n := &Node{host: h, file: h.lab.write(h.Name+".yaml", config)}
	n.admin = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return h.Dial(ctx, network, address)
		},
		DisableKeepAlives: true,
	}, Timeout: 2 * time.Second}
	n.Process = h.Start(path, "run", "-c", n.file)
	n.Name = "anyedge on " + h.Name
	h.lab.onFailure(n.Name, n.state)
	h.lab.Await(n.Name+" answers", startLimit, func() bool {
		select {
		case <-n.done:
			h.lab.Fatalf("%s ended: %v\n%s", n.Name, n.err, n.log.tail())
		default:
		}
		_, err := n.Get("/healthz")
		return err == nil
	})
	return n
}

// Get asks the node's admin API and returns the answer's content. An answer of 400 and above is an error, too.
func (n *Node) Get(path string) (string, error) {
	resp, err := n.admin.Get("http://" + adminAddress + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("GET %s: %s: %s", path, resp.Status, b)
	}
	return string(b), err
}

// CLI runs one of anyedge's client commands on the node's host, as its operator would.
func (n *Node) CLI(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return n.host.Exec(ctx, n.cmd.Args[3], args...)
}

// upgradeLimit is how long an upgrade may take until the new process decides.
const upgradeLimit = 40 * time.Second

// Upgrade replaces the node's process, as its operator would: once the one that was replaced before has ended. The test ends the
// new one.
func (n *Node) Upgrade(flags ...string) {
	n.lab.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), upgradeLimit)
	defer cancel()
	out, err := n.host.Exec(ctx, n.cmd.Args[3], append([]string{"upgrade", "--json"}, flags...)...)
	for err != nil && strings.Contains(err.Error()+out, "the last one isn't over") && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond) // there is no event
		out, err = n.host.Exec(ctx, n.cmd.Args[3], append([]string{"upgrade", "--json"}, flags...)...)
	}
	var upgraded struct{ PID int }
	if err == nil {
		err = json.Unmarshal([]byte(out), &upgraded)
	}
	if err != nil {
		n.lab.Fatalf("upgrade %s: %v\n%s", n.Name, err, out)
	}
	n.later = append(n.later, upgraded.PID)
}

// Reload makes the node load another configuration. Whether it took it, its status says.
func (n *Node) Reload(config string) {
	n.lab.Helper()
	n.lab.write(filepath.Base(n.file), config)
	n.Signal(syscall.SIGHUP)
}

// Metric is the value of a metric without labels.
func (n *Node) Metric(name string) float64 {
	n.lab.Helper()
	text, err := n.Get("/metrics")
	if err != nil {
		n.lab.Fatalf("%v", err)
	}
	for line := range strings.Lines(text) {
		var value float64
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &value); err == nil {
				return value
			}
		}
	}
	n.lab.Fatalf("no metric %s", name)
	return 0
}

// Explain is why the node announces what it does, in its own words.
func (n *Node) Explain() string {
	text, err := n.CLI("explain")
	if err != nil {
		return err.Error()
	}
	return text
}

func (n *Node) state() string {
	select {
	case <-n.done:
		return fmt.Sprintf("ended: %v", n.cmd.ProcessState)
	default:
		return n.Explain()
	}
}
