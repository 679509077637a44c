package disk_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache/disk"
)

// childDir tells the test binary that it is a process to be killed.
const childDir = "ANYEDGE_DISK_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir, os.Stdout)
	}
	os.Exit(m.Run())
}

// killOptions are those of the child: small segments, so that it is killed in all that there is to do.
func killOptions(dir string) disk.Options {
	o := options(dir)
	o.Size, o.Segment = 24<<20, 512<<10
	return o
}

// child writes records and notes until it is killed. It says what is written.
func child(dir string, out io.Writer) {
	s, err := disk.Open(killOptions(dir), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Fprintln(out, "error", err)
		os.Exit(1)
	}
	fmt.Fprintln(out, "open")
	for version := s.Sequence() + 1; ; version++ {
		if version%20 == 0 && s.Note(version, []byte(strconv.FormatUint(version, 10))) == nil {
			fmt.Fprintln(out, "note", version)
			continue
		}
		key := fmt.Sprint("/", version%100)
		size := int(version*7919) % 60_000
		s.Put(record(key, 0, version, size), func(written bool) {
			if written {
				fmt.Fprintln(out, "put", key, version)
			}
		})
	}
}

// A process that is killed at any moment loses none of the records and notes that it said were written.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	written := map[string]uint64{}
	notes := map[string]bool{}
	cycles := 25
	if testing.Short() {
		cycles = 5
	}
	for cycle := 0; cycle < cycles || len(written) < 50 || len(notes) < 20; cycle++ { // a busy machine writes less in a cycle
		if cycle == 20*cycles {
			t.Fatalf("only %d records and %d notes were written", len(written), len(notes))
		}
		for _, line := range runChild(t, dir, time.Duration(5+cycle*7%40)*time.Millisecond) {
			var key string
			var version uint64
			switch {
			case line == "open":
			case scan(line, "put %s %d", &key, &version):
				written[key] = version
			case scan(line, "note %d", &version):
				notes[strconv.FormatUint(version, 10)] = true
			default:
				t.Fatalf("the child says %q", line)
			}
		}
		verifyKilled(t, dir, written, notes)
	}
}

func scan(line, format string, to ...any) bool {
	_, err := fmt.Sscanf(line, format, to...)
	return err == nil
}

// runChild runs a child for a while, kills it, and returns what it said.
func runChild(t *testing.T, dir string, d time.Duration) (lines []string) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(pipe)
	first, err := said.ReadString('\n')
	if err != nil || first != "open\n" {
		t.Errorf("the child says %q, %v", first, err)
	}
	timer := time.AfterFunc(d, func() { cmd.Process.Kill() })
	defer timer.Stop()
	rest, _ := io.ReadAll(said)
	_ = cmd.Wait() // it was killed
	if i := bytes.LastIndexByte(rest, '\n'); i >= 0 {
		lines = strings.Split(string(rest[:i]), "\n")
	}
	return lines
}

// verifyKilled opens what a killed process left and verifies every record.
func verifyKilled(t *testing.T, dir string, written map[string]uint64, notes map[string]bool) {
	t.Helper()
	s := open(t, killOptions(dir))
	defer closeStore(t, s)
	awaitLoaded(t, s)
	full := s.Stats()[0].Bytes > 20<<20
	for key, want := range written {
		got, there := versions(t, s, key)[0]
		if there && got < want || !there && !full {
			t.Errorf("%s: version %d (%v), want %d", key, got, there, want)
		}
		written[key] = max(got, want)
	}
	there := map[string]bool{}
	for _, n := range s.Notes() {
		there[string(n)] = true
	}
	for n := range notes {
		if !there[n] {
			t.Errorf("note %s is lost", n)
		}
	}
	if st := s.Stats()[0]; st.Corrupt > 0 {
		t.Errorf("%+v", st)
	}
}
