//go:build lab

package lab_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

const (
	large       = 1 << 30
	memoryLimit = 200 << 20
)

// A gibibyte passes through in both directions, whole, and the node needs little memory for it.
func TestLarge(t *testing.T) {
	f := start(t, lab.Quick())
	want := hash(t, lab.Reader(large))
	client := f.HTTP(vip4)

	begin := time.Now()
	resp, err := client.Get("https://" + lab.SiteName + "/fresh/1073741824")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := hash(t, resp.Body); got != want || resp.StatusCode != http.StatusOK {
		t.Errorf("download: %s, SHA-256 %s, want %s", resp.Status, got, want)
	}
	down := time.Since(begin)

	begin = time.Now()
	resp, err = client.Post("https://"+lab.SiteName+"/upload", "application/octet-stream", lab.Reader(large))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if u := f.Site.Uploads(); len(u) != 1 || u[0] != (lab.Upload{Size: large, SHA: want}) {
		t.Errorf("upload: %s, received %v, want SHA-256 %s", resp.Status, u, want)
	}
	t.Logf("1 GiB down in %v, up in %v; the node's peak memory: %d MiB", ms(down), ms(time.Since(begin)), f.Ams.Node.PeakMemory()>>20)
	if peak := f.Ams.Node.PeakMemory(); peak > memoryLimit {
		t.Errorf("the node's peak memory was %d MiB, want at most %d", peak>>20, memoryLimit>>20)
	}
}

func hash(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
