//go:build lab

package lab_test

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// browserPage downloads, uploads and asks for pages, all at once, over one connection, and prints how that went.
//
//go:embed testdata/browser.html
var browserPage string

// told is how something fared in the browser.
type told struct {
	Octets   int64  `json:"octets"`
	Good     int    `json:"good"`
	Bad      int    `json:"bad"`
	Slowest  int    `json:"slowest"` // in ms
	Took     int    `json:"took"`    // in ms
	Error    string `json:"error"`
	Protocol string `json:"protocol"`
}

// chromium does in a browser what other clients do by themselves, and flips the route meanwhile.
func (f *steered) chromium(t *testing.T) map[string]outcome {
	f.Site.AddPage("/browser", strings.NewReplacer("{{octets}}", fmt.Sprint(steeredOctets), "{{pace}}", fmt.Sprint(steeredPace)).Replace(browserPage))
	before := len(f.Site.Uploads())
	browser := f.Client.Start("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--user-data-dir="+t.TempDir(),
		"--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
		"--origin-to-force-quic-on="+lab.SiteName+":443", "--host-resolver-rules=MAP "+lab.SiteName+" "+lab.VIP4.String(),
		"--ignore-certificate-errors-spki-list="+f.publicKey(t), "https://"+lab.SiteName+"/browser")
	paced := fmt.Sprintf("/paced/%d", steeredOctets)
	asked := f.Site.Requests(paced)
	f.Await("the browser downloads", moveLimit, func() bool { return f.Site.Requests(paced) > asked })
	time.Sleep(time.Second) // it is at it
	f.flip(f.Fra)
	results := map[string]told{}
	const word = "told by the page: "
	browser.WaitLog(word, time.Minute)
	browser.WaitLog("end of what the page tells", moveLimit)
	_, text, _ := strings.Cut(browser.Output(), word)
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&results); err != nil {
		t.Errorf("%v: %s", err, text)
	}
	browser.Kill()
	up, down, pages := results["upload"], results["download"], results["pages"]
	received := int64(0)
	for _, u := range f.Site.Uploads()[before:] {
		received += u.Size
	}
	if up.Error == "" && received != up.Octets {
		up.Error = fmt.Sprintf("the origin got %d octets", received)
	}
	return map[string]outcome{
		"Chromium: download": down.outcome(),
		"Chromium: upload":   up.outcome(),
		"Chromium: requests beside them": {
			pages.Bad == 0 && pages.Good > 0,
			fmt.Sprintf("%d answered, %d failed, slowest %d ms, over %s", pages.Good, pages.Bad, pages.Slowest, pages.Protocol),
		},
	}
}

func (x told) outcome() outcome {
	mib, took := float64(x.Octets)/(1<<20), time.Duration(x.Took)*time.Millisecond
	if x.Error != "" || x.Octets != steeredOctets || x.Protocol != "h3" {
		return outcome{false, fmt.Sprintf("dies after %v, %.1f of %d MiB over %s: %s", took.Round(100*time.Millisecond), mib, steeredOctets>>20, x.Protocol, x.Error)}
	}
	return outcome{true, fmt.Sprintf("whole, %.1f MiB in %v", mib, took.Round(100*time.Millisecond))}
}

// publicKey is that of the site's certificate, as Chromium is told what to trust.
func (f *steered) publicKey(t *testing.T) string {
	c := f.h3Client(t, lab.VIP4)
	if r := get(c.Client, "/page"); r.err != nil {
		t.Fatal(r.err)
	}
	hash := sha256.Sum256(c.conn.Load().ConnectionState().TLS.PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(hash[:])
}
