package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/health"
)

func newEvents() *cobra.Command {
	var (
		f      clientFlags
		follow bool
	)
	c := &cobra.Command{
		Use:     "events",
		Short:   "List what happened: decisions and route changes beside resets, retries and fill errors",
		Example: "  anyedge events -f",
		Args:    cobra.NoArgs,
	}
	f.register(c)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on as they happen")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := f.client()
		if err != nil {
			return err
		}
		show := func(e health.Event) error { return printEvent(c.OutOrStdout(), e) }
		if f.json {
			encoder := json.NewEncoder(c.OutOrStdout())
			show = func(e health.Event) error { return encoder.Encode(e) }
		}
		if follow {
			return api.follow(c.Context(), show)
		}
		var list []health.Event
		if err := api.get(c.Context(), "/v1/events", &list); err != nil {
			return err
		}
		for _, e := range list {
			if err := show(e); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// follow shows events as they come until ctx ends or the node goes away.
func (c *client) follow(ctx context.Context, show func(health.Event) error) error {
	resp, err := c.send(ctx, "GET", "/v1/events", "text/event-stream", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e health.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		if err := show(e); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	return fmt.Errorf("the node has ended the stream: is it stopping?")
}

func printEvent(w io.Writer, e health.Event) error {
	times := ""
	if e.Count > 1 {
		times = fmt.Sprintf(" (%d times)", e.Count)
	}
	_, err := fmt.Fprintf(w, "%s  %-8s  %-12s  %s%s\n", e.Time.Format(time.DateTime+".000"), e.Kind, e.Subject, e.Text, times)
	return err
}
