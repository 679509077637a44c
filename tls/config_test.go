package edgetls_test

import (
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"

	edgetls "github.com/anyedge/anyedge/tls"
)

func TestDefaults(t *testing.T) {
	s := load(t, files(t, newKey(t), "x.example"))
	state, err := handshake(t, s.Config(), &tls.Config{NextProtos: []string{"http/1.1", "h2"}})
	must(t, err)
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 || state.NegotiatedProtocol != "h2" {
		t.Errorf("%s, %v, ALPN %q", tls.VersionName(state.Version), state.CurveID, state.NegotiatedProtocol)
	}
	if _, err := handshake(t, s.Config(), &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
}

func TestMinVersionFollowsReplace(t *testing.T) {
	f := files(t, newKey(t), "x.example")
	s := load(t, f)
	config, old := s.Config(), &tls.Config{MaxVersion: tls.VersionTLS12}
	for _, v := range []string{"1.2", "1.3", "1.2"} {
		o := options(f)
		o.MinVersion = v
		must(t, s.Replace(o))
		if _, err := handshake(t, config, old); (err == nil) != (v == "1.2") {
			t.Errorf("min_version %s: TLS 1.2: %v", v, err)
		}
		state, err := handshake(t, config, &tls.Config{NextProtos: []string{"h2"}})
		must(t, err)
		if state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != "h2" {
			t.Errorf("min_version %s: %s %q", v, tls.VersionName(state.Version), state.NegotiatedProtocol)
		}
	}
}

func TestReplaceIsAllOrNothing(t *testing.T) {
	a, b := files(t, newKey(t), "a.example"), files(t, newKey(t), "b.example")
	s := load(t, a)
	pair, _, err := edgetls.SelfSigned("added.example")
	must(t, err)
	must(t, s.Add(pair))
	config := s.Config()
	missing := edgetls.CertificateFiles{Cert: "/nonexistent/c.pem", Key: "/nonexistent/k.pem"}
	if s.Replace(options(b, missing)) == nil {
		t.Fatal("replaced by what isn't there")
	}
	served := func() []string {
		var names []string
		for _, name := range []string{"a.example", "b.example", "added.example"} {
			state, err := handshake(t, config, &tls.Config{ServerName: name})
			must(t, err)
			names = append(names, state.PeerCertificates[0].Subject.CommonName)
		}
		return names
	}
	if got := served(); got[0] != "a.example" || got[1] != "a.example" || got[2] != "added.example" {
		t.Errorf("after a mistake: served %q", got)
	}
	must(t, s.Replace(options(b)))
	if got := served(); got[0] != "b.example" || got[1] != "b.example" || got[2] != "added.example" {
		t.Errorf("after Replace: served %q", got)
	}
}

// resumes says whether a session of cache resumes on server.
func resumes(t *testing.T, server *tls.Config, version uint16, cache tls.ClientSessionCache) bool {
	t.Helper()
	state, err := handshake(t, server, &tls.Config{
		ServerName: "x.example", MinVersion: version, MaxVersion: version, ClientSessionCache: cache,
	})
	must(t, err)
	return state.DidResume
}

func TestTicketsOpenOnEveryClone(t *testing.T) {
	f := files(t, newKey(t), "x.example")
	s := load(t, f)
	first := s.Config()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := tls.NewLRUClientSessionCache(8)
		if resumes(t, first, version, cache) {
			t.Fatal("resumed from nothing")
		}
		other := s.Config().Clone()
		other.GetConfigForClient = nil
		for name, config := range map[string]*tls.Config{"the same": first, "a clone": first.Clone(), "another": other} {
			if !resumes(t, config, version, cache) {
				t.Errorf("%s, %s: not resumed", tls.VersionName(version), name)
			}
		}
		must(t, s.Replace(options(f)))
		if !resumes(t, first, version, cache) {
			t.Errorf("%s: not resumed after Replace", tls.VersionName(version))
		}
	}
	if resumes(t, load(t, f).Config(), tls.VersionTLS13, sessionOf(t, first)) {
		t.Error("another store opened the ticket: the keys are not random")
	}
}

func sessionOf(t *testing.T, server *tls.Config) tls.ClientSessionCache {
	t.Helper()
	cache := tls.NewLRUClientSessionCache(8)
	resumes(t, server, tls.VersionTLS13, cache)
	return cache
}

func TestTicketKeysRotate(t *testing.T) {
	state, session := anySession(t)
	synctest.Test(t, func(t *testing.T) {
		config := load(t).Config()
		seal := func() []byte {
			ticket, err := config.WrapSession(state, session)
			must(t, err)
			return ticket
		}
		opens := func(ticket []byte) bool {
			session, err := config.UnwrapSession(ticket, state)
			must(t, err)
			return session != nil
		}
		first := seal()
		for day := range 10 {
			if want := day < 8; opens(first) != want { // RFC 8446, section 4.6.1: seven days
				t.Errorf("day %d: the first ticket opens: %t", day, !want)
			}
			if !opens(seal()) {
				t.Errorf("day %d: today's ticket doesn't open", day)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

// anySession is a session as a handshake makes it.
func anySession(t *testing.T) (state tls.ConnectionState, session *tls.SessionState) {
	t.Helper()
	config := load(t, files(t, newKey(t), "x.example")).Config()
	wrap := config.WrapSession
	config.WrapSession = func(c tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
		state, session = c, s
		return wrap(c, s)
	}
	_, err := handshake(t, config, &tls.Config{ServerName: "x.example", ClientSessionCache: tls.NewLRUClientSessionCache(1)})
	must(t, err)
	return state, session
}
