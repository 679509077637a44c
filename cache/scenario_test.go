package cache_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
)

// TestScenarios runs testdata/*.txt, one per RFC section. A file is a list of steps parted by empty lines, in virtual
// time; lines that begin with # are prose.
//
//	preset standard                 the cache begins anew, with this preset, other options as name=value, and no policy
//	policy stale_if_error=1m        what the path's configuration says from now on: also ttl.404=10s, query.ignore=a,b
//	slices above=8 size=4           how large contents are sliced from now on, in octets
//	purge soft tag=a                a purge, of url=, tag=, prefix= or all
//
//	origin 200 /path                what the origin answers from now on, for that path or all
//	  Cache-Control: max-age=60     its fields
//	  delay: 2s                     how long it takes
//	  | content                     its content
//	origin file /path               a file there, with these fields and this content: ranges and conditions count
//	origin error                    it can't be reached
//
//	10s GET /path                   a request, at that time after the begin
//	  Accept: text/plain            its fields
//	-> 200                          the status that the client gets
//	  Age: 10                       fields that it gets; "-" for one that must be absent
//	  | content                     the content that it gets, when given; an encoded one is decoded
//	>> GET /path                    requests that the origin gets, exactly those
//	  If-None-Match: "a"            fields of it; "-" for one that must be absent
//
// {now}, {now-60s} and {now+60s} are dates relative to the present.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scenarios: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			blocks := readBlocks(t, file)
			synctest.Test(t, func(t *testing.T) { runScenario(t, file, blocks) })
		})
	}
}

// block is the lines of one step.
type block struct {
	at    int // line number
	lines []string
}

func readBlocks(t *testing.T, file string) (blocks []block) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b block
	lines := bufio.NewScanner(bytes.NewReader(append(data, "\n\n"...)))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), " ")
		switch {
		case strings.HasPrefix(line, "#"):
		case line != "":
			if len(b.lines) == 0 {
				b.at = n
			}
			b.lines = append(b.lines, line)
		case len(b.lines) > 0:
			blocks = append(blocks, b)
			b = block{}
		}
	}
	return blocks
}

// scenario is a cache between one client and one scripted origin.
type scenario struct {
	t       *testing.T
	where   string
	begin   time.Time
	cache   *cache.Cache
	options cache.Options
	policy  cache.Policy
	answers map[string]answer // by path; "" for all others
	seen    []*http.Request
}

// answer is what the origin says.
type answer struct {
	status  int
	fields  []string // "Name: value"
	delay   time.Duration
	content string
	file    bool
	err     error
}

func runScenario(t *testing.T, file string, blocks []block) {
	s := &scenario{t: t, begin: time.Now(), answers: make(map[string]answer)}
	s.start(cache.Standard, nil)
	defer func() { s.stop() }()
	for _, b := range blocks {
		s.where = fmt.Sprintf("%s:%d", file, b.at)
		s.step(b.lines)
	}
}

func (s *scenario) start(p cache.Preset, words []string) {
	var o cache.Options
	o.SetDefaults()
	o.Preset, o.Memory = p, 16<<20
	for _, word := range words {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "request_directives":
			o.RequestDirectives = cache.RequestDirectives(value)
		case "targeted":
			o.Targeted = strings.Split(value, ",")
		case "min_size":
			o.Encoding.MinSize, _ = strconv.ParseInt(value, 10, 64)
		case "streams":
			o.Encoding.Streams, _ = strconv.Atoi(value)
		case "codings":
			o.Encoding.Codings = strings.Split(value, ",")
		default:
			s.fatalf("option %q", word)
		}
	}
	s.options = o
	s.cache = cache.New(o, "edge", memory.New(o.Memory), slog.New(slog.DiscardHandler))
	s.policy = cache.Policy{}
}

func (s *scenario) stop() {
	if err := s.cache.Close(context.Background()); err != nil {
		s.t.Error(err)
	}
}

