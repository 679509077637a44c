package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/quic-go/quic-go/http3"
)

// h2load asks over H1 and H2. Every answer must be a success.
func h2load(url string, r row, n int) error {
	args := []string{"-t1", "-c" + strconv.Itoa(r.connections), "-m" + strconv.Itoa(r.streams), "-n" + strconv.Itoa(n)}
	if r.protocol == "h1" {
		args = append(args, "--h1")
	}
	out, err := exec.Command("h2load", append(args, url)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("h2load: %w: %s", err, out)
	}
	if want := fmt.Sprintf("status codes: %d 2xx", n); !strings.Contains(string(out), want) {
		return fmt.Errorf("h2load: not every answer is a success:\n%s", out)
	}
	return nil
}

// askH3 asks over H3: each connection has its goroutines, one for each stream at a time.
func askH3(url string, r row, n int) error {
	var all sync.WaitGroup
	errs := make([]error, r.connections*r.streams)
	for c := range r.connections {
		t := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true}
		defer t.Close()
		for s := range r.streams {
			i := c*r.streams + s
			share := n / len(errs)
			if i < n%len(errs) {
				share++
			}
			all.Go(func() { errs[i] = askTimes(&http.Client{Transport: t}, url, share, r.size) })
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

func askTimes(c *http.Client, url string, n, size int) error {
	for range n {
		resp, err := c.Get(url)
		if err != nil {
			return err
		}
		got, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || got != int64(size) {
			return fmt.Errorf("GET %s: %s, %d octets: %w", url, resp.Status, got, err)
		}
	}
	return nil
}
