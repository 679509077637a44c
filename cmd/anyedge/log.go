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

// accessLog is where the access log goes; a reload reopens its file, so that it can be rotated by renaming.
type accessLog struct {
	mu   sync.Mutex // guards the following fields, and keeps lines whole
	path string
	out  io.Writer
}

// openAccessLog opens where: "stdout", "off" or a file's path.
func openAccessLog(where string) (*accessLog, error) {
	a := &accessLog{}
	return a, a.reopen(where)
}

// reopen goes on at where; on an error the old place stays.
func (a *accessLog) reopen(where string) error {
	var out io.Writer
	switch where {
	case "off":
	case "stdout":
		out = os.Stdout
	default:
		f, err := os.OpenFile(where, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		if err != nil {
			return fmt.Errorf("log.access: %w", err)
		}
		out = f
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.out
	a.path, a.out = where, out
	if f, ok := old.(*os.File); ok && f != os.Stdout {
		return f.Close()
	}
	return nil
}

// logger is nil where the access log is off, so that nobody makes lines for it.
func (a *accessLog) logger() *slog.Logger {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.out == nil {
		return nil
	}
	return slog.New(slog.NewJSONHandler(a, nil))
}

// Write writes one line.
func (a *accessLog) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.out == nil {
		return len(line), nil
	}
	return a.out.Write(line)
}
