package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/proxy/admin"
	"github.com/anyedge/anyedge/routing"
)

func newDrain() *cobra.Command {
	var reason string
	var d time.Duration
	c := newOperate("drain [VIP]", "Take a VIP, or all, out of service by degrees: depreferred, then withdrawn",
		func(args []string) (any, error) {
			return admin.DrainRequest{VIP: first(args), For: d.String(), Reason: reason}, nil
		})
	c.Example = "  anyedge drain --reason 'replace the switch'\n  anyedge drain www --for 2h"
	c.Flags().DurationVar(&d, "for", 0, "how long: 30m, 2h; else until undrain")
	c.Flags().StringVar(&reason, "reason", "", "why, for explain and events")
	return c
}

func newUndrain() *cobra.Command {
	return newOfVIP("undrain [VIP]", "Put a drained VIP, or all, back into service")
}

func newForce() *cobra.Command {
	var reason string
	var d time.Duration
	c := newOperate("force VIP LEVEL", "Set a VIP's level for a time, whatever its signals say", func(args []string) (any, error) {
		level, err := strconv.ParseUint(args[1], 10, 8)
		if err != nil {
			return nil, usageError{fmt.Errorf("LEVEL %q: 0 announced, 1 lightly depreferred, 2 depreferred, 4 withdrawn", args[1])}
		}
		return admin.ForceRequest{VIP: args[0], Level: uint8(level), For: d.String(), Reason: reason}, nil
	})
	c.Long = `Force sets a VIP's level until the time is over or anyedge unforce: 0 announced, 1 lightly depreferred,
2 depreferred, 4 withdrawn. No signal, no damping and no guard holds against it; a drain does.`
	c.Example = "  anyedge force www 2 --for 1h --reason 'the carrier works on the line'"
	c.Args = cobra.ExactArgs(2)
	c.Flags().DurationVar(&d, "for", 0, "how long: 30m, 2h")
	c.Flags().StringVar(&reason, "reason", "", "why, for explain and events")
	_ = c.MarkFlagRequired("for") // fails only for a flag that isn't there
	_ = c.MarkFlagRequired("reason")
	return c
}

func newUnforce() *cobra.Command {
	return newOfVIP("unforce [VIP]", "Let a VIP's signals, or all VIPs', decide again")
}

func newBlackhole() *cobra.Command {
	var reason string
	var d time.Duration
	c := newOperate("blackhole VIP", "Have peers drop what is sent to a VIP's addresses, for a time", func(args []string) (any, error) {
		return admin.BlackholeRequest{VIP: args[0], For: d.String(), Reason: reason}, nil
	})
	c.Long = `Blackhole announces a VIP's single addresses with the community BLACKHOLE (RFC 7999) to the peers with
blackhole: true, which then drop what is sent there: against an attack that fills the line to this node. The VIP's own
prefixes stay announced as before. It ends when the time is over, or with anyedge unblackhole. While the node is stopped nobody announces it; with
routing.state_file the next process takes it up again.`
	c.Example = "  anyedge blackhole www --for 30m --reason 'flood of 40 Gbit/s'"
	c.Args = cobra.ExactArgs(1)
	c.Flags().DurationVar(&d, "for", 0, "how long: 30m, 2h")
	c.Flags().StringVar(&reason, "reason", "", "why, for explain and events")
	_ = c.MarkFlagRequired("for") // fails only for a flag that isn't there
	_ = c.MarkFlagRequired("reason")
	return c
}

func newUnblackhole() *cobra.Command {
	return newOfVIP("unblackhole [VIP]", "Have peers deliver again what is sent to a VIP's addresses, or to all")
}

func newUndamp() *cobra.Command {
	return newOfVIP("undamp [VIP]", "Forget what the changes of a VIP's routes, or of all, have cost: the next rise doesn't wait")
}

// newOfVIP makes a command whose only argument is the VIP.
func newOfVIP(use, short string) *cobra.Command {
	return newOperate(use, short, func(args []string) (any, error) { return admin.VIPRequest{VIP: first(args)}, nil })
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// newOperate makes a command that tells the node what the operator wants, and shows what comes of it.
func newOperate(use, short string, request func(args []string) (any, error)) *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: use, Short: short, Args: cobra.MaximumNArgs(1)}
	f.register(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := f.client()
		if err != nil {
			return err
		}
		r, err := request(args)
		if err != nil {
			return err
		}
		var all []routing.Explanation
		if err := api.post(c.Context(), "/v1/"+c.Name(), r, &all); err != nil {
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
