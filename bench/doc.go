// Bench measures anyedge: what a hit and a miss cost, what clients have to wait, against other servers and against itself.
//
//	go run ./bench run hit                 an edge, and its origin without it
//	go run ./bench compare                 anyedge and its peers
//	go run ./bench check COMMIT            this checkout and an earlier one
//
//	command ─► job: everything is built ─► a process of its own: network namespace, core for the load ─► session
//	session: Origin, servers ─► measure: row by row, server by server, run by run ─► tables
//
// How it measures, and what came of it, is in README.md; load has the clients, target the servers, scenarios what is asked
// for, report what is printed.
package main
