package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/cache"
)

func newPurge() *cobra.Command {
	var (
		f     clientFlags
		p     cache.PurgeRequest
		fleet bool
	)
	c := &cobra.Command{
		Use:     "purge --url U | --tag T | --prefix P | --all",
		Short:   "Drop stored responses, or make them stale with --soft",
		Example: "  anyedge purge --url https://shop.example.com/logo.png\n  anyedge purge --tag product-17 --soft\n  anyedge purge --prefix shop.example.com/static/",
		Args:    cobra.NoArgs,
	}
	f.register(c)
	c.Flags().StringVar(&p.URL, "url", "", "one target URI, with all its variants")
	c.Flags().StringVar(&p.Tag, "tag", "", "all that the origin tagged so (Surrogate-Key, Cache-Tag)")
	c.Flags().StringVar(&p.Prefix, "prefix", "", "all below HOST/PATH, scheme optional")
	c.Flags().BoolVar(&p.All, "all", false, "everything")
	c.Flags().BoolVar(&p.Soft, "soft", false, "make stale: validate before the next use, still usable where stale is allowed")
	c.Flags().BoolVar(&fleet, "fleet", false, "on every node of the fleet (not supported yet)")
	c.MarkFlagsMutuallyExclusive("url", "tag", "prefix", "all")
	c.MarkFlagsOneRequired("url", "tag", "prefix", "all")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if fleet {
			return errors.New("--fleet: not supported yet: purge each node by its --admin")
		}
		api, err := f.client()
		if err != nil {
			return err
		}
		var result cache.PurgeResult
		if err := api.post(c.Context(), "/v1/purge", p, &result); err != nil {
			return err
		}
		if result.Warning != "" {
			fmt.Fprintln(c.ErrOrStderr(), "warning: a restart may bring it back:", result.Warning)
		}
		if f.json {
			return printJSON(c.OutOrStdout(), result)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "purged %s in %s\n", count(result.Count, "stored response"), result.Took.Round(time.Microsecond))
		return err
	}
	return c
}
