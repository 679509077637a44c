package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/caddyserver/certmagic"
	acmeproto "github.com/mholt/acmez/v3/acme"
)

// account is that of the authority: the stored one, the one that the fleet shares, or one that is registered now.
// i.accounts is held.
func (i *issuer) account(ctx context.Context) (acmeproto.Account, error) {
	a, err := i.storedAccount(ctx)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if i.depot.account(ctx, i) {
		return i.storedAccount(ctx)
	}
	return i.register(ctx)
}

func (i *issuer) storedAccount(ctx context.Context) (acmeproto.Account, error) {
	var a acmeproto.Account
	text, err := i.storage.Load(ctx, i.accountKey("account.json"))
	key, err2 := i.storage.Load(ctx, i.accountKey("account.key"))
	if err = errors.Join(err, err2); unopened(err) {
		err = errors.Join(err, fs.ErrNotExist) // of a former fleet secret: it was in use too rarely to be encrypted anew
	}
	if err != nil {
		return a, err
	}
	broken := json.Unmarshal(text, &a)
	if a.PrivateKey, err = certmagic.PEMDecodePrivateKey(key); broken != nil || err != nil || a.Location == "" {
		return a, fmt.Errorf("the stored account is broken: %w", fs.ErrNotExist) // another one is as good
	}
	return a, nil
}

// accountKey is where a part of the account is stored: each mail address has its own.
func (i *issuer) accountKey(part string) string {
	return path.Join("accounts", i.IssuerKey(), certmagic.StorageKeys.Safe("of "+i.email), part)
}

func (i *issuer) register(ctx context.Context) (acmeproto.Account, error) {
	if err := i.checkTerms(ctx); err != nil {
		return acmeproto.Account{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return acmeproto.Account{}, fmt.Errorf("make an account's key: %w", err)
	}
	a := acmeproto.Account{PrivateKey: key, TermsOfServiceAgreed: i.agreed}
	if i.email != "" {
		a.Contact = []string{"mailto:" + i.email}
	}
	if i.binding != nil {
		if err := a.SetExternalAccountBinding(ctx, i.client.Client, *i.binding); err != nil {
			return a, fmt.Errorf("bind the account to key_id %s: %w", i.binding.KeyID, err)
		}
	}
	if a, err = i.client.NewAccount(ctx, a); err != nil {
		return a, fmt.Errorf("register an account: %w", err)
	}
	return a, i.storeAccount(ctx, a)
}

// checkTerms refuses an authority whose terms nobody has agreed to.
func (i *issuer) checkTerms(ctx context.Context) error {
	if i.agreed {
		return nil
	}
	d, err := i.client.GetDirectory(ctx)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	if d.Meta != nil && d.Meta.TermsOfService != "" {
		return fmt.Errorf("it has terms, %s: read them, and set tls.acme.agree_to_terms", d.Meta.TermsOfService)
	}
	return nil
}

func (i *issuer) storeAccount(ctx context.Context, a acmeproto.Account) error {
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("store the account: %w", err)
	}
	key, err := certmagic.PEMEncodePrivateKey(a.PrivateKey)
	if err != nil {
		return fmt.Errorf("store the account: %w", err)
	}
	err = errors.Join(i.storage.Store(ctx, i.accountKey("account.key"), key), i.storage.Store(ctx, i.accountKey("account.json"), text))
	if err == nil {
		i.depot.putAccount(ctx, i)
	}
	return err
}

// forgetAccount drops an account that the authority no longer knows.
func (i *issuer) forgetAccount(ctx context.Context) error {
	i.depot.forgetAccount(ctx, i)
	return i.storage.Delete(ctx, i.accountKey("account.json"))
}
