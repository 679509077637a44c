package bgp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"unicode/utf8"
)

// maxCommunication is how much text a Cease carries, in octets. RFC 9003 has room for 255, but routers that know only
// RFC 8203 take 128.
const maxCommunication = 128

// Stop withdraws every route, waits until the peers were written that, then ends the sessions with Cease/Administrative
// Shutdown and message (RFC 9003), and BFD with AdminDown. The end of ctx shortens the waits, to 100 ms each, and no more. When it returns nothing
// of the speaker runs. It is idempotent.
func (s *Speaker) Stop(ctx context.Context, message string) error {
	s.mu.Lock()
	endWork := s.endWork
	s.phase = stopped
	s.mu.Unlock()
	if endWork == nil {
		return nil // never started
	}
	endWork()
	s.work.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.goodbye(ctx, message)
	s.endEngineLocked()
	return err
}

func (s *Speaker) goodbye(ctx context.Context, message string) error {
	e := s.engine.Load()
	if e == nil {
		return nil
	}
	clear(s.wanted)
	withdrawErr := s.reconcile()
	shutErr := e.shutDown(truncate(message, maxCommunication))
	if shutErr != nil {
		shutErr = fmt.Errorf("end the BGP sessions: %w", shutErr)
	}
	e.awaitIdle(ctx)
	return errors.Join(withdrawErr, shutErr)
}

// awaitIdle waits until the sessions have ended, those too that were only coming up, so that none does while GoBGP stops.
func (e *engine) awaitIdle(ctx context.Context) {
	if ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.Background(), sentWait)
		defer cancel()
		ctx = last
	}
	e.await(ctx, func(_ netip.Addr, now traffic) bool { return now.idle })
}

func (s *Speaker) endEngine() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endEngineLocked()
}

// endEngineLocked stops GoBGP, if it runs. The caller holds mu.
func (s *Speaker) endEngineLocked() {
	e := s.engine.Swap(nil)
	if e == nil {
		return
	}
	e.stop()
	s.sessions.end()
	s.watch.Close()
	clear(s.placed)
}

// truncate cuts text to at most n octets, between characters.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
