package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/configs"
)

// The exit codes.
const (
	exitGood  = 0 // done, and the answer is good
	exitBad   = 1 // the answer is bad, or it could not be had
	exitUsage = 2 // the command line is wrong
)

func main() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	root, ran := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitGood
	case !*ran || errors.As(err, new(usageError)):
		fmt.Fprintf(errOut, "anyedge: %v\nSee anyedge --help.\n", err)
		return exitUsage
	default:
		report(errOut, err)
		return exitBad
	}
}

// report prints mistakes in a configuration as they are, one a line, for editors that jump to FILE:LINE:COL.
func report(w io.Writer, err error) {
	var mistakes configs.Mistakes
	if errors.As(err, &mistakes) {
		fmt.Fprintln(w, mistakes)
		return
	}
	fmt.Fprintf(w, "anyedge: %v\n", err)
}

// usageError is a mistake on the command line that a command found itself.
type usageError struct{ error }

// newRoot returns the commands, and whether one of them got to run: an error before that is one of usage.
func newRoot() (*cobra.Command, *bool) {
	root := &cobra.Command{
		Use:   "anyedge",
		Short: "An anycast edge: TLS, QUIC, cache, and a BGP announcement that tells the truth",
		Long: `anyedge serves sites on anycast addresses over H1, H2 and H3 from its cache, fills from their origins,
and announces the addresses over BGP for as long as this node can serve them well.

Begin with:  anyedge demo`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddGroup(
		&cobra.Group{ID: "node", Title: "The node:"},
		&cobra.Group{ID: "client", Title: "Ask and steer a running node:"},
	)
	root.AddCommand(
		newRun(), newCheck(), newDemo(), newSecret(), newECH(), newVersion(),
		newStatus(), newCerts(), newExplain(), newEvents(), newPurge(), newDrain(), newUndrain(),
		newUpgrade(), newForce(), newUnforce(), newUndamp(), newBlackhole(), newUnblackhole(),
	)
	ran := new(bool)
	noteRun(root.Commands(), ran)
	return root, ran
}

// noteRun makes each of the commands, and those below them, say that it got to run.
func noteRun(commands []*cobra.Command, ran *bool) {
	for _, c := range commands {
		noteRun(c.Commands(), ran)
		run := c.RunE
		c.RunE = func(c *cobra.Command, args []string) error {
			*ran = true
			return run(c, args)
		}
	}
}
