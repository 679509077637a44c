package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// step is what happens to a session, by GoBGP's events and log.
type step func(*session) string

func enters(state gobgp.FSMState, reason string) step {
	return func(s *session) string { return s.enter(state, reason, time.Now()) }
}

func hears(what hearing, n notification, detail string) step {
	return func(s *session) string { return s.hear(heard{what, n, detail}) }
}

var (
	comesUp  = enters(gobgp.BGP_FSM_ESTABLISHED, "")
	goesIdle = enters(gobgp.BGP_FSM_IDLE, "reason of the event")
	tries    = enters(gobgp.BGP_FSM_ACTIVE, "")
	confirms = enters(gobgp.BGP_FSM_OPENCONFIRM, "")
	refused  = hears(dialFailed, notification{}, "dial tcp 192.0.2.1:179: connect: connection refused")
	closed   = hears(closedEarly, notification{}, "")
	wrongAS  = hears(notificationSent, notification{code: 2, subcode: 2}, "")
	ceased   = hears(notificationReceived, notification{6, 2, "bye\x1b[31m"}, "")
)

// A session's story from its events: what is told of it, how often it flapped, and what its last error is at the end.
func TestSessionStory(t *testing.T) {
	const peer = "session with a (192.0.2.1)"
	for _, c := range []struct {
		story     string
		steps     []step
		told      []string // each non-empty text, in part
		flaps     int
		lastError string // in part; "" for none
	}{
		{"comes up", []step{tries, confirms, comesUp}, []string{peer + " established"}, 0, ""},
		{"an event twice", []step{comesUp, comesUp, goesIdle, goesIdle}, []string{"established", "down"}, 1, "reason of the event"},
		{"refused, again and again", []step{tries, refused, refused}, []string{peer + ": connection refused by 192.0.2.1 port 179"}, 0, "connection refused"},
		{"what kept it down is forgotten once it is up", []step{tries, refused, confirms, comesUp}, []string{"refused", "established"}, 0, ""},
		{"the NOTIFICATION says more than the event", []step{comesUp, ceased, goesIdle}, []string{"established", `down: peer sent Cease/Administrative Shutdown: "bye\x1b[31m"`}, 1, "peer sent Cease"},
		{"both: why it ended, what keeps it down", []step{comesUp, ceased, goesIdle, tries, refused}, []string{"established", "down", "refused"}, 1, "no BGP daemon listens there; the last session ended: peer sent Cease"},
		{"each end has its own reason", []step{comesUp, ceased, goesIdle, comesUp, goesIdle}, []string{"established", "peer sent", "established", "reason of the event"}, 2, "reason of the event"},
		{"a silent close says less than a NOTIFICATION", []step{tries, wrongAS, closed}, []string{"wrong peer AS (OPEN 2/2): the router isn't in AS 64496, as bgp.peers[a].asn says"}, 0, "wrong peer AS"},
		{"but it is told where there is nothing else", []step{tries, closed, wrongAS}, []string{"without a word", "wrong peer AS"}, 0, "wrong peer AS"},
		{"the router refuses our OPEN", []step{tries, confirms, goesIdle}, []string{"refused our OPEN: does it expect AS 64512"}, 0, "refused our OPEN"},
		{"the router refuses it before its own OPEN", []step{tries, hears(notificationSent, notification{code: 5, subcode: 1}, "")}, []string{"refused our OPEN"}, 0, "refused our OPEN"},
		{"one router ID on both sides", []step{tries, hears(notificationSent, notification{code: 2, subcode: 3}, "")}, []string{"bgp.router_id too"}, 0, "bad BGP identifier"},
		{"an OPEN that we refuse for another reason", []step{tries, hears(notificationSent, notification{code: 2, subcode: 6}, "")}, []string{"OPEN Message Error/Unacceptable Hold Time"}, 0, "we refused the router's OPEN"},
		{"hold timer", []step{comesUp, hears(notificationSent, notification{code: 4}, ""), goesIdle}, []string{"established", "fell silent"}, 1, "hold timer expired"},
		{"we send a NOTIFICATION", []step{comesUp, hears(notificationSent, notification{code: 3, subcode: 1}, ""), goesIdle}, []string{"established", "we sent UPDATE Message Error/1"}, 1, "we sent"},
		{"an error of the system", []step{tries, hears(dialFailed, notification{}, "no route to host")}, []string{"connect to 192.0.2.1 port 179: no route to host"}, 0, "no route to host"},
		{"no answer", []step{tries, hears(dialFailed, notification{}, "i/o timeout")}, []string{"no answer from 192.0.2.1 port 179: a wrong address, a firewall"}, 0, "no answer"},
	} {
		t.Run(c.story, func(t *testing.T) {
			s := newSession(neighbor{Peer: Peer{Name: "a", Address: netip.MustParseAddr("192.0.2.1"), Port: 179, ASN: 64496}, ownASN: 64512})
			var told []string
			for _, step := range c.steps {
				if text := step(s); text != "" {
					told = append(told, text)
				}
			}
			if !slices.EqualFunc(told, c.told, strings.Contains) {
				t.Errorf("told %q\nwant %q", told, c.told)
			}
			if s.flaps != c.flaps || !strings.Contains(s.lastError(), c.lastError) || (c.lastError == "") != (s.lastError() == "") {
				t.Errorf("flaps %d, last error %q; want %d, %q", s.flaps, s.lastError(), c.flaps, c.lastError)
			}
		})
	}
}

