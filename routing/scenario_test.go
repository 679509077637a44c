package routing_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

var rewrite = flag.Bool("rewrite", false, "write what Decide says into testdata/decide, for the diff to be read")

// TestScenarios plays testdata/decide/*.txt: prose, commands, a line of dashes, and what Decide says to them.
//
//	vip origins=shop,img self_checks=no   what the VIP has; at the start one origin, shop, and self checks
//	options rise=30s path_fall=3s         at the start the defaults
//	self_check ok                         grades: ok, warn, crit, unknown; what follows is the signal's detail
//	self_check silent                     it no longer reports
//	probe shop crit 2/2 servers down
//	fills shop crit, latency shop warn
//	shares shop=70% img=30%               of the requests
//	drain REASON, undrain, force LEVEL DURATION REASON, unforce, stop REASON
//	quarantine REASON                     the process is one of many that died
//	cpu warn                              the node's load: how busy its processors are, here at a plausible figure
//	cpu crit 60%                          or at this one
//	metro ams, load 2G                    of this node, and what it serves now
//	node fra-1 metro=fra age=1s           another node, fresh, verified, announced and with room but for what is said:
//	                                      metro, age, verified, level, failing=yes, headroom, and origins as shop=ok or shop=20s, for
//	                                      how long ago it last found the path critical
//	run 10s                               time passes; a line for each change of level or reason
//	explain                               the decision as it stands, and what would change it
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/decide/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newScenario(t).play(string(script))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(script) {
				t.Errorf("%s: Decide says otherwise; got:\n%s", file, got)
			}
		})
	}
}

// step is how often a scenario's controller decides.
const step = 100 * time.Millisecond

type scenario struct {
	t       *testing.T
	in      routing.Input
	signals []health.Signal
	last    routing.Decision
	out     *strings.Builder
}

func newScenario(t *testing.T) *scenario {
	s := &scenario{t: t, out: &strings.Builder{}}
	s.in = routing.Input{
		Now: noon, VIP: "www", SelfChecks: true, Shares: map[string]float64{"shop": 1},
		State: routing.State{Level: routing.Withdrawn, Since: noon},
	}
	s.in.Options.SetDefaults()
	return s
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// play runs the script and returns it with the answers as they are.
func (s *scenario) play(script string) string {
	var whole strings.Builder
	answer := false
	for line := range strings.Lines(script) {
		command := strings.TrimSpace(line)
		switch {
		case command == "----":
			answer = true
			whole.WriteString(line + s.out.String())
			s.out.Reset()
			continue
		case command == "":
			answer = false
		case answer:
			continue
		case !strings.HasPrefix(command, "#"):
			s.do(command)
		}
		whole.WriteString(line)
	}
	return whole.String()
}

func (s *scenario) do(command string) {
	verb, rest, _ := strings.Cut(command, " ")
	switch verb {
	case "vip", "options", "shares":
		for _, pair := range strings.Fields(rest) {
			key, value, _ := strings.Cut(pair, "=")
			s.set(verb, key, value)
		}
	case "self_check", "self_quic":
		s.grade(health.SignalName(verb), "www", rest)
	case "probe", "fills", "latency":
		origin, rest, _ := strings.Cut(rest, " ")
		s.grade(map[string]health.SignalName{"probe": health.OriginProbe, "fills": health.FillErrors, "latency": health.FillLatency}[verb], origin, rest)
	case "drain":
		s.drain(rest)
	case "undrain":
		s.in.Drain = nil
	case "force":
		s.force(rest)
	case "unforce":
		s.in.Force = nil
	case "quarantine":
		s.in.Quarantine = rest
	case "cpu":
		s.cpu(rest)
	case "metro":
		s.fleet().Metro = rest
	case "load":
		s.fleet().Load = s.bits(rest)
	case "node":
		s.node(strings.Fields(rest))
	case "stop":
		s.in.Stop = rest
	case "run":
		s.run(s.duration(rest))
	case "explain":
		s.explain()
	default:
		s.t.Fatalf("unknown command %q", command)
	}
}

func (s *scenario) cpu(text string) {
	grade, figure, given := strings.Cut(text, " ")
	s.grade(health.CPU, "node", grade)
	if given {
		percent, err := strconv.ParseFloat(strings.TrimSuffix(figure, "%"), 64)
		if err != nil {
			s.t.Fatal(err)
		}
		last := &s.signals[len(s.signals)-1]
		last.Value, last.Detail = percent/100, ""
	}
}

func (s *scenario) fleet() *routing.Fleet {
	f := routing.Fleet{}
	if s.in.Fleet != nil {
		f = *s.in.Fleet
	}
	s.in.Fleet = &f
	return s.in.Fleet
}

func (s *scenario) bits(text string) float64 {
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "G"), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return v * 1e9
}

