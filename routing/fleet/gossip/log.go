package gossip

import (
	"context"
	"log"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// memberlist writes lines, "[LEVEL] memberlist: text from=ADDRESS". They go to slog one level lower: what of them matters
// to operators is told as an event, and a fleet with one node down must not fill the log.
var (
	lineForm = regexp.MustCompile(`^\[(\w+)\] (?:memberlist: )?(.*?)(?: from=(\S+))?\n?$`)
	// levels of its lines; what isn't here is for debugging.
	lineLevels = map[string]slog.Level{"ERR": slog.LevelWarn, "ERROR": slog.LevelWarn, "WARN": slog.LevelInfo}
)

// The ways in which a line says that somebody hasn't the fleet's secret, or speaks something else. TestStrangers holds
// them against the library.
var foreign = []struct{ line, text string }{
	{"no installed keys could decrypt", "has another secret"},
	{"remote state is not encrypted", "doesn't encrypt"},
	{"payload is too small to decrypt", "speaks something else"},
	{"cannot decrypt empty payload", "speaks something else"},
	{"unsupported encryption version", "speaks something else"},
	{"unacceptable label", "speaks something else"},
	{"stream label header", "speaks something else"},
}

// foreignText says what is wrong with the sender of what text complains of; empty where it isn't that.
func foreignText(text string) string {
	for _, f := range foreign {
		if strings.Contains(text, f.line) {
			return f.text
		}
	}
	return ""
}

// lines takes memberlist's log.
type lines struct {
	log       *slog.Logger
	strangers *strangers
}

func newLines(log_ *slog.Logger, s *strangers) *log.Logger {
	return log.New(&lines{log_, s}, "", 0)
}

// Write takes one line.
func (l *lines) Write(line []byte) (int, error) {
	level, text, from := slog.LevelDebug, strings.TrimSpace(string(line)), ""
	if m := lineForm.FindStringSubmatch(string(line)); m != nil {
		text, from = m[2], m[3]
		if known, has := lineLevels[m[1]]; has {
			level = known
		}
	}
	if why := foreignText(text); why != "" {
		level = slog.LevelDebug
		if at, err := netip.ParseAddrPort(from); err == nil {
			l.strangers.add(at.Addr(), why, time.Now())
		}
	}
	if from == "" {
		l.log.Log(context.Background(), level, "gossip: "+text)
	} else {
		l.log.Log(context.Background(), level, "gossip: "+text, "from", from)
	}
	return len(line), nil
}
