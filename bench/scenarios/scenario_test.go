package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/scenarios"
)

func TestAllThatComeWithBench(t *testing.T) {
	names := scenarios.Names()
	if len(names) < 10 {
		t.Errorf("only %v", names)
	}
	for _, name := range names {
		s, err := scenarios.Load(name)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if s.Name != name {
			t.Errorf("%s is called %s", name, s.Name)
		}
		for _, p := range []load.Protocol{load.H1, load.H2, load.H3} {
			if s.Clients(p) == nil {
				continue
			}
			plan := s.Plan(p, "192.0.2.1:443", 1)
			for i := range 100 {
				if r := plan.Request(i); r.Path == "" || r.Octets <= 0 {
					t.Fatalf("%s asks for %+v", name, r)
				}
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	const good = "about: x\nh1: {}\ncontent: {octets: 1KiB}\n"
	if _, err := scenarios.Parse("x.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		`x.yaml:4:1: rat: unknown key; did you mean "rate"?`:      good + "rat: 5\n",
		`x.yaml:4:7: rate: "fast" is not a number`:                good + "rate: fast\n",
		`x.yaml:1:1: is empty`:                                    "",
		`is required: what the scenario is`:                       "h1: {}\ncontent: {octets: 1KiB}\n",
		`has no clients: give it h1, h2 or h3`:                    "about: x\ncontent: {octets: 1KiB}\n",
		`content.octets: is required`:                             "about: x\nh1: {}\n",
		`h1.connections: must be from 1 to 10000`:                 "about: x\nh1: {connections: 0}\ncontent: {octets: 1KiB}\n",
		`h2.streams: must be from 1 to 100`:                       "about: x\nh2: {streams: 1000}\ncontent: {octets: 1KiB}\n",
		`"often" is not kept, new or resumed`:                     good + "kept: often\n",
		`handshakes of H2 are those of H1`:                        good + "kept: new\nh2: {}\n",
		`content.skew: must be above 1`:                           "about: x\nh1: {}\ncontent: {octets: 1KiB, order: zipf, skew: 0.9}\n",
		`"all" is not uniform, zipf or once`:                      "about: x\nh1: {}\ncontent: {octets: 1KiB, order: all}\n",
		`content.range: must not be longer than the content`:      "about: x\nh1: {}\ncontent: {octets: 1KiB, range: 1MiB}\n",
		`rate: is required with events`:                           good + "events: [{at: 1s, do: origin_down}]\n",
		`events[0].do: "sleep" is not origin_down or origin_up`:   good + "rate: 9\nevents: [{at: 1s, do: sleep}]\n",
		`events[1].at: must be within the duration and after the`: good + "rate: 9\nevents: [{at: 2s, do: origin_down}, {at: 1s, do: origin_up}]\n",
		`duration: must be above 0 and at most 1h`:                good + "duration: 2h\n",
	} {
		if _, err := scenarios.Parse("x.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
}

func TestLoadNamesOrFiles(t *testing.T) {
	if _, err := scenarios.Load("hitt"); err == nil || !strings.Contains(err.Error(), "there are") {
		t.Errorf("%v", err)
	}
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("about: x\nh1: {}\ncontent: {octets: 1KiB}\nduration: 7s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := scenarios.Load(file)
	if err != nil || s.Name != "mine" || s.Duration != 7*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := scenarios.Load(file + ".yaml"); err == nil {
		t.Error("a file that isn't there")
	}
}

// What is drawn is the same for the same seed, and differs in popularity as it should.
func TestOrders(t *testing.T) {
	s := func(content string) *scenarios.Scenario {
		one, err := scenarios.Parse("x.yaml", []byte("about: x\nh1: {}\ncontent: "+content+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		return one
	}
	count := func(s *scenarios.Scenario, seed, n int) map[string]int {
		seen := map[string]int{}
		plan := s.Plan(load.H1, "", seed)
		for i := range n {
			seen[plan.Request(i).Path]++
		}
		return seen
	}
	zipf := s("{octets: 1KiB, number: 1000, order: zipf, skew: 1.2}")
	first := count(zipf, 1, 10000)
	if top := first["/86400/1024/500000000"]; top < 1000 || top <= first["/86400/1024/500000009"]*2 || len(first) < 100 {
		t.Errorf("%d different, the first %d times", len(first), top)
	}
	for path, n := range count(zipf, 1, 10000) {
		if first[path] != n {
			t.Errorf("%s: %d times, and then %d", path, first[path], n)
		}
	}
	if n := len(count(s("{octets: 1KiB, order: once}"), 1, 10000)); n != 10000 {
		t.Errorf("once: %d different of 10000", n)
	}
	ranges := s("{octets: 1MiB, range: 1KiB}").Plan(load.H1, "", 1)
	if a, b := ranges.Request(0), ranges.Request(1); a.Range == b.Range || a.Octets != 1024 || a.Status != 206 {
		t.Errorf("%+v, %+v", a, b)
	}
}
