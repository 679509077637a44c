package health_test

import (
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
)

// A name without a good certificate is a warning, however many there are, until all have one.
func TestCertificates(t *testing.T) {
	var o health.Options
	o.SetDefaults()
	j := health.NewJournal(16)
	tracker := health.NewTracker(o, j)
	tracker.Retain(nil, []string{"www"})
	for _, c := range []struct {
		bad    int
		detail string
		grade  health.Grade
		says   string
	}{
		{0, "", health.OK, "VIP www: certificate 0 names < warn 1 name"},
		{1, "no certificate covers b.example", health.Warn, "VIP www: certificate 1 name >= warn 1 name (no certificate covers b.example)"},
		{5, "all of them", health.Warn, "VIP www: certificate 5 names >= warn 1 name (all of them)"},
		{0, "", health.OK, "VIP www: certificate 0 names < warn 1 name"},
	} {
		tracker.Certificates("www", c.bad, 5, c.detail)
		tracker.Certificates("gone", 1, 1, "nobody asks")
		list := tracker.Signals(time.Now())
		if len(list) != 1 || list[0].Grade != c.grade || list[0].String() != c.says || list[0].Cause != health.Local {
			t.Errorf("got %v, want %s", list, c.says)
		}
	}
	if events := j.Since(0); len(events) != 2 || !strings.Contains(events[0].Text, "ok → warn") {
		t.Errorf("events: %v", events)
	}
}
