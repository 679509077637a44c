package acme

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// maxSkew is how far our clock may be from an authority's. Authorities date certificates back by an hour, so that clients
// whose clocks are behind take them at once.
const maxSkew = time.Hour

// checkClock refuses to order while our clock is wrong: each certificate would look as if it had ended, or hadn't begun, and
// be ordered again and again, until the authority has had enough. An authority that tells no time is believed.
func (i *issuer) checkClock(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, i.authority.Directory, nil)
	if err != nil {
		return err
	}
	answer, err := i.client.HTTPClient.Do(r)
	if err != nil {
		return nil // what comes next says so in its own words
	}
	_ = answer.Body.Close()
	theirs, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return nil
	}
	skew := time.Since(theirs).Round(time.Second)
	if skew.Abs() <= maxSkew {
		return nil
	}
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	return fmt.Errorf("nothing is ordered: this node's clock is %s %s its clock, %s", skew.Abs(), way, theirs.UTC().Format(time.DateTime))
}
