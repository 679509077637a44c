package bgp

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxCommunication is how much text a Cease carries, in octets. RFC 9003 has room for 255, but routers that know only
// RFC 8203 take 128.
const maxCommunication = 128

// Stop withdraws every route, waits until the peers were written that, then ends the sessions with Cease/Administrative
// Shutdown and message (RFC 9003). The end of ctx shortens the waits, no more. When it returns nothing of the speaker runs.
// It is idempotent.
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
	withdrawErr := s.reconcile(ctx)
	shutErr := e.shutDown(truncate(message, maxCommunication))
	if shutErr != nil {
		shutErr = fmt.Errorf("end the BGP sessions: %w", shutErr)
	}
	await(ctx, func() bool {
		for _, peer := range e.traffic() {
			if peer.up {
				return false
			}
		}
		return true
	})
	return errors.Join(withdrawErr, shutErr)
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
