package httpfield_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

func TestParseDate(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	good := func(s string, year int, month time.Month, day, hour, minute, second int) {
		t.Helper()
		want := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
		if got, ok := httpfield.ParseDate(s, now); !ok || !got.Equal(want) {
			t.Errorf("%q: got %v, %v; want %v", s, got, ok, want)
		}
	}
	good("Sun, 06 Nov 1994 08:49:37 GMT", 1994, 11, 6, 8, 49, 37)
	good("Thu, 29 Feb 2024 00:00:00 GMT", 2024, 2, 29, 0, 0, 0)
	good("Sun Nov  6 08:49:37 1994", 1994, 11, 6, 8, 49, 37)
	good("Wed Nov 16 08:49:37 1994", 1994, 11, 16, 8, 49, 37)
	good("Sunday, 06-Nov-94 08:49:37 GMT", 1994, 11, 6, 8, 49, 37)
	good("Sunday, 06-Nov-30 08:49:37 GMT", 2030, 11, 6, 8, 49, 37)
	good("Sunday, 06-Nov-76 08:49:37 GMT", 2076, 11, 6, 8, 49, 37) // not more than 50 years ahead
	good("Sunday, 06-Dec-76 08:49:37 GMT", 1976, 12, 6, 8, 49, 37) // more than 50 years ahead: past
	good("Sunday, 06-Nov-77 08:49:37 GMT", 1977, 11, 6, 8, 49, 37)
	good("Wednesday, 09-Nov-94 08:49:37 GMT", 1994, 11, 9, 8, 49, 37)
	good("sun, 06 NOV 1994 08:49:37 gMt", 1994, 11, 6, 8, 49, 37) // RFC 9111 §4.2: in any case
	good("SUNDAY, 06-nov-94 08:49:37 gmt", 1994, 11, 6, 8, 49, 37)
	good("sUN nOV  6 08:49:37 1994", 1994, 11, 6, 8, 49, 37)
	good("Sun, 06 Nov 1994 08:49:37 UTC", 1994, 11, 6, 8, 49, 37)
	good("Sunday, 06-Nov-94 08:49:37 utc", 1994, 11, 6, 8, 49, 37)
	good("Sat, 31 Dec 2016 23:59:60 GMT", 2017, 1, 1, 0, 0, 0) // a leap second

	for _, s := range []string{
		"", "0", "-1", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 08:49:37 EST",
		"Sun, 06 Nov 1994 08:49:37 +00", "Sun,06 Nov 1994 08:49:37 GMT", "Sun 06 Nov 1994 08:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 1994  08:49:37 GMT",
		" Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 31 Nov 1994 08:49:37 GMT", "Wed, 29 Feb 2023 00:00:00 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 anF 1994 08:49:37 GMT",
		"Sun, 06-Nov-1994 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMTx", "Sun, +6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08-49-37 GMT", "Sunday, 06-Nov-94 08:49:37 PST", "Sun, 06-Nov-94 08:49:37 GMT",
		"Someday, 06-Nov-94 08:49:37 GMT", "Sunday, 31-Nov-94 08:49:37 GMT", "Sun Nov 06 08:49:37 GMT 1994",
		"Sun Nov 6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT+1", "Sunday, 29-Feb-xx 08:49:37 GMT",
	} {
		if got, ok := httpfield.ParseDate(s, now); ok {
			t.Errorf("%q: parsed as %v", s, got)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sat, 31 Dec 2016 23:59:60 GMT"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := httpfield.ParseDate(s, now)
		if !ok {
			return
		}
		// What we accept is a date, whatever its form, and net/http agrees on the fixed form.
		again, ok := httpfield.ParseDate(got.Format(http.TimeFormat), now)
		if !ok || !again.Equal(got) {
			t.Errorf("%q: %v, then %v", s, got, again)
		}
	})
}
