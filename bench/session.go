package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/scenarios"
	"github.com/anyedge/anyedge/bench/target"
)

// session is a job under way: the origin and the servers run.
type session struct {
	job     *job
	ctx     context.Context
	log     io.Writer // what happens, for whom it takes too long
	origin  *target.Origin
	site    *target.Site
	servers []*contestant
	rows    []row
}

// open starts what a job needs.
func (j *job) open(ctx context.Context, log io.Writer) (s *session, err error) {
	s = &session{job: j, ctx: ctx, log: log}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var list []*scenarios.Scenario
	for _, name := range j.Scenarios {
		one, err := scenarios.Load(name)
		if err != nil {
			return s, err
		}
		list = append(list, one)
	}
	s.rows = rowsOf(list, j.Protocols)
	if j.Path != "" { // it has an origin of its own
		return s, s.start()
	}
	if s.origin, err = target.NewOrigin(cmp.Or(j.Origin, "127.0.0.1:0")); err != nil {
		return s, err
	}
	if s.site, err = target.NewSite(j.Dir, s.origin.Address()); err != nil {
		return s, err
	}
	s.site.H2 = j.OriginH2
	for _, one := range list {
		if c := one.Content; one.Stored() {
			if err := s.site.AddFile(c.Octets, c.Fresh, 0); err != nil {
				return s, err
			}
		}
	}
	return s, s.start()
}

// start starts the servers.
func (s *session) start() error {
	if s.job.Address != "" {
		one := &target.Server{Name: "edge", Address: s.job.Address, Protocols: []load.Protocol{load.H1, load.H2, load.H3}}
		s.servers = append(s.servers, &contestant{Server: one, stores: true, proxies: true, foreign: true})
	}
	for _, e := range s.job.Edges {
		one, err := target.StartEdge(s.ctx, e.Name, e.Binary, s.site, s.job.Cores)
		if err != nil {
			return err
		}
		s.servers = append(s.servers, &contestant{Server: one, stores: true, proxies: true})
	}
	for _, p := range target.Peers(s.job.Caddy) {
		if !s.job.wants(p) {
			continue
		}
		one, err := p.Start(s.ctx, s.site, s.job.Cores)
		if err != nil {
			fmt.Fprintf(s.log, "%s is left out: %v\n", p.Name, err)
			continue
		}
		s.servers = append(s.servers, &contestant{Server: one, stores: p.Stores, files: p.Files, proxies: p.Proxies})
	}
	return nil
}

func (s *session) close() {
	for _, c := range s.servers {
		c.Stop()
	}
	if s.origin != nil {
		s.origin.Close()
	}
}
