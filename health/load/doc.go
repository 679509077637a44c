// Package load measures how much this node has to do, from Linux's /proc and /sys, for health's load signals.
//
//	Sampler.Sample each interval
//	  ├► cpu           /proc/pressure/cpu, and the processor time of this process    cpu.go
//	  ├► memory        the cgroup's limit, else /proc/meminfo                        memory.go
//	  ├► descriptors   /proc/self/fd, /proc/self/limits                              descriptors.go
//	  ├► connections   what the listeners' gate says                                 sampler.go
//	  ├► bandwidth     /proc/net/dev, against the configured capacity                network.go
//	  ├► accept_drops  /proc/net/netstat                                             network.go
//	  └► disk          statfs                                                        disk.go
//	        └► health.Tracker.Load
//
// What the kernel doesn't tell isn't measured, and no signal comes of it: unknown is never bad. Rates are smoothed over
// some seconds, so that a burst isn't load.
//
// It may import health. Nothing here reads a file of the data path, and a sample takes well under a millisecond.
package load
