package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/proxy/admin"
)

// upgradeWait is how long the command waits for the answer: longer than the node takes to say that it failed.
const upgradeWait = readyLimit + proveLimit + ruleLimit + diskLimit + leadLimit + 10*time.Second

// Upgraded is what came of an upgrade: what /v1/upgrade answers.
type Upgraded struct {
	PID         int           `json:"pid"` // of the new process
	Version     string        `json:"version"`
	Former      int           `json:"former"`      // the old process
	Connections int           `json:"connections"` // that the old one still had then
	Drain       time.Duration `json:"drain"`       // how long it has for them at most, in nanoseconds
	Sessions    []string      `json:"sessions"`    // with peers, that stay with the old process until they end
	Took        time.Duration `json:"took"`        // from the start of the new process, in nanoseconds
}

// UpgradeStatus is how an upgrade stands.
type UpgradeStatus struct {
	State       string    `json:"state"` // starting, proving, draining; sessions: the former process holds nothing but those
	PID         int       `json:"pid"`   // of the other process
	Version     string    `json:"version,omitempty"`
	Since       time.Time `json:"since"`
	Connections int       `json:"connections"`        // that the former process still has
	Sessions    []string  `json:"sessions,omitempty"` // with peers, that former processes hold
	Failure     string    `json:"failure,omitempty"`  // why the last upgrade came to nothing
}

func newUpgrade() *cobra.Command {
	var f clientFlags
	var drain time.Duration
	var move bool
	c := &cobra.Command{
		Use:   "upgrade",
		Short: "Replace the running process by one of the installed binary and the configuration file as it is, without a gap",
		Long: `Upgrade has the node start its binary anew, as it is installed by now, with the configuration file as it is by now. The
new process takes over the sockets, proves that it serves through every announced VIP, and decides from then on; the former one
finishes what it serves. No connection is refused or lost, over H1, H2 or H3, and no route moves: BGP sessions stay with the
process that has begun them, which announces what the new one decides, until each ends by itself, or with --move-sessions. If
anything fails before the new process has proven itself, the former one goes on as if nothing had been, and the exit code is 1.
SIGUSR2 asks for the same.`,
		Example: "  anyedge upgrade\n  anyedge upgrade --drain 10m --move-sessions",
		Args:    cobra.NoArgs,
	}
	f.register(c)
	c.Flags().DurationVar(&drain, "drain", defaultDrain, "how long the former process may take to finish what it serves")
	c.Flags().BoolVar(&move, "move-sessions", false, "begin the BGP sessions anew at the new process, one router after the other")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := f.client()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), upgradeWait)
		defer cancel()
		var u Upgraded
		if err := api.postWithin(ctx, "/v1/upgrade", admin.UpgradeRequest{Drain: drain.String(), MoveSessions: move}, &u); err != nil {
			return err
		}
		if f.json {
			return printJSON(c.OutOrStdout(), u)
		}
		u.write(c.OutOrStdout())
		return nil
	}
	return c
}

func (u *Upgraded) write(w io.Writer) {
	fmt.Fprintf(w, "upgraded: process %d, anyedge %s, serves and decides; it took %s\n", u.PID, u.Version, u.Took.Round(time.Millisecond))
	fmt.Fprintf(w, "process %d finishes %s, within %s\n", u.Former, count(u.Connections, "connection"), u.Drain)
	if len(u.Sessions) > 0 {
		fmt.Fprintf(w, "it holds the BGP sessions with %s until each ends: no route moves\n", strings.Join(u.Sessions, ", "))
	}
}

// write prints it for people.
func (u *UpgradeStatus) write(w io.Writer, now time.Time) {
	if u == nil {
		return
	}
	text := []string{}
	add := func(there bool, s string) {
		if there {
			text = append(text, s)
		}
	}
	add(u.State == upgradeDraining, count(u.Connections, "connection")+" to finish")
	add(len(u.Sessions) > 0, "holds the BGP sessions with "+strings.Join(u.Sessions, ", "))
	add(u.Failure != "", "came to nothing: "+strings.ReplaceAll(u.Failure, "\n", "; "))
	fmt.Fprintf(w, "upgrade\t%s\tprocess %d\tfor %s\t%s\n", u.State, u.PID, age(now, u.Since), strings.Join(text, ", "))
}

// The states of an upgrade.
const (
	upgradeStarting = "starting"
	upgradeProving  = "proving"
	upgradeDraining = "draining"
	upgradeSessions = "sessions"
	upgradeFailed   = "failed"
)
