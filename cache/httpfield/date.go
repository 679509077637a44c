package httpfield

import (
	"strings"
	"time"
)

const (
	months    = "janfebmaraprmayjunjulaugsepoctnovdec"
	shortDays = "montuewedthufrisatsun"
)

// ParseDate parses an HTTP-date in one of its three forms, RFC 9110 §5.6.7, with no character too many. As RFC 9111
// §4.2 asks of caches, the case of letters doesn't matter, and UTC is as good a zone as GMT; any other is a mistake.
// now decides the century of a two-digit year: what would be more than 50 years ahead is past.
func ParseDate(s string, now time.Time) (time.Time, bool) {
	if len(s) > maxDate {
		return time.Time{}, false
	}
	s = strings.ToLower(s)
	switch {
	case len(s) == 29 && s[3] == ',':
		return parseIMF(s)
	case len(s) == 24 && s[3] == ' ':
		return parseAsctime(s)
	default:
		return parseRFC850(s, now)
	}
}

// maxDate is the length of the longest date, on a Wednesday in RFC 850's form.
const maxDate = len("Wednesday, 09-Nov-94 08:49:37 GMT")

// isZone tells whether s is a zone that counts, with the space before it.
func isZone(s string) bool { return s == " gmt" || s == " utc" }

// parseIMF parses "Sun, 06 Nov 1994 08:49:37 GMT".
func parseIMF(s string) (time.Time, bool) {
	if !isShortDay(s[:3]) || s[4] != ' ' || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' || !isZone(s[25:]) {
		return time.Time{}, false
	}
	return date(digits(s[12:16]), month(s[8:11]), digits(s[5:7]), s[17:25])
}

// parseAsctime parses "Sun Nov  6 08:49:37 1994".
func parseAsctime(s string) (time.Time, bool) {
	if !isShortDay(s[:3]) || s[7] != ' ' || s[10] != ' ' || s[19] != ' ' {
		return time.Time{}, false
	}
	day := s[8:10]
	if day[0] == ' ' {
		day = day[1:]
	}
	return date(digits(s[20:24]), month(s[4:7]), digits(day), s[11:19])
}

// parseRFC850 parses "Sunday, 06-Nov-94 08:49:37 GMT".
func parseRFC850(s string, now time.Time) (time.Time, bool) {
	weekday, rest, ok := strings.Cut(s, ", ")
	if !ok || !isLongDay(weekday) || len(rest) != 22 || rest[2] != '-' || rest[6] != '-' || rest[9] != ' ' || !isZone(rest[18:]) {
		return time.Time{}, false
	}
	year := digits(rest[7:9])
	if year < 0 {
		return time.Time{}, false
	}
	year += now.UTC().Year() / 100 * 100
	t, ok := date(year, month(rest[3:6]), digits(rest[:2]), rest[10:18])
	if !ok && digits(rest[:2]) != 29 { // 29 February may exist in another century
		return time.Time{}, false
	}
	if !ok || t.After(now.AddDate(50, 0, 0)) {
		return date(year-100, month(rest[3:6]), digits(rest[:2]), rest[10:18])
	}
	return t, true
}

// date checks and joins the parts; a part that isn't a number is negative. A leap second is the next minute's first.
func date(year, month, day int, clock string) (time.Time, bool) {
	if clock[2] != ':' || clock[5] != ':' {
		return time.Time{}, false
	}
	hour, minute, second := digits(clock[:2]), digits(clock[3:5]), digits(clock[6:])
	if year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return time.Time{}, false
	}
	midnight := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if midnight.Day() != day {
		return time.Time{}, false
	}
	return midnight.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second), true
}

// digits is the value of decimal digits, -1 for anything else.
func digits(s string) int {
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return -1
		}
		n = 10*n + int(s[i]-'0')
	}
	return n
}

// month is the number of a month's name, 0 for anything else.
func month(s string) int {
	if i := strings.Index(months, s); i >= 0 && i%3 == 0 {
		return i/3 + 1
	}
	return 0
}

func isShortDay(s string) bool {
	i := strings.Index(shortDays, s)
	return i >= 0 && i%3 == 0
}

func isLongDay(s string) bool {
	switch s {
	case "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday":
		return true
	}
	return false
}
