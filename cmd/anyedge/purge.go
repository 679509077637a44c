package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/admin"
)

func newPurge() *cobra.Command {
	var (
		f     clientFlags
		p     cache.PurgeRequest
		fleet bool
	)
	c := &cobra.Command{
		Use:   "purge --url U | --tag T | --prefix P | --site S | --all",
		Short: "Drop stored responses, or make them stale with --soft",
		Long: "Drop stored responses, or make them stale with --soft. Each item may be given several times, and beside others: all are\n" +
			"purged, or none where one can't be read. It returns when no request can get them any more, also after a restart.",
		Example: "  anyedge purge --url https://shop.example.com/logo.png --url https://shop.example.com/\n" +
			"  anyedge purge --tag product-17 --soft\n  anyedge purge --prefix shop.example.com/static/\n  anyedge purge --site shop",
		Args: cobra.NoArgs,
	}
	f.register(c)
	c.Flags().StringArrayVar((*[]string)(&p.URLs), "url", nil, "a target URI, with all its variants")
	c.Flags().StringArrayVar((*[]string)(&p.Tags), "tag", nil, "all that the origin tagged so (Surrogate-Key, Cache-Tag)")
	c.Flags().StringArrayVar((*[]string)(&p.Prefixes), "prefix", nil, "all below HOST/PATH, scheme optional")
	c.Flags().StringArrayVar((*[]string)(&p.Sites), "site", nil, "all that came to be stored by a site's configuration")
	c.Flags().BoolVar(&p.All, "all", false, "everything")
	c.Flags().BoolVar(&p.Soft, "soft", false, "make stale: validate before the next use, still usable where stale is allowed")
	c.Flags().BoolVar(&fleet, "fleet", false, "on every node of the fleet; one that is away purges when it is back")
	c.MarkFlagsOneRequired("url", "tag", "prefix", "site", "all")
	for _, item := range []string{"url", "tag", "prefix", "site"} {
		c.MarkFlagsMutuallyExclusive(item, "all")
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := f.client()
		if err != nil {
			return err
		}
		if fleet {
			return purgeFleet(c, api, p, f.json)
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
		writePurged(c.OutOrStdout(), result)
		return nil
	}
	return c
}

// purgeFleet asks the node to purge everywhere. That a node hasn't yet is a bad answer.
func purgeFleet(c *cobra.Command, api *client, p cache.PurgeRequest, asJSON bool) error {
	var result FleetPurge
	if err := api.post(c.Context(), "/v1/purge", admin.PurgeRequest{PurgeRequest: p, Fleet: true}, &result); err != nil {
		return err
	}
	if asJSON {
		return errors.Join(printJSON(c.OutOrStdout(), result), result.incomplete())
	}
	result.write(c.OutOrStdout())
	return result.incomplete()
}

// writePurged tells how much was purged, and of what where there were several items.
func writePurged(w io.Writer, r cache.PurgeResult) {
	fmt.Fprintf(w, "purged %s in %s\n", count(r.Count, "stored response"), r.Took.Round(time.Microsecond))
	if len(r.Items) < 2 {
		return
	}
	for _, i := range r.Items {
		fmt.Fprintf(w, "  %d by %s %s\n", i.Count, i.Kind, i.What)
	}
}
