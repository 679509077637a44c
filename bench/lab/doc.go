// Package lab runs a fleet in Linux network namespaces, with real BIRD 2 and FRR routers, so that what a node
// announces is judged by the routers that have to act on it.
//
//	       client
//	          │
//	        core           BIRD, AS 64500: the way to the world; prefers ams while it is well
//	       ╱    ╲
//	edge-ams ── edge-fra   BIRD, AS 64501, and FRR, AS 64502: the metros' routers, peers of each other
//	    │          │
//	  ams-1      fra-1     anyedge, AS 64512, with the VIP on lo
//	       ╲    ╱
//	       origin
//
// A [Lab] makes any such net from hosts and links; a [Fleet] is the one above. Links can be cut or made to swallow
// packets, processes killed, routes flipped and watched in the kernels, UPDATEs captured and decoded:
//
//	f := lab.NewFleet(t)
//	f.Start(lab.Quick(), f.Ams, f.Fra)
//	fib := f.Core.WatchFIB()
//	fib.WaitVia(lab.Prefix4, "edge-ams", 20*time.Second)
//	f.Ams.ToOrigin.Cut()
//	moved := fib.WaitVia(lab.Prefix4, "edge-fra", 10*time.Second)
//
// Everything stays inside the namespaces and ends with the test. Each test process names its namespaces after its
// process ID and start time, and removes those whose process is gone.
//
// It needs root, Linux and the build tag lab; what only parses needs neither. Tests call [Main] from TestMain.
package lab
