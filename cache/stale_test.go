package cache

import (
	"slices"
	"testing"
	"time"
)

// TestUsableOnError is the table of RFC 5861 §4 and RFC 9111 §4.2.4: a response of a lifetime of 100 s, at some age, when
// the origin answers with an error, or not at all.
func TestUsableOnError(t *testing.T) {
	const sie, off = "stale-if-error", "disconnected"
	for _, tt := range []struct {
		response, request string
		policy            time.Duration
		age               time.Duration
		onError, without  string // what lets it be used: on an error, and when there is no answer
	}{
		{"", "", 0, 101, "", off},
		{"", "", 0, 86499, "", off},
		{"", "", 0, 86500, "", ""},
		{"", "max-age=200", 0, 101, "", ""},
		{"", "min-fresh=1", 0, 101, "", ""},
		{"", "no-cache", 0, 101, "", ""},
		{"", "max-stale=1", 0, 150, "", off},
		{"stale-if-error=10", "", 0, 109, sie, sie},
		{"stale-if-error=10", "", 0, 110, "", ""},
		{"stale-if-error=0", "", 0, 101, "", ""},
		{"stale-if-error=x", "", 0, 101, "", ""},
		{"stale-if-error=10", "no-cache", 0, 101, sie, sie},
		{"", "", 10 * time.Second, 109, sie, sie},
		{"", "", 10 * time.Second, 110, "", ""},
		{"stale-if-error=5", "", 10 * time.Second, 106, "", ""},
		{"", "stale-if-error=10", 0, 109, sie, sie},
		{"", "stale-if-error=10", 0, 111, "", off},
		{"stale-if-error=5", "stale-if-error=10", 0, 109, sie, sie},
		{"must-revalidate", "stale-if-error=10", 10 * time.Second, 101, "", ""},
		{"proxy-revalidate, stale-if-error=10", "", 0, 101, "", ""},
		{"no-cache, stale-if-error=10", "", 0, 101, "", ""},
		{"s-maxage=100", "stale-if-error=10", 10 * time.Second, 101, "", ""},
		{"s-maxage=100, stale-if-error=10", "", 0, 109, sie, sie},
		{"stale-while-revalidate=1000", "", 0, 101, "", off},
	} {
		policy := Policy{StaleIfError: tt.policy}
		f := newFigures(at(fieldsOf("Cache-Control: max-age=100, "+tt.response), 200), policy)
		q := parseRequest(true, header(fieldsOf("Cache-Control: "+tt.request)))
		now := noon.Add(tt.age * time.Second)
		onError, without := usableOnError(Standard, &q, &f, false, now), usableOnError(Standard, &q, &f, true, now)
		if onError != tt.onError || without != tt.without {
			t.Errorf("%q, asked %q, policy %v at %d s: %q and %q, want %q and %q",
				tt.response, tt.request, tt.policy, tt.age, onError, without, tt.onError, tt.without)
		}
	}
}

// In the preset Safe no response stands in for one to credentials, unless RFC 9111 §3.5 lets it.
func TestStaleForCredentials(t *testing.T) {
	for control, want := range map[string]string{"stale-if-error=10": "", "stale-if-error=10, public": "stale-if-error"} {
		f := newFigures(at(fieldsOf("Cache-Control: max-age=100, "+control), 200), Policy{})
		q := parseRequest(false, header(fieldsOf("Authorization: Basic a")))
		if got := usableOnError(Safe, &q, &f, true, noon.Add(101*time.Second)); got != want {
			t.Errorf("%s: %q", control, got)
		}
		if got := usableOnError(Standard, &q, &f, true, noon.Add(101*time.Second)); got != "stale-if-error" {
			t.Errorf("%s, in the preset standard: %q", control, got)
		}
	}
}

func TestServerErrors(t *testing.T) {
	for status := 200; status < 600; status++ {
		if got := isServerError(status); got != slices.Contains([]int{500, 502, 503, 504}, status) {
			t.Errorf("%d: %v", status, got)
		}
	}
}

// TestStaleLimits: the response's word counts before the policy's, and nothing against what forbids stale use.
func TestStaleLimits(t *testing.T) {
	policy := Policy{StaleWhileRevalidate: time.Second, StaleIfError: 2 * time.Second}
	for _, tt := range []struct {
		control  string
		swr, sie time.Duration
	}{
		{"max-age=1", time.Second, 2 * time.Second},
		{"stale-while-revalidate=5", 5 * time.Second, 2 * time.Second},
		{"stale-if-error=5", time.Second, 5 * time.Second},
		{"stale-while-revalidate=0, stale-if-error=0", 0, 0},
		{"stale-while-revalidate=x", 0, 2 * time.Second},
		{"must-revalidate, stale-while-revalidate=5", 0, 0},
		{"proxy-revalidate, stale-if-error=5", 0, 0},
		{"no-cache", 0, 0},
		{"s-maxage=1", 0, 0},
		{"s-maxage=1, stale-while-revalidate=5", 5 * time.Second, 0},
	} {
		r := at(fieldsOf("Cache-Control: "+tt.control), 200)
		if swr, sie := staleLimits(&r.control, policy); swr != tt.swr || sie != tt.sie {
			t.Errorf("%s: %v and %v, want %v and %v", tt.control, swr, sie, tt.swr, tt.sie)
		}
	}
}
