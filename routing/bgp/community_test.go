package bgp_test

import (
	"strings"
	"testing"

	"github.com/anyedge/anyedge/routing/bgp"
)

func TestParseCommunity(t *testing.T) {
	for text, want := range map[string]string{
		"64512:1":                          "64512:1",
		"0:0":                              "0:0",
		"65535:65535":                      "65535:65535",
		"graceful-shutdown":                "65535:0",
		"blackhole":                        "65535:666",
		"no-export":                        "65535:65281",
		"no-advertise":                     "65535:65282",
		"64512:1:2":                        "64512:1:2",
		"4200000000:4294967295:4294967295": "4200000000:4294967295:4294967295",
	} {
		if got, err := bgp.ParseCommunity(text); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for text, problem := range map[string]string{
		"":                     "is not a community",
		"64512":                "is not a community",
		"no_export":            "is not a community",
		"1:2:3:4":              "is not a community",
		"64512:65536":          "between 0 and 65535",
		"65536:1":              "between 0 and 65535",
		"-1:1":                 "between 0 and 65535",
		"64512:":               "between 0 and 65535",
		" 64512:1":             "between 0 and 65535",
		"1:2:4294967296":       "between 0 and 4294967295",
		"a:b:c":                "between 0 and 4294967295",
		"4294967295:0:1234567": "reserved",
	} {
		_, err := bgp.ParseCommunity(text)
		if err == nil || !strings.Contains(err.Error(), problem) || !strings.Contains(err.Error(), `"`+text+`"`) {
			t.Errorf("%q: %v; want it to name it and say %q", text, err, problem)
		}
	}
}

// Whatever is taken has a canonical form that is taken as the same.
func FuzzParseCommunity(f *testing.F) {
	for _, seed := range []string{"64512:1", "64512:1:2", "no-export", "01:02", "4294967295:1:1", "::", "1:2:3:4", "65535:0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		form, err := bgp.ParseCommunity(text)
		if err != nil {
			return
		}
		if again, err := bgp.ParseCommunity(form); err != nil || again != form {
			t.Errorf("%q is %q, which is %q, %v", text, form, again, err)
		}
		if strings.HasPrefix(form, "4294967295:") {
			t.Errorf("%q is an internal marker", text)
		}
	})
}
