package edgetls_test

import (
	"testing"
	"time"
)

func TestUntil(t *testing.T) {
	s := load(t, files(t, newKey(t), "*.example.com"), files(t, newKey(t), "Shop.example.org", "other.example.org"))
	now := time.Now()
	for name, want := range map[string]bool{
		"img.example.com": true, "*.example.com": true, "a.img.example.com": false, "example.com": false,
		"shop.example.org": true, "SHOP.example.org.": true, "*.example.org": false, "example.net": false, "": false,
	} {
		until, ok := s.Until(name, now)
		if ok != want || ok != until.After(now) {
			t.Errorf("%q: %v %v, want %v", name, until, ok, want)
		}
	}
	if until, ok := s.Until("img.example.com", now.AddDate(-50, 0, 0)); ok {
		t.Errorf("before it is valid: until %v", until)
	}
}
