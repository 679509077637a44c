// Command anyedge is the whole program: one binary, one file per node.
//
//	main.go      the commands, in groups       run.go     the wiring of a node, on one screen
//	client.go    speaks to the admin API       reload.go  load, validate, build, swap: all or nothing
//	check.go …   one file per command          drain.go   the ordered goodbye
//	                                           demo.go    a whole front door on loopback
//
// It alone imports configs, and it alone joins the data path (proxy) with the control path (routing).
package main
