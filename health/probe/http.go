package probe

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// classDefault is the status that is expected where nothing else is said.
const classDefault = "2xx"

// validStatus tells whether s is a final status or a class of them; empty stands for the default.
func validStatus(s string) bool {
	if s == "" {
		return true
	}
	if class, ok := strings.CutSuffix(s, "xx"); ok {
		return len(class) == 1 && class[0] >= '2' && class[0] <= '5'
	}
	n, err := strconv.Atoi(s)
	return err == nil && len(s) == 3 && n >= 200 && n <= 599
}

// checkHTTP asks on a connection of its own, and follows no redirection.
func (s Service) checkHTTP(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.HTTP, nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "anyedge-probe")
	if s.ServerName != "" {
		r.Host = s.ServerName
	}
	transport := &http.Transport{
		DialContext: dialer().DialContext, TLSClientConfig: s.tlsConfig(r.URL.Host),
		DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer,
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return s.judgeHTTP(answer)
}

// judgeHTTP says whether an answer is the one that is expected.
func (s Service) judgeHTTP(answer *http.Response) error {
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	want := s.Expect
	if want == "" {
		want = classDefault
	}
	status := strconv.Itoa(answer.StatusCode)
	class, isClass := strings.CutSuffix(want, "xx")
	switch {
	case status != want && (!isClass || status[:1] != class):
		return fmt.Errorf("status %s, not %s", status, want)
	case err != nil:
		return fmt.Errorf("read the content: %w", err)
	case !strings.Contains(string(content), s.Answer):
		return fmt.Errorf("the content does not hold %q", s.Answer)
	}
	return nil
}
