package secret_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/anyedge/anyedge/tls/secret"
)

func TestCreateLoadReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.secret")
	s := secret.New()
	must(t, secret.Create(path, s))
	got, err := secret.Load(path)
	must(t, err)
	if !bytes.Equal(got.Append(nil), s.Append(nil)) {
		t.Error("Load has read something else")
	}
	if err := secret.Create(path, secret.New()); err == nil || !strings.Contains(err.Error(), path+" is there already") {
		t.Errorf("a second Create: %v", err)
	}
	rotated, _ := s.Rotate()
	must(t, secret.Replace(path, rotated))
	got, err = secret.Load(path)
	must(t, err)
	if len(got.Describe()) != 2 {
		t.Errorf("after Replace: %+v", got.Describe())
	}
	left, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 || len(left) != 1 {
		t.Errorf("%v, %v, %d files", info.Mode(), err, len(left))
	}
}

func TestReplaceKeepsLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	must(t, secret.Create(real, secret.New()))
	must(t, os.Symlink(real, link))
	s := secret.New()
	must(t, secret.Replace(link, s))
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link is no link any more: %v, %v", info, err)
	}
	got, err := secret.Load(real)
	must(t, err)
	if !takes(got, makes(s)) {
		t.Error("the file that the link leads to has not changed")
	}
}

func TestReplaceKeepsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	path := filepath.Join(t.TempDir(), "fleet.secret")
	must(t, secret.Create(path, secret.New()))
	must(t, os.Chown(path, 12345, 54321))
	must(t, secret.Replace(path, secret.New()))
	info, err := os.Stat(path)
	must(t, err)
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 12345 || stat.Gid != 54321 || info.Mode() != 0o600 {
		t.Errorf("the file belongs to %d:%d, %v", stat.Uid, stat.Gid, info.Mode())
	}
}

func TestReplaceNeedsFile(t *testing.T) {
	dir := t.TempDir()
	if err := secret.Replace(filepath.Join(dir, "none"), secret.New()); err == nil {
		t.Error("replaced what isn't there")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLoadDemandsSecrecy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fleet.secret")
	must(t, secret.Create(path, secret.New()))
	for mode, want := range map[os.FileMode]string{
		0o600: "", 0o400: "", 0o640: "has mode 0640, open to others than its owner: chmod 600 " + path, 0o644: "has mode 0644", 0o602: "has mode 0602", 0o610: "has mode 0610",
	} {
		must(t, os.Chmod(path, mode))
		_, err := secret.Load(path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	bad, pipe := filepath.Join(dir, "bad"), filepath.Join(dir, "pipe")
	must(t, os.WriteFile(bad, []byte("anyedge-fleet-secret 1\nnonsense\n"), 0o600))
	must(t, syscall.Mkfifo(pipe, 0o600))
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		dir:                        "is not a regular file",
		pipe:                       "is not a regular file",
		bad:                        bad + ":2: must have three words",
	} {
		if _, err := secret.Load(path); err == nil || !strings.HasPrefix(err.Error(), "read the fleet secret: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}
