package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/routing"
)

func newExplain() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{
		Use:   "explain [VIP]",
		Short: "Say why a VIP attracts the traffic that it does, with the figures",
		Long: `Explain prints, for one VIP or for all, the level at which it is announced, the exact signals behind it
(value, thresholds, since when), what would change it and when, and its last changes.`,
		Example: "  anyedge explain www\n  anyedge explain --json | jq '.[].reason'",
		Args:    cobra.MaximumNArgs(1),
	}
	f.register(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := f.client()
		if err != nil {
			return err
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
