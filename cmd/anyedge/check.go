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
	"github.com/anyedge/anyedge/routing/fleet"
	"github.com/anyedge/anyedge/routing/rpki"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/clientauth"
	"github.com/anyedge/anyedge/tls/secret"
)

func newCheck() *cobra.Command {
	var (
		o checkOptions
		f clientFlags
	)
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Validate a configuration: every mistake at once, as FILE:LINE:COL: key: what is wrong",
		Long: `Check reads the configuration, and the certificates and secrets that it names, and reports every mistake at once.
It needs no root and binds nothing. With --diff it asks the running node for its configuration, shows which routes a
reload would change, and what of it a reload would refuse.`,
		Example: "  anyedge check -c /etc/anyedge/node.yaml\n  anyedge check -c node.yaml --print\n  anyedge check -c node.yaml --diff",
		GroupID: "node",
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVarP(&o.file, "config", "c", "", "the configuration file")
	c.Flags().BoolVar(&o.effects, "print", false, "print the effective configuration, with every default")
	c.Flags().BoolVar(&o.diff, "diff", false, "show what a reload of the running node would change on the routes")
	c.Flags().StringVar(&o.against, "against", "", "show the difference to another configuration file instead")
	f.registerAPI(c)
	c.MarkFlagsMutuallyExclusive("print", "diff", "against")
	_ = c.MarkFlagRequired("config") // fails only for a flag that isn't there
	c.RunE = func(c *cobra.Command, _ []string) error { return check(c, &o, &f) }
	return c
}

type checkOptions struct {
	file, against string
	effects, diff bool
}

func check(c *cobra.Command, o *checkOptions, f *clientFlags) error {
	cfg, err := configs.Load(o.file)
	if err != nil {
		return err
	}
	if o.effects {
		return configs.Print(c.OutOrStdout(), cfg)
	}
	read, err := checkFiles(cfg)
	if err != nil {
		return err
	}
	for _, w := range append(warnings(cfg, read), rescueWarnings(cfg)...) {
		fmt.Fprintf(c.ErrOrStderr(), "%s: warning: %s\n", o.file, w)
	}
	switch {
	case o.against != "":
		return checkAgainst(c, o, cfg)
	case o.diff:
		old, announced, err := running(c.Context(), f)
		if err != nil {
			return err
		}
		return diff(c.OutOrStdout(), old, cfg, announced)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s: good: node %s, %s, %s, %s, %s\n", o.file, cfg.Node.Name,
		count(len(cfg.VIPs), "VIP"), count(len(cfg.Sites), "site"), count(len(cfg.Origins), "origin"), count(len(cfg.BGP.Peers), "BGP peer"))
	return err
}

// checkAgainst compares with another file, as if that were running with all its VIPs announced.
func checkAgainst(c *cobra.Command, o *checkOptions, cfg *configs.Config) error {
	old, err := configs.Load(o.against)
	if err != nil {
		return err
	}
	announced := map[string]bool{}
	for vip := range old.VIPs {
		announced[vip] = len(old.BGP.Peers) > 0
	}
	return diff(c.OutOrStdout(), old, cfg, announced)
}

// readings are what was read from the files that a configuration names.
type readings struct {
	certs   *edgetls.Store
	clients map[string]*clientauth.Policy // by site
}

// checkFiles reads the files that the configuration names, as a start would; its error is Mistakes.
func checkFiles(cfg *configs.Config) (readings, error) {
	read := readings{clients: map[string]*clientauth.Policy{}}
	var mistakes configs.Mistakes
	add := func(key string, err error) {
		if err == nil {
			return
		}
		for problem := range strings.Lines(err.Error()) {
			mistakes = append(mistakes, cfg.Mistake(key, strings.TrimSuffix(problem, "\n")))
		}
	}
	read.certs = edgetls.LoadEach(cfg.TLS.Options, func(key string, err error) { add("tls."+key, err) })
	for name, s := range cfg.Sites {
		if o := s.ClientCertificates; o != nil {
			policy, err := clientauth.Load(*o, nil)
			add("sites."+name+".client_certificates", err)
			read.clients[name] = policy
		}
	}
	if o := cfg.TLS.ACME; o != nil {
		o.CheckFiles(func(key, problem string) { add("tls.acme."+key, errors.New(problem)) })
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
	for i := range cfg.Fleet.Nodes {
		_, err := fleet.Read(fleet.Options{Nodes: cfg.Fleet.Nodes[i : i+1]})
		if err != nil {
			err = errors.New(strings.TrimPrefix(err.Error(), "fleet.nodes[0]: "))
		}
		add(fmt.Sprintf("fleet.nodes[%d]", i), err)
	}
	if cfg.Fleet.SecretFile != "" {
		_, err := secret.Load(cfg.Fleet.SecretFile)
		add("fleet.secret_file", err)
	}
	if disk := cfg.Cache.Disk; disk != nil {
		disk.CheckFiles(func(key, problem string) { add("cache.disk."+key, errors.New(problem)) })
	}
	add("log.access", checkAccess(cfg.Log.Access))
	findings, err := validateOrigins(cfg)
	add("bgp.rpki.vrps_file", err)
	for _, f := range findings {
		if f.state == rpki.Invalid {
			add(f.key, errors.New(f.String()))
		}
	}
	return read, sorted(mistakes)
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
