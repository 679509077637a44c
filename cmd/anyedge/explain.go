package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/routing"
)

func newExplain() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{
		Use:   "explain [VIP] | --url U",
		Short: "Say why a VIP attracts the traffic that it does, or what is stored for a URL, with the figures",
		Long: `Explain prints, for one VIP or for all, the level at which it is announced, the exact signals behind it
(value, thresholds, since when), what would change it and when, and its last changes. With --url it prints what the cache has for a URL, the arithmetic of
its freshness, and whether a GET with the fields given would be answered from it now.`,
		Example: "  anyedge explain www\n  anyedge explain --url https://shop.example.com/logo.png\n  anyedge explain --json | jq '.[].reason'\n  anyedge explain --json > then.json; anyedge explain --replay then.json",
		Args:    cobra.MaximumNArgs(1),
	}
	var (
		replay, stored string
		fields         []string
	)
	c.Flags().StringVar(&stored, "url", "", "say what is stored for this URL")
	c.Flags().StringArrayVar(&fields, "field", nil, "with --url: a field of the request, as 'Accept-Language: de'; may be repeated")
	c.Flags().StringVar(&replay, "replay", "", "decide again on the records in FILE, which explain --json has printed, instead of asking the node")
	c.MarkFlagsMutuallyExclusive("url", "replay")
	f.register(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if replay != "" {
			return replayFile(c.OutOrStdout(), replay, first(args))
		}
		api, err := f.client()
		if err != nil {
			return err
		}
		if stored != "" {
			return explainURL(c, api, stored, fields, f.json)
		}
		path := "/v1/explain"
		if len(args) == 1 {
			path += "?vip=" + url.QueryEscape(args[0])
		}
		var all []routing.Explanation
		if err := api.get(c.Context(), path, &all); err != nil {
			return err
		}
		if f.json {
			return printJSON(c.OutOrStdout(), all)
		}
		for i, e := range all {
			if i > 0 {
				fmt.Fprintln(c.OutOrStdout())
			}
			if err := e.WriteText(c.OutOrStdout()); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// replayFile decides again on the records in file, of vip or of all, and shows them side by side where they differ.
func replayFile(w io.Writer, file, vip string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	records, err := routing.ReadRecords(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	replayed, differ := 0, 0
	for _, r := range records {
		if vip != "" && r.Input.VIP != vip {
			continue
		}
		replayed++
		again, same := r.Replay()
		fmt.Fprintf(w, "%s  %s\n", r.Input.Now.Format(time.DateTime), again.Sentence(r.Input.VIP))
		if !same {
			differ++
			fmt.Fprintf(w, "  recorded was: %s\n", r.Decision.Sentence(r.Input.VIP))
		}
	}
	if differ > 0 {
		return fmt.Errorf("%d of %s give another decision: were they recorded by another version?", differ, count(replayed, "record"))
	}
	fmt.Fprintf(w, "%s: decided again, each as recorded\n", count(replayed, "record"))
	return nil
}
