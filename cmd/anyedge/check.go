package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/configs"
	edgetls "github.com/anyedge/anyedge/tls"
)

func newCheck() *cobra.Command {
	var (
		file    string
		effects bool
		diff    bool
	)
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Validate a configuration: every mistake at once, as FILE:LINE:COL: key: what is wrong",
		Long: `Check reads the configuration, and the certificates and secrets that it names, and reports every mistake at once.
It needs no root, binds nothing and sends nothing.`,
		Example: "  anyedge check -c /etc/anyedge/node.yaml\n  anyedge check -c node.yaml --print",
		GroupID: "node",
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVarP(&file, "config", "c", "", "the configuration file")
	c.Flags().BoolVar(&effects, "print", false, "print the effective configuration, with every default")
	c.Flags().BoolVar(&diff, "diff", false, "show what a reload would change on the routes")
	_ = c.MarkFlagRequired("config") // fails only for a flag that isn't there
	c.RunE = func(c *cobra.Command, _ []string) error {
		if diff {
			return errors.New("--diff: not supported yet")
		}
		cfg, err := configs.Load(file)
		if err != nil {
			return err
		}
		if effects {
			return configs.Print(c.OutOrStdout(), cfg)
		}
		if err := checkFiles(cfg); err != nil {
			return err
		}
		for _, w := range cfg.Warnings() {
			fmt.Fprintf(c.ErrOrStderr(), "%s: warning: %s\n", file, w)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: good: node %s, %d VIPs, %d sites, %d origins, %d BGP peers\n",
			file, cfg.Node.Name, len(cfg.VIPs), len(cfg.Sites), len(cfg.Origins), len(cfg.BGP.Peers))
		return err
	}
	return c
}

// checkFiles reads the files that the configuration names, as a start would.
func checkFiles(cfg *configs.Config) error {
	_, err := edgetls.Load(cfg.TLS.Options)
	pools, poolErr := newPools(cfg, nil, nil, nil, discardLog())
	for _, p := range pools {
		p.Close()
	}
	_, speakerErr := newSpeaker(cfg, nil, discardLog())
	return errors.Join(err, poolErr, speakerErr)
}