func (s *scenario) node(words []string) {
	f := s.fleet()
	i := slices.IndexFunc(f.Nodes, func(n routing.Node) bool { return n.Name == words[0] })
	n := routing.Node{Name: words[0], Metro: "fra", Headroom: 10e9, Origins: map[string]time.Duration{"shop": -1}}
	if i >= 0 {
		n = f.Nodes[i]
		n.Origins = maps.Clone(n.Origins)
	}
	for _, pair := range words[1:] {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "metro":
			n.Metro = value
		case "age":
			n.Age = s.duration(value)
		case "verified":
			n.Verified = s.duration(value)
		case "level":
			n.Level = routing.Level(value[0] - '0')
		case "failing":
			n.Failing = value == "yes"
		case "headroom":
			n.Headroom = s.bits(value)
		default:
			n.Origins[key] = -1
			if value != "ok" {
				n.Origins[key] = s.duration(value)
			}
		}
	}
	f.Nodes = slices.DeleteFunc(slices.Clone(f.Nodes), func(o routing.Node) bool { return o.Name == n.Name })
	f.Nodes = append(f.Nodes, n)
}

// drain reads "REASON", or "for 1h REASON".
func (s *scenario) drain(text string) {
	s.in.Drain = &routing.Drain{Since: s.in.Now, Reason: text}
	if span, ok := strings.CutPrefix(text, "for "); ok {
		span, reason, _ := strings.Cut(span, " ")
		s.in.Drain.Until, s.in.Drain.Reason = s.in.Now.Add(s.duration(span)), reason
	}
}

func (s *scenario) force(text string) {
	words := strings.SplitN(text, " ", 3)
	level, err := strconv.Atoi(words[0])
	if err != nil {
		s.t.Fatal(err)
	}
	s.in.Force = &routing.Force{Level: routing.Level(level), Since: s.in.Now, Until: s.in.Now.Add(s.duration(words[1])), Reason: words[2]}
}

func (s *scenario) set(verb, key, value string) {
	durations := map[string]*time.Duration{
		"path_fall": &s.in.Options.PathFall, "path_warn": &s.in.Options.PathWarn, "rise": &s.in.Options.Rise,
		"load_fall": &s.in.Options.LoadFall, "load_rise": &s.in.Options.LoadRise,
		"warm_up": &s.in.Options.WarmUp, "drain_lead": &s.in.Options.DrainLead,
	}
	switch {
	case verb == "shares":
		percent, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
		if err != nil {
			s.t.Fatal(err)
		}
		shares := map[string]float64{}
		for k, v := range s.in.Shares {
			shares[k] = v
		}
		shares[key] = percent / 100
		s.in.Shares = shares
	case key == "origins":
		s.in.Shares = map[string]float64{}
		origins := strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		for _, o := range origins {
			s.in.Shares[o] = 1 / float64(len(origins))
		}
	case key == "self_checks":
		s.in.SelfChecks = value == "yes"
	case key == "shed":
		s.in.Options.Shed = strings.Split(value, ",")
	case key == "refuse_fills":
		s.in.Options.RefuseFills = value == "yes"
	case key == "on_last":
		s.in.Options.OnLast = value
	case durations[key] != nil:
		*durations[key] = s.duration(value)
	default:
		s.t.Fatalf("unknown key %q of %s", key, verb)
	}
}

