package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/proxy/origin"
	"github.com/anyedge/anyedge/routing/bgp"
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
	c.Flags().BoolVar(&diff, "diff", false, "show what a reload would change on the routes (not supported yet)")
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
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: good: node %s, %s, %s, %s, %s\n", file, cfg.Node.Name,
			count(len(cfg.VIPs), "VIP"), count(len(cfg.Sites), "site"), count(len(cfg.Origins), "origin"), count(len(cfg.BGP.Peers), "BGP peer"))
		return err
	}
	return c
}

// checkFiles reads the files that the configuration names, as a start would; its error is Mistakes.
func checkFiles(cfg *configs.Config) error {
	var mistakes configs.Mistakes
	add := func(key string, err error) {
		if err == nil {
			return
		}
		for problem := range strings.Lines(err.Error()) {
			mistakes = append(mistakes, cfg.Mistake(key, strings.TrimSuffix(problem, "\n")))
		}
	}
	for i := range cfg.TLS.Certificates {
		_, err := edgetls.Load(edgetls.Options{Certificates: cfg.TLS.Certificates[i : i+1], MinVersion: cfg.TLS.MinVersion})
		add(fmt.Sprintf("tls.certificates[%d]", i), err)
	}
	for name := range cfg.Origins {
		p, err := origin.New(name, originOptions(cfg, name), nil, nil, discardLog())
		add("origins."+name, err)
		if err == nil {
			p.Close()
		}
	}
	for i := range cfg.BGP.Peers {
		alone := cfg.BGP
		alone.Peers = alone.Peers[i : i+1]
		_, err := bgp.New(alone, prefixes(cfg), nil, discardLog())
		add(fmt.Sprintf("bgp.peers[%d]", i), err)
	}
	cfg.Admin.CheckFiles(func(key, problem string) { add("admin."+key, errors.New(problem)) })
	add("log.access", checkAccess(cfg.Log.Access))
	return sorted(mistakes)
}

// checkAccess looks whether the access log's file can be made, without making it.
func checkAccess(where string) error {
	if where == accessOff || where == accessStdout {
		return nil
	}
	dir := filepath.Dir(where)
	switch info, err := os.Stat(dir); {
	case err != nil:
		return fmt.Errorf("the access log's directory: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	}
	return nil
}

// sorted is nil where there are no mistakes.
func sorted(mistakes configs.Mistakes) error {
	if len(mistakes) == 0 {
		return nil
	}
	mistakes.Sort()
	return mistakes
}
