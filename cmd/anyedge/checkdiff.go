package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/routing"
)

// errRefused is that of a reload which would be.
var errRefused = errors.New("a reload would refuse this")

// running asks a node for its effective configuration and the VIPs that it announces.
func running(ctx context.Context, f *clientFlags) (*configs.Config, map[string]bool, error) {
	api, err := f.client()
	if err != nil {
		return nil, nil, err
	}
	resp, err := api.send(ctx, "GET", "/v1/config", "application/yaml", nil)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("read the node's configuration: %w", err)
	}
	var s Status
	if err := api.get(ctx, "/v1/status", &s); err != nil {
		return nil, nil, err
	}
	announced := map[string]bool{}
	for _, v := range s.VIPs {
		announced[v.Name] = v.Level < routing.Withdrawn && len(s.Peers) > 0
	}
	cfg, err := configs.Parse("the node's configuration", text)
	return cfg, announced, err
}

// diff prints the routes of old and cfg, and what a reload would refuse; the error is errRefused if there is anything.
func diff(w io.Writer, old, cfg *configs.Config, announced map[string]bool) error {
	before, after := announcements(old), announcements(cfg)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tprefix\tVIP\tpeer\tpath attributes at each level")
	for _, line := range merged(before, after) {
		fmt.Fprintln(t, line)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if slices.Equal(before, after) {
		fmt.Fprintln(w, "the routes stay as they are")
	}
	refused := errors.Join(fixed(old, cfg), unconfirmed(old, cfg, announced))
	if refused == nil {
		return nil
	}
	fmt.Fprintf(w, "\n%v\n", refused)
	return errRefused
}

// announcements are the routes that a configuration may announce: a line for each prefix and peer, in order.
func announcements(cfg *configs.Config) (lines []string) {
	for _, vip := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		for _, p := range cfg.VIPs[vip].Announce {
			for _, peer := range cfg.BGP.Peers {
				if peer.Address.Is4() == p.Addr().Is4() {
					lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s", p, vip, peer.Name, attributes(cfg)))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// attributes are what each level adds.
func attributes(cfg *configs.Config) string {
	var levels []string
	for _, l := range slices.Sorted(maps.Keys(cfg.BGP.Levels)) {
		levels = append(levels, fmt.Sprintf("%d: %s", l, cfg.BGP.Levels[l]))
	}
	return strings.Join(levels, "; ")
}

// merged lists both in order: with - what is only before, with + what is only after.
func merged(before, after []string) (lines []string) {
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(before, after))))
	for _, line := range all {
		sign := " "
		switch {
		case !slices.Contains(after, line):
			sign = "-"
		case !slices.Contains(before, line):
			sign = "+"
		}
		lines = append(lines, sign+"\t"+line)
	}
	return lines
}
