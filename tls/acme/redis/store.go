package redis

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The fields of a value's hash.
const (
	fieldValue    = "value"
	fieldModified = "modified" // in Unix milliseconds, of who stored it
)

// connections bounds those to Redis: so many certificates are looked at at once, and some locks renewed.
const connections = 12

// scanCount is how many keys Redis looks at for one step of a listing.
const scanCount = 512

// Store is a certmagic.Storage in Redis. Its methods may be called concurrently. Errors are fs.ErrNotExist for what isn't
// there, and such that IsAway tells.
type Store struct {
	client   *goredis.Client
	server   string
	prefix   string
	owner    string
	timeout  time.Duration
	lockLife time.Duration
	away     away

	mu     sync.Mutex // guards the following fields
	leases map[string]*lease
	closed bool
}

var (
	_ certmagic.Storage   = (*Store)(nil)
	_ certmagic.TryLocker = (*Store)(nil)
)

// New returns a Store by o, whose locks say that owner, this node, has them. It reads the files that o names, and asks
// Redis for nothing yet.
func New(o Options, owner string) (*Store, error) {
	password, err := o.password()
	if err != nil {
		return nil, err
	}
	secure, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	logging.Disable() // what it says is in the errors as well, and would go to stderr
	client := goredis.NewClient(&goredis.Options{
		Addr: o.Server, Username: o.Username, Password: password, DB: o.Database, TLSConfig: secure,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true,
		DialerRetries: 1, MaxRetries: -1, PoolSize: connections, PoolTimeout: o.Timeout,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	return &Store{
		client: client, server: o.Server, prefix: o.Prefix, owner: owner, timeout: o.Timeout, lockLife: o.LockLife,
		leases: map[string]*lease{},
	}, nil
}

// Close gives up all locks, and ends all connections.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	held := make([]*lease, 0, len(s.leases))
	for _, l := range s.leases {
		held = append(held, l)
	}
	s.mu.Unlock()
	for _, l := range held {
		_ = s.release(context.Background(), l) // one that isn't given up ends by itself
	}
	return s.client.Close()
}

func (s *Store) key(key string) string { return s.prefix + key }

// Store puts value at key.
func (s *Store) Store(ctx context.Context, key string, value []byte) error {
	return s.do(ctx, func(ctx context.Context) error {
		return s.client.HSet(ctx, s.key(key), fieldValue, value, fieldModified, time.Now().UnixMilli()).Err()
	})
}

// Load returns the value at key.
func (s *Store) Load(ctx context.Context, key string) (value []byte, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		value, err = s.client.HGet(ctx, s.key(key), fieldValue).Bytes()
		return err
	})
	return value, absent(key, err)
}

// absent tells in certmagic's words that there is nothing at key.
func absent(key string, err error) error {
	if errors.Is(err, goredis.Nil) {
		return fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return err
}

// Delete deletes key, and everything below it.
func (s *Store) Delete(ctx context.Context, key string) error {
	below, err := s.below(ctx, key)
	if err != nil {
		return err
	}
	names := []string{s.key(key)}
	for _, k := range below {
		names = append(names, s.key(k))
	}
	return s.do(ctx, func(ctx context.Context) error { return s.client.Unlink(ctx, names...).Err() })
}

// Exists tells whether there is a value at key, or one below it.
func (s *Store) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// List lists the keys below path; without recursive, those right below it.
func (s *Store) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	keys, err := s.below(ctx, path)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if !recursive {
		for i, k := range keys {
			name, _, _ := strings.Cut(strings.TrimPrefix(k, slashed(path)), "/")
			keys[i] = slashed(path) + name
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// Stat describes key, a value or what values are below.
func (s *Store) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	info := certmagic.KeyInfo{Key: key}
	var modified string
	err := s.do(ctx, func(ctx context.Context) error {
		var err error
		modified, err = s.client.HGet(ctx, s.key(key), fieldModified).Result()
		if err != nil {
			return err
		}
		info.Size, err = s.client.HStrLen(ctx, s.key(key), fieldValue).Result()
		return err
	})
	if err == nil {
		ms, err := strconv.ParseInt(modified, 10, 64)
		if err != nil {
			return info, fmt.Errorf("redis %s: %s was not stored by anyedge: %w", s.server, s.key(key), err)
		}
		info.Modified, info.IsTerminal = time.UnixMilli(ms), true
		return info, nil
	}
	if !errors.Is(err, goredis.Nil) {
		return info, err
	}
	below, err := s.below(ctx, key)
	if err == nil && len(below) == 0 {
		err = fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return info, err
}

// below are the keys of all values below path, in no order.
func (s *Store) below(ctx context.Context, path string) (keys []string, err error) {
	found := map[string]bool{} // a scan may tell a key twice
	for cursor := uint64(0); ; {
		var page []string
		err := s.do(ctx, func(ctx context.Context) (err error) {
			page, cursor, err = s.client.Scan(ctx, cursor, literal(s.key(slashed(path)))+"*", scanCount).Result()
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, k := range page {
			if k = strings.TrimPrefix(k, s.prefix); !found[k] && !strings.HasPrefix(k, lockPrefix) {
				found[k] = true
				keys = append(keys, k)
			}
		}
		if cursor == 0 {
			return keys, nil
		}
	}
}

// slashed is path as the beginning of what is below it.
func slashed(path string) string {
	if path == "" {
		return ""
	}
	return strings.TrimSuffix(path, "/") + "/"
}

// literal is s as a pattern that matches s alone.
func literal(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}