func TestStateNames(t *testing.T) {
	want := []string{"idle", "connect", "active", "opensent", "openconfirm", "established"} // RFC 4271 §8.2.2
	for i, name := range want {
		if got := stateName(gobgp.FSMState(i)); got != name {
			t.Errorf("state %d is %q, want %q", i, got, name)
		}
	}
}

func TestNotificationText(t *testing.T) {
	for want, n := range map[string]notification{
		"Cease/Administrative Shutdown":           {6, 2, ""},
		`Cease/Administrative Reset: "new\nline"`: {6, 4, "new\nline"},
		"Cease/99":                       {6, 99, ""},
		"Cease":                          {6, 0, ""},
		"OPEN Message Error/Bad Peer AS": {2, 2, ""},
		"Hold Timer Expired":             {4, 0, ""},
		"UPDATE Message Error/11":        {3, 11, ""},
		"error 42/1":                     {42, 1, ""},
	} {
		if got := n.String(); got != want {
			t.Errorf("%#v is %q, want %q", n, got, want)
		}
	}
}

// What a peer has is held against what it should have: nothing too much, nothing missing, every attribute.
func TestDiverging(t *testing.T) {
	p, q := netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24")
	n := &neighbor{Peer: Peer{ASN: 64496}, ownASN: 64512}
	set := attributeSet{prepend: 1, med: 5, localPref: 7, communities: communities{standard: []community{1}, large: []largeCommunity{{1, 2, 3}}}}
	good := n.wants(set)
	changes := map[string]func(*announcement){
		"as_path":     func(a *announcement) { a.asPath = []uint32{64512} },
		"next_hop":    func(a *announcement) { a.nextHop = netip.MustParseAddr("192.0.2.9") },
		"local_pref":  func(a *announcement) { a.localPref = 100 },
		"med":         func(a *announcement) { a.med = 0 },
		"communities": func(a *announcement) { a.standard = nil },
		"large":       func(a *announcement) { a.large = []largeCommunity{{1, 2, 4}} },
	}
	type table = map[netip.Prefix]announcement
	if d := diverging(table{p: n.wants(set)}, table{p: good}); len(d) != 0 {
		t.Errorf("the same diverges: %q", d)
	}
	for what, change := range changes {
		bad := n.wants(set)
		change(&bad)
		if d := diverging(table{p: bad}, table{p: good}); len(d) != 1 || !strings.Contains(d[0], "should have") {
			t.Errorf("another %s: %q", what, d)
		}
	}
	got := diverging(table{q: good}, table{p: good})
	if want := []string{fmt.Sprintf("%s is missing", p), fmt.Sprintf("%s is there and should not be", q)}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Attribute sets are told apart by their fingerprints, and only by what they mean.
func TestFingerprint(t *testing.T) {
	none := func(string, string) {}
	read := func(a Attributes) uint32 { return newAttributeSet(a, none).fingerprint() }
	hundred, zero := uint32(100), uint32(0)
	same := [][2]Attributes{
		{{}, {LocalPref: &hundred}},
		{{Communities: []string{"1:1", "no-export"}}, {Communities: []string{"65535:65281", "1:1", "1:1"}}},
		{{GracefulShutdown: true}, {Communities: []string{"graceful-shutdown"}}},
	}
	for _, s := range same {
		if read(s[0]) != read(s[1]) {
			t.Errorf("%+v and %+v mean the same", s[0], s[1])
		}
	}
	seen := map[uint32]Attributes{}
	for _, a := range []Attributes{
		{},
		{Prepend: 1},
		{MED: 1},
		{LocalPref: &zero},
		{GracefulShutdown: true},
		{Communities: []string{"1:1"}},
		{Communities: []string{"0:1:1"}},
		{Communities: []string{"1:1", "1:2"}},
	} {
		if other, taken := seen[read(a)]; taken {
			t.Errorf("%+v and %+v have one fingerprint", a, other)
		}
		seen[read(a)] = a
	}
}
