package acme

import (
	"context"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

// solver has challenges answered by Challenges, for the life of one authorization. It fulfils acmez.Solver.
type solver struct{ challenges Challenges }

// Present begins to answer c.
func (s solver) Present(ctx context.Context, c acmeproto.Challenge) error {
	return s.challenges.Put(ctx, challengeOf(c))
}

// CleanUp ends it.
func (s solver) CleanUp(ctx context.Context, c acmeproto.Challenge) error {
	s.challenges.Delete(ctx, challengeOf(c))
	return nil
}

func challengeOf(c acmeproto.Challenge) Challenge {
	return Challenge{Type: c.Type, Name: c.Identifier.Value, Token: c.Token, KeyAuthorization: c.KeyAuthorization}
}