func (s *scenario) step(lines []string) {
	words := strings.Fields(lines[0])
	switch words[0] {
	case "preset":
		s.stop()
		s.start(cache.Preset(words[1]), words[2:])
		clear(s.answers)
	case "policy":
		s.setPolicy(words[1:])
	case "slices":
		s.setSlices(words[1:])
	case "purge":
		s.purge(words[1:])
	case "origin":
		s.setOrigin(words[1:], lines[1:])
	default:
		s.request(words, lines[1:])
	}
}

func (s *scenario) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf(s.where+": "+format, args...)
}

func (s *scenario) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.fatalf("%v", err)
	}
	return d
}

func (s *scenario) setPolicy(words []string) {
	s.policy = cache.Policy{}
	for _, word := range words {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "stale_if_error":
			s.policy.StaleIfError = s.duration(value)
		case "stale_while_revalidate":
			s.policy.StaleWhileRevalidate = s.duration(value)
		case "off":
			s.policy.Off = true
		case "encoding":
			s.policy.Encoding = cache.Encoding(value)
		case "query":
			s.policy.Query.Off = value == "off"
		case "query.ignore":
			s.policy.Query.Ignore = strings.Split(value, ",")
		case "query.only":
			s.policy.Query.Only = strings.Split(value, ",")
		case "cookies":
			s.policy.Cookies = strings.Split(value, ",")
		case "headers":
			s.policy.Headers = strings.Split(value, ",")
		default:
			s.setTTL(name, value)
		}
	}
}

func (s *scenario) setTTL(name, value string) {
	which, status, _ := strings.Cut(name, ".")
	ttls := map[string]*cache.TTLs{"ttl": &s.policy.TTL, "force_ttl": &s.policy.ForceTTL}[which]
	if ttls == nil {
		s.fatalf("policy %q", name)
	}
	if *ttls == nil {
		*ttls = make(cache.TTLs)
	}
	(*ttls)[status] = s.duration(value)
}

func (s *scenario) setSlices(words []string) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err == nil && name == "above":
			s.options.Slices.Above = n
		case err == nil && name == "size":
			s.options.Slices.Size = n
		default:
			s.fatalf("slices %q", word)
		}
	}
	s.cache.Configure(s.options)
}

func (s *scenario) purge(words []string) {
	var p cache.PurgeRequest
	for _, word := range words {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "soft":
			p.Soft = true
		case "url":
			p.URLs = append(p.URLs, value)
		case "tag":
			p.Tags = append(p.Tags, value)
		case "prefix":
			p.Prefixes = append(p.Prefixes, value)
		case "site":
			p.Sites = append(p.Sites, value)
		case "all":
			p.All = true
		default:
			s.fatalf("purge %q", word)
		}
	}
	if _, err := s.cache.Purge(p); err != nil {
		s.fatalf("%v", err)
	}
	synctest.Wait()
}

func (s *scenario) setOrigin(words, lines []string) {
	a, path := answer{}, ""
	if words[0] == "error" {
		a.err = errors.New("connection refused")
	} else if words[0] == "file" {
		a.file, a.status = true, http.StatusOK
	} else if _, err := fmt.Sscan(words[0], &a.status); err != nil {
		s.fatalf("status %q", words[0])
	}
	if len(words) > 1 {
		path = words[1]
	}
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "| "); ok {
			a.content += text
		} else if text, ok := strings.CutPrefix(line, "delay: "); ok {
			a.delay = s.duration(text)
		} else {
			a.fields = append(a.fields, line)
		}
	}
	s.answers[path] = a
}

// RoundTrip is the origin.
func (s *scenario) RoundTrip(r *http.Request) (*http.Response, error) {
	s.seen = append(s.seen, r)
	a, ok := s.answers[r.URL.Path]
	if !ok {
		a = s.answers[""]
	}
	time.Sleep(a.delay)
	if a.err != nil {
		return nil, a.err
	}
	if a.status == 0 {
		return nil, fmt.Errorf("%s: the scenario has no answer for %s", s.where, r.URL.Path)
	}
	h := make(http.Header)
	for _, line := range a.fields {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, s.expand(strings.TrimSpace(value)))
	}
	if a.file {
		return serveFile(r, h, a.content), nil
	}
	return &http.Response{
		StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.content)),
		ContentLength: int64(len(a.content)), Request: r,
	}, nil
}

