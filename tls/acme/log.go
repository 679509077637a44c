package acme

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// quiet takes certmagic's log. Each outcome is told by the manager, once and in our words, so that what certmagic says
// besides is for those who look closely: its errors are told as information, everything else as debugging.
type quiet struct{ log *slog.Logger }

var _ zapcore.Core = quiet{}

func newZap(log *slog.Logger) *zap.Logger {
	return zap.New(quiet{log.With("library", "certmagic")})
}

func level(l zapcore.Level) slog.Level {
	if l >= zapcore.ErrorLevel {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// Enabled tells whether anybody listens.
func (q quiet) Enabled(l zapcore.Level) bool { return q.log.Enabled(context.Background(), level(l)) }

// With adds fields to all that follows.
func (q quiet) With(fields []zapcore.Field) zapcore.Core {
	return quiet{slog.New(q.log.Handler().WithAttrs(attributes(fields)))}
}

// Check adds q to those that write e.
func (q quiet) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if q.Enabled(e.Level) {
		return to.AddCore(e, q)
	}
	return to
}

// Write writes e.
func (q quiet) Write(e zapcore.Entry, fields []zapcore.Field) error {
	q.log.LogAttrs(context.Background(), level(e.Level), e.Message, attributes(fields)...)
	return nil
}

// Sync does nothing: slog doesn't buffer.
func (quiet) Sync() error { return nil }

func attributes(fields []zapcore.Field) []slog.Attr {
	m := zapcore.NewMapObjectEncoder()
	list := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		f.AddTo(m)
		if v, ok := m.Fields[f.Key]; ok {
			list = append(list, slog.Any(f.Key, v))
		}
	}
	return list
}

// demoted tells what acmez says as quietly as what certmagic says.
type demoted struct{ slog.Handler }

func demote(log *slog.Logger) *slog.Logger {
	return slog.New(demoted{log.With("library", "acmez").Handler()})
}

func lower(l slog.Level) slog.Level {
	if l >= slog.LevelError {
		return slog.LevelInfo
	}
	return min(l, slog.LevelDebug)
}

// Enabled tells whether anybody listens.
func (d demoted) Enabled(ctx context.Context, l slog.Level) bool {
	return d.Handler.Enabled(ctx, lower(l))
}

// Handle writes r at its lower level.
func (d demoted) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lower(r.Level)
	return d.Handler.Handle(ctx, r)
}

// WithAttrs adds attributes to all that follows.
func (d demoted) WithAttrs(a []slog.Attr) slog.Handler { return demoted{d.Handler.WithAttrs(a)} }

// WithGroup puts all that follows into a group.
func (d demoted) WithGroup(name string) slog.Handler { return demoted{d.Handler.WithGroup(name)} }
