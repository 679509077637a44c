// Hits measures what a cached hit costs: requests per CPU-second of the server, for builds of anyedge and for nginx, over
// H1, H2 and H3, with contents of 1, 16 and 100 KiB.
//
//	go build -o /tmp/after ./cmd/anyedge
//	taskset -c 1 go run ./bench/hits -edge before=/tmp/before -edge after=/tmp/after -nginx -runs 5
//
// Servers run one after the other, each on core 0 and with one thread; the load, the origin and this program where taskset
// puts them. The processor time is the server's own, from /proc, so that a machine with other work on it disturbs less than
// it would a rate; runs are interleaved and the figures medians, with the lowest and highest behind them. H1 and H2 are
// h2load's, H3 this program's, which makes no more than 20,000 requests a second: the server is then not busy all the time,
// and batches less. nginx caches by proxy_cache, in memory (/dev/shm), and serves H3 only from version 1.25 on.
package main
