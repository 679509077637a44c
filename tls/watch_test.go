package edgetls_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	edgetls "github.com/anyedge/anyedge/tls"
)

const (
	look     = time.Millisecond
	patience = 10 * time.Second
)

// watch watches s until the test ends and returns what onChange gets.
func watch(t *testing.T, s *edgetls.Store) <-chan error {
	t.Helper()
	changes := make(chan error, 64)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, look, func(err error) { changes <- err }) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
	return changes
}

func change(t *testing.T, changes <-chan error) error {
	t.Helper()
	select {
	case err := <-changes:
		return err
	case <-time.After(patience):
		t.Fatal("no change was seen")
		return nil
	}
}

// reloaded waits for a reload. On a slow machine two looks may fall between the writing of two files.
func reloaded(t *testing.T, changes <-chan error) {
	t.Helper()
	for change(t, changes) != nil {
	}
}

// still fails the test if there is a change during many looks.
func still(t *testing.T, changes <-chan error) {
	t.Helper()
	select {
	case err := <-changes:
		t.Errorf("told of %v", err)
	case <-time.After(30 * look):
	}
}

// renew puts other files in place of f's, one after the other.
func renew(t *testing.T, f edgetls.CertificateFiles, names ...string) {
	t.Helper()
	key := newKey(t)
	write(t, f.Cert+".new", pemOf("CERTIFICATE", issue(t, key, names)))
	write(t, f.Key+".new", pemKey(t, key))
	must(t, os.Rename(f.Cert+".new", f.Cert))
	must(t, os.Rename(f.Key+".new", f.Key))
}

func TestWatchReloadsWhatChanged(t *testing.T) {
	f, other := files(t, newKey(t), "old.example"), files(t, newKey(t), "other.example")
	s := load(t, f, other)
	changes := watch(t, s)
	still(t, changes)
	renew(t, f, "new.example")
	reloaded(t, changes)
	if got := servedName(t, s, "new.example"); got != "new.example" {
		t.Errorf("served %s", got)
	}
	if got := servedName(t, s, "other.example"); got != "other.example" {
		t.Errorf("served %s", got)
	}
	still(t, changes)
}

func TestWatchFollowsSymlinks(t *testing.T) {
	a, b := files(t, newKey(t), "a.example"), files(t, newKey(t), "b.example")
	dir := t.TempDir()
	link := edgetls.CertificateFiles{Cert: dir + "/cert.pem", Key: dir + "/key.pem"}
	must(t, os.Symlink(a.Cert, link.Cert))
	must(t, os.Symlink(a.Key, link.Key))
	s := load(t, link)
	changes := watch(t, s)
	for from, to := range map[string]string{b.Cert: link.Cert, b.Key: link.Key} {
		must(t, os.Symlink(from, to+".new"))
		must(t, os.Rename(to+".new", to))
	}
	reloaded(t, changes)
	if got := servedName(t, s, ""); got != "b.example" {
		t.Errorf("served %s", got)
	}
}

func TestWatchKeepsTheOldPairOnAMistake(t *testing.T) {
	f := files(t, newKey(t), "old.example")
	s := load(t, f)
	changes := watch(t, s)
	key := newKey(t)
	write(t, f.Key, pemKey(t, key))
	if err := change(t, changes); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Fatalf("told of %v", err)
	}
	still(t, changes) // once for each mistake
	if got := servedName(t, s, ""); got != "old.example" {
		t.Errorf("served %s", got)
	}
	must(t, os.Remove(f.Cert))
	if err := change(t, changes); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Fatalf("told of %v", err)
	}
	write(t, f.Cert, pemOf("CERTIFICATE", issue(t, key, []string{"new.example"})))
	reloaded(t, changes)
	if got := servedName(t, s, ""); got != "new.example" {
		t.Errorf("served %s", got)
	}
	still(t, changes)
}

func TestWatchAfterReplace(t *testing.T) {
	a, b := files(t, newKey(t), "a.example"), files(t, newKey(t), "b.example")
	s := load(t, a)
	changes := watch(t, s)
	must(t, s.Replace(options(b)))
	still(t, changes)
	renew(t, a, "unused.example")
	still(t, changes)
	renew(t, b, "c.example")
	reloaded(t, changes)
	if got := servedName(t, s, ""); got != "c.example" {
		t.Errorf("served %s", got)
	}
}
