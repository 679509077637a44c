package acme

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"

	"github.com/caddyserver/certmagic"

	"github.com/anyedge/anyedge/tls/acme/redis"
)

// depot is what the fleet's nodes share in Redis: each certificate with its key as one value, accounts, and locks. All
// that is in it is a copy of what a node has, so that it may be slow, away or wiped: what it hasn't, a node that has it
// brings again. A nil depot has nothing and takes nothing.
type depot struct {
	store   *redis.Store
	storage *sealed
	log     *slog.Logger
}

// newDepot returns the depot that o names, or nil.
func newDepot(o *Options, c *Config) (*depot, error) {
	if o.Redis == nil {
		return nil, nil
	}
	if c.StorageKeys == nil {
		return nil, fmt.Errorf("open tls.acme.redis: %w", errNoKey)
	}
	store, err := redis.New(*o.Redis, c.Node)
	if err != nil {
		return nil, fmt.Errorf("open tls.acme.redis: %w", err)
	}
	return &depot{store, &sealed{Storage: store, keys: c.StorageKeys, seals: true}, c.Log}, nil
}

func (d *depot) close() {
	if d != nil {
		_ = d.store.Close() // nobody uses it any more
	}
}

func depotKey(issuer, name string) string {
	safe := certmagic.StorageKeys.Safe
	return path.Join("certificates", safe(issuer), safe(name))
}

func lockName(name string) string { return "certificate " + name }

// bundle is what the depot has of name from one authority; nil: nothing.
func (d *depot) bundle(ctx context.Context, issuer, name string) (*bundle, error) {
	text, err := d.storage.Load(ctx, depotKey(issuer, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := &bundle{}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("read what is shared of %s: %w", name, err)
	}
	return b, nil
}

func (d *depot) put(ctx context.Context, b *bundle, name string) error {
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("share the certificate for %s: %w", name, err)
	}
	return d.storage.Store(ctx, depotKey(b.Issuer, name), text)
}

// exchange brings this node and the depot to the later of what they have of name, from each authority.
func (s *settings) exchange(ctx context.Context, name string) error {
	if s.depot == nil {
		return nil
	}
	var errs []error
	for _, i := range s.issuers {
		err := s.exchangeOf(ctx, i, name)
		if redis.IsAway(err) {
			return err // the other authorities' would be no better off
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *settings) exchangeOf(ctx context.Context, i *issuer, name string) error {
	theirs, err := s.depot.bundle(ctx, i.IssuerKey(), name)
	if err != nil {
		return err
	}
	shared, broken := s.heldOf(theirs, name)
	ours, here := s.bundleHere(ctx, i, name)
	switch {
	case shared.later(here):
		return s.store(ctx, theirs, name)
	case here.later(shared):
		return errors.Join(broken, s.depot.put(ctx, ours, name))
	}
	return broken
}

// heldOf makes a certificate of a bundle; nil where there is none, or none that is whole.
func (s *settings) heldOf(b *bundle, name string) (*held, error) {
	if b == nil {
		return nil, nil
	}
	h, err := s.unpack(b, name)
	if err != nil {
		return nil, fmt.Errorf("what is shared of %s is broken: %w", name, err)
	}
	return h, nil
}

// bundleHere is what this node has of name from one authority; nil: nothing that is whole.
func (s *settings) bundleHere(ctx context.Context, i *issuer, name string) (*bundle, *held) {
	f, err := s.readFiles(ctx, i, name)
	if err != nil {
		return nil, nil
	}
	h, err := f.held(i, name)
	if err != nil {
		return nil, nil
	}
	return &bundle{i.IssuerKey(), f.cert, f.key, f.meta}, h
}

// later orders the certificates of one authority: that which was issued last, and of those the one that lasts longer.
func (h *held) later(other *held) bool {
	switch {
	case h == nil:
		return false
	case other == nil:
		return true
	}
	a, b := h.certificate.Leaf, other.certificate.Leaf
	return a.NotBefore.After(b.NotBefore) || a.NotBefore.Equal(b.NotBefore) && a.NotAfter.After(b.NotAfter)
}

// lead does work for name as the only node of the fleet, as far as Redis can tell. Another one that is at it is an
// errWaiting; redis.IsAway tells that nobody knows.
func (d *depot) lead(ctx context.Context, name string, work func() error) error {
	ok, err := d.store.TryLock(ctx, lockName(name))
	if err != nil {
		return err
	}
	if !ok {
		holder, err := d.store.Holder(ctx, lockName(name))
		if err != nil {
			return err
		}
		return &errWaiting{node: cmp.Or(holder, "another node"), silent: true}
	}
	err = work()
	if unlock := d.store.Unlock(ctx, lockName(name)); unlock != nil {
		d.log.Warn("acme: a lock in Redis", "name", name, "error", unlock)
	}
	return err
}

// sharedAccount is an account as it is stored.
type sharedAccount struct {
	Account []byte `json:"account"` // JSON
	Key     []byte `json:"key"`     // PEM
}

// account takes the account of an authority that the fleet shares over; false: there is none.
func (d *depot) account(ctx context.Context, i *issuer) bool {
	a, ok := d.loadAccount(ctx, i)
	return ok && i.storage.Store(ctx, i.accountKey("account.key"), a.Key) == nil &&
		i.storage.Store(ctx, i.accountKey("account.json"), a.Account) == nil
}

func (d *depot) loadAccount(ctx context.Context, i *issuer) (a sharedAccount, ok bool) {
	if d == nil {
		return a, false
	}
	text, err := d.storage.Load(ctx, i.accountKey("account"))
	return a, err == nil && json.Unmarshal(text, &a) == nil
}

// putAccount shares the account that this node has. Without Redis, other nodes register accounts of their own.
func (d *depot) putAccount(ctx context.Context, i *issuer) {
	if d == nil {
		return
	}
	account, err1 := i.storage.Load(ctx, i.accountKey("account.json"))
	key, err2 := i.storage.Load(ctx, i.accountKey("account.key"))
	text, err3 := json.Marshal(sharedAccount{account, key})
	if errors.Join(err1, err2, err3) == nil {
		_ = d.storage.Store(ctx, i.accountKey("account"), text) // the account is good without
	}
}

// forgetAccount ends that the account which this node has is shared; another one stays.
func (d *depot) forgetAccount(ctx context.Context, i *issuer) {
	a, ok := d.loadAccount(ctx, i)
	if !ok {
		return
	}
	if key, err := i.storage.Load(ctx, i.accountKey("account.key")); err == nil && bytes.Equal(key, a.Key) {
		_ = d.storage.Delete(ctx, i.accountKey("account")) // whoever takes it over forgets it as well
	}
}
