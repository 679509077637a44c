package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/proxy/admin"
	"github.com/anyedge/anyedge/routing"
)

func newDrain() *cobra.Command {
	var reason string
	c := newOperate("drain", "Take a VIP, or all, out of service by degrees: depreferred, then withdrawn", &reason)
	c.Example = "  anyedge drain --reason 'replace the switch'\n  anyedge drain www"
	c.Flags().StringVar(&reason, "reason", "", "why, for explain and events")
	return c
}

func newUndrain() *cobra.Command {
	return newOperate("undrain", "Put a drained VIP, or all, back into service", new(string))
}

// newOperate makes a command that tells the node what the operator wants, and shows what comes of it.
func newOperate(verb, short string, reason *string) *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: verb + " [VIP]", Short: short, Args: cobra.MaximumNArgs(1)}
	f.register(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := f.client()
		if err != nil {
			return err
		}
		request := admin.DrainRequest{Reason: *reason}
		if len(args) == 1 {
			request.VIP = args[0]
		}
		var all []routing.Explanation
		if err := api.post(c.Context(), "/v1/"+verb, request, &all); err != nil {
			return err
		}
		if f.json {
			return printJSON(c.OutOrStdout(), all)
		}
		for _, e := range all {
			fmt.Fprintf(c.OutOrStdout(), "%s: %s: %s\n", e.VIP, e.Level, e.Text)
		}
		return nil
	}
	return c
}