// serveFile answers as net/http does for a file.
func serveFile(r *http.Request, h http.Header, content string) *http.Response {
	w := httptest.NewRecorder()
	maps.Copy(w.Header(), h)
	modified, _ := http.ParseTime(h.Get("Last-Modified"))
	http.ServeContent(w, r, "", modified, strings.NewReader(content))
	return w.Result()
}

// expand replaces {now}, {now-60s} and {now+60s} by dates.
func (s *scenario) expand(text string) string {
	for {
		i := strings.Index(text, "{now")
		if i < 0 {
			return text
		}
		end := i + strings.Index(text[i:], "}")
		offset := time.Duration(0)
		if inner := text[i+4 : end]; inner != "" {
			offset = s.duration(inner)
		}
		text = text[:i] + time.Now().Add(offset).UTC().Format(http.TimeFormat) + text[end+1:]
	}
}

func (s *scenario) fail(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusBadGateway
	if errors.Is(err, cache.ErrMustRevalidate) {
		status = http.StatusGatewayTimeout
	}
	w.WriteHeader(status)
	fmt.Fprint(w, err)
}

// request sends one and holds the answer against what is expected.
func (s *scenario) request(words, lines []string) {
	time.Sleep(time.Until(s.begin.Add(s.duration(words[0]))))
	r := httptest.NewRequest(words[1], "http://example.com"+words[2], nil)
	rest := lines
	for ; len(rest) > 0 && strings.HasPrefix(rest[0], " "); rest = rest[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(rest[0]), ":")
		r.Header.Add(name, s.expand(strings.TrimSpace(value)))
	}
	s.seen = nil
	w := httptest.NewRecorder()
	s.cache.Handler("site", s.policy, s, s.fail).ServeHTTP(w, r)
	synctest.Wait()
	rest = s.expectAnswer(w, rest)
	s.expectSeen(rest)
}

func (s *scenario) expectAnswer(w *httptest.ResponseRecorder, lines []string) (rest []string) {
	if len(lines) == 0 || lines[0] != fmt.Sprintf("-> %d", w.Code) {
		s.fatalf("got status %d, want %v; fields %v", w.Code, lines, w.Header())
	}
	for rest = lines[1:]; len(rest) > 0 && strings.HasPrefix(rest[0], " "); rest = rest[1:] {
		line := strings.TrimSpace(rest[0])
		if text, ok := strings.CutPrefix(line, "|"); ok {
			if got := strings.ReplaceAll(s.content(w), "\r\n", "~"); got != strings.TrimSpace(text) {
				s.fatalf("got content %q, want %q", got, text)
			}
			continue
		}
		s.expectField("client", w.Header(), line)
	}
	return rest
}

// content is what the client makes of it.
func (s *scenario) content(w *httptest.ResponseRecorder) string {
	content, err := decoded(w.Result())
	if err != nil {
		s.fatalf("decode %d octets: %v", w.Body.Len(), err)
	}
	return content
}

func (s *scenario) expectField(who string, h http.Header, line string) {
	name, want, _ := strings.Cut(line, ":")
	want = s.expand(strings.TrimSpace(want))
	got := strings.Join(h.Values(name), ", ")
	if want == "-" {
		want = ""
	}
	if got != want {
		s.fatalf("%s got %s: %q, want %q", who, name, got, want)
	}
}

func (s *scenario) expectSeen(lines []string) {
	seen := slices.Clone(s.seen)
	for len(lines) > 0 {
		if len(seen) == 0 {
			s.fatalf("the origin got no further request, want %q", lines[0])
		}
		r := seen[0]
		seen = seen[1:]
		if got := ">> " + r.Method + " " + r.URL.RequestURI(); got != lines[0] {
			s.fatalf("the origin got %q, want %q", got, lines[0])
		}
		for lines = lines[1:]; len(lines) > 0 && strings.HasPrefix(lines[0], " "); lines = lines[1:] {
			s.expectField("the origin", r.Header, strings.TrimSpace(lines[0]))
		}
	}
	if len(seen) > 0 {
		s.fatalf("the origin got %d requests too many, the first for %s %v", len(seen), seen[0].URL, seen[0].Header)
	}
}
