// Package configs reads a node's configuration: strictly, whole, with every mistake at once.
//
//	FILE ─► YAML nodes ─► decode (walks nodes and option structs side by side) ─► Check of each package
//	                                                                            └► validate: what refers to what
//	     ─► Config, or Mistakes: FILE:LINE:COL: key: what is wrong; did you mean …
//
// The schema is the packages' own options structs, composed in [Config]. A package says by methods and tags what is
// particular to its options, without importing this one:
//
//	SetDefaults()                               before decoding
//	Check(report func(key, problem string))     after it
//	UnmarshalText                               a short form beside the mapping, such as `cache: off`
//	`unit:"size"`, `unit:"ratio"`               how a number is written
//	`later:"the disk tier"`                     accepted by nobody yet: "not supported yet"
//
// Nothing is silently ignored, clamped or repaired. It imports every package that has options, and only cmd imports
// it. It is the home of the YAML library; [Decode] reads other files as strictly.
package configs
