package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/configs"
)

// The exit codes.
const (
	exitGood  = 0
	exitBad   = 1 // something got worse, or it could not be measured
	exitUsage = 2 // the command line is wrong
)

// servers is where Debian has them; a user's PATH doesn't lead there.
const servers = ":/usr/local/sbin:/usr/sbin"

func main() {
	_ = os.Setenv("PATH", os.Getenv("PATH")+servers) // it has no character that could be refused
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	var mistakes configs.Mistakes
	var inside *exitError
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return exitGood
	case errors.As(err, &inside):
		return inside.code // it has said why
	case errors.As(err, &mistakes):
		fmt.Fprintln(errOut, mistakes)
		return exitUsage
	case errors.As(err, new(usageError)):
		fmt.Fprintf(errOut, "bench: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(errOut, "bench: %v\n", err)
		return exitBad
	}
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "bench",
		Short: "Measures anyedge: against its origin, its peers, and itself as it was",
		Long: `bench measures anyedge. It starts what it needs on loopback, and asks over H1, H2 and H3.

Begin with:  go run ./bench run hit`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRun(), newCompare(), newCheck(), newInside())
	return root
}
