package main

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/cache"
)

// explainURL asks a node what is stored for a URL, and prints it.
func explainURL(c *cobra.Command, api *client, target string, fields []string, asJSON bool) error {
	query := url.Values{"url": {target}, "field": fields}
	var e cache.URLExplanation
	if err := api.get(c.Context(), "/v1/explain?"+query.Encode(), &e); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), e)
	}
	return writeURL(c.OutOrStdout(), &e)
}

// writeURL prints an explanation for people.
func writeURL(w io.Writer, e *cache.URLExplanation) error {
	fmt.Fprintf(w, "%s\n%s\n", e.URL, e.Verdict)
	if e.OnDisk {
		fmt.Fprintln(w, "the disk may have it: a request looks there before it asks the origin")
	}
	if e.Alone {
		fmt.Fprintln(w, "requests for it don't wait for each other: its last response couldn't be shared")
	}
	if e.Unstored != nil {
		fmt.Fprintf(w, "its response with status %d, %s ago, wasn't stored: %s\n", e.Unstored.Status, seconds(e.Now.Sub(e.Unstored.At)), e.Unstored.Reason)
	}
	if e.Fills > 0 {
		fmt.Fprintf(w, "%s under way\n", count(e.Fills, "fill"))
	}
	for i := range e.Stored {
		writeStored(w, &e.Stored[i])
	}
	_, err := fmt.Fprintf(w, "%s in memory\n", count(len(e.Stored), "stored response"))
	return err
}

func writeStored(w io.Writer, s *cache.StoredExplanation) {
	fmt.Fprintf(w, "\n%s\n", strings.ReplaceAll(s.Key, "\n", "\n  with "))
	fmt.Fprintf(w, "  status    %d, %s in %s %s\n", s.Status, size(s.Length), s.Place, s.ETag)
	for _, name := range slices.Sorted(maps.Keys(s.Vary)) {
		fmt.Fprintf(w, "  for       %s: %s\n", name, s.Vary[name])
	}
	fmt.Fprintf(w, "  age       %s = %s when received at %s + the time since\n", seconds(s.Age), seconds(s.Initial), s.Received.UTC().Format(time.DateTime))
	fmt.Fprintf(w, "  lifetime  %s, so %s\n", seconds(s.Lifetime), remaining(s))
	if s.WhileRevalidate > 0 || s.IfError > 0 {
		fmt.Fprintf(w, "  beyond    stale-while-revalidate %s, stale-if-error %s\n", seconds(s.WhileRevalidate), seconds(s.IfError))
	}
	verdict := s.Verdict
	if !s.Selected {
		verdict = "these fields don't select it"
	}
	fmt.Fprintf(w, "  verdict   %s\n", verdict)
}

func remaining(s *cache.StoredExplanation) string {
	switch {
	case s.SoftPurged:
		return "stale by a soft purge"
	case s.NoCache:
		return "validated before each use: no-cache"
	case s.Remaining > 0:
		return "fresh for another " + seconds(s.Remaining)
	}
	return "stale since " + seconds(-s.Remaining)
}

func seconds(d time.Duration) string { return d.Round(time.Second).String() }
