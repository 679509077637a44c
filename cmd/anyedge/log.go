package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/anyedge/anyedge/configs"
)

// newLog is the log of what the node does; the access log is apart.
func newLog(w io.Writer, o configs.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(strings.ToUpper(o.Level))) // configs has checked it
	options := &slog.HandlerOptions{Level: level}
	if o.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// The places of log.access that are no file.
const (
	accessOff    = "off"
	accessStdout = "stdout"
)

// accessLog is where the access log goes. A reload opens its file anew, so that it can be rotated by renaming.
type accessLog struct {
	mu  sync.Mutex // guards the following field, and keeps lines whole
	out io.WriteCloser
}

// openAccess opens where: "stdout", "off" or a file's path.
func openAccess(where string) (io.WriteCloser, error) {
	switch where {
	case accessOff:
		return unclosed{io.Discard}, nil
	case accessStdout:
		return unclosed{os.Stdout}, nil
	}
	f, err := os.OpenFile(where, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("log.access: %w", err)
	}
	return f, nil
}

// unclosed is a writer that is not ours to close.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// use goes on at out, and closes the place before.
func (a *accessLog) use(out io.WriteCloser) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.out != nil {
		_ = a.out.Close() // each line was written whole: nothing is left to lose
	}
	a.out = out
}

// logger makes the lines for where; it is nil for "off", so that nobody makes lines for nothing.
func (a *accessLog) logger(where string) *slog.Logger {
	if where == accessOff {
		return nil
	}
	return slog.New(slog.NewJSONHandler(a, nil))
}

// Write writes one line.
func (a *accessLog) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.out.Write(line)
}
