// Command anyedge is the whole program: one binary, one file per node.
//
//	main.go      the commands, in groups       run.go     the wiring of a node, on one screen
//	client.go    speaks to the admin API       reload.go  load, validate, build, swap: all or nothing
//	check.go …   one file per command          drain.go   the ordered goodbye
//	                                           demo.go    a whole front door on loopback
//	upgrade.go   the command; successor.go what the process does that makes way, former.go the one that comes, wire.go
//	             what they say to each other, inheritance.go what is built otherwise where there is a process before
//
// It alone imports configs, and it alone joins the data path (proxy) with the control path (routing).
package main