func (s *scenario) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// grade sets a signal to a value that has the grade by the default thresholds.
func (s *scenario) grade(name health.SignalName, subject, text string) {
	word, detail, _ := strings.Cut(text, " ")
	silent := word == "silent"
	if silent {
		word = "warn"
	}
	var g health.Grade
	if err := g.UnmarshalText([]byte(word)); err != nil {
		s.t.Fatal(err)
	}
	sig := signal(name, subject, g)
	sig.Detail, sig.Since = detail, s.in.Now
	if silent {
		sig.Value, sig.Samples = 0, sig.MinSamples
	}
	var others []health.Signal
	for _, o := range s.signals {
		if o.Name != name || o.Subject != subject {
			others = append(others, o)
		}
	}
	s.signals = append(others, sig)
}

// run decides until d has passed.
func (s *scenario) run(d time.Duration) {
	for end := s.in.Now.Add(d); !s.in.Now.After(end); s.in.Now = s.in.Now.Add(step) {
		if s.decide() {
			fmt.Fprintf(s.out, "%-8s %s\n", fmt.Sprintf("+%.1fs", s.in.Now.Sub(noon).Seconds()), s.last.Sentence("www"))
		}
	}
	s.in.Now = s.in.Now.Add(-step)
}

// decide decides, and says whether level or reason changed.
func (s *scenario) decide() bool {
	was := s.last
	s.in.Signals = s.signals
	s.last = routing.Decide(s.in)
	s.record(was)
	s.in.State = s.last.State
	return s.last.From != s.last.To || s.last.Reason != was.Reason || !slices.Equal(s.last.Withheld, was.Withheld)
}

// record checks that each decision of another kind than the one before can be replayed from its record.
func (s *scenario) record(was routing.Decision) {
	if s.last.From != s.last.To || s.last.Reason != was.Reason {
		replays(s.t, asJSON(s.t, routing.Record{Input: s.in, Decision: s.last}), 1)
	}
}

func (s *scenario) explain() {
	s.decide()
	fmt.Fprintf(s.out, "%s\n", s.last.Sentence("www"))
	for _, n := range s.last.Next {
		fmt.Fprintf(s.out, "  it %s\n", n.Sentence(s.last.To, s.in.Now))
	}
}

// signal is one with a plausible value for its grade.
func signal(name health.SignalName, subject string, g health.Grade) health.Signal {
	s := health.Signal{Name: name, Subject: subject, Cause: health.Path, Unit: health.Ratio, Grade: g, Since: noon}
	values := map[health.Grade]float64{}
	switch name {
	case health.SelfCheck, health.SelfQUIC:
		s.Cause, s.Unit, s.Warn, s.Crit, s.WarnExit, s.CritExit, s.MinSamples = health.Local, health.Failures, 1, 3, 1, 1, 3
		values = map[health.Grade]float64{health.Warn: 1, health.Crit: 3}
	case health.CPU:
		s.Cause, s.Warn, s.Crit, s.WarnExit, s.CritExit, s.Samples = health.Load, .8, .95, .6, .85, 1
		values = map[health.Grade]float64{health.OK: .3, health.Warn: .85, health.Crit: .97}
	case health.OriginProbe:
		s.Warn, s.Crit, s.WarnExit, s.CritExit, s.Samples = .34, 1, .34, 1, 2
		values = map[health.Grade]float64{health.Warn: .5, health.Crit: 1}
	case health.FillErrors:
		s.Warn, s.Crit, s.WarnExit, s.CritExit, s.Samples, s.MinSamples = .02, .2, .01, .1, 100, 50
		values = map[health.Grade]float64{health.Warn: .05, health.Crit: .4}
	case health.FillLatency:
		s.Unit, s.Warn, s.Crit, s.WarnExit, s.CritExit, s.Samples, s.MinSamples = health.Seconds, .5, 2, .375, 1.5, 100, 50
		values = map[health.Grade]float64{health.OK: .08, health.Warn: .7, health.Crit: 2.5}
	}
	if g == health.Unknown && s.Unit != health.Failures {
		s.Samples = 7
	}
	s.Value = values[g]
	return s
}
