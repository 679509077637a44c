// Package cache is a shared HTTP cache: its rules, its index, the fills that many requests follow, and a handler.
//
//	request ─▶ receive ─▶ lookup ─────────────────▶ serve ─▶ client
//	                        │  index: key → Response of the slot, or one of its variants
//	                        ▼                         ▲
//	                      fetch ─▶ fill ─▶ storable? ─┤
//	                        │       │ └─▶ stream ─────┘ any number of readers, each at its own pace
//	                        │       └─▶ private: to the one that asked
//	                        ▼
//	                       pass ─▶ origin
//
// Behind memory there may be a Store, which cache/disk fulfils, and which outlives the process:
//
//	lookup ─ miss ─▶ recall ─▶ Store.Load ─▶ held against what was purged since ─▶ index ─▶ serve
//	commit, second use, 304 ─▶ put ─▶ Store.Put          purge, invalidation ─▶ Store.Note, Store.Delete
//
// Large contents are in slices, each in a slot of its own, which a head under the key of the target URI leads to:
//
//	fill ─ 200 ─▶ cutter ─▶ slice, slice, slice ─▶ index        as it comes, not far ahead of the fastest reader
//	     └ 206 ─▶ head and one slice ────────────────▲
//	serve ─▶ slicedSource ─ stored? ─ coming? ─ fetch┘          slice by slice, one ahead
//
// handler.go, collapse.go, serve.go and pass.go are the life of a request, state by state. The rules are pure functions over
// parsed fields and times; RFC.md has every requirement, and the test that shows it:
//
//	RFC 9111 §2    cache key                             key.go, querykey.go
//	         §3    storing, must-understand, private     storing.go
//	         §3.1  fields that aren't stored             fields.go, block.go
//	         §3.2  updating stored fields                validate.go, refresh.go
//	         §3.3, §3.4 parts                            slice.go, slicefill.go, slicefetch.go, validator.go
//	         §3.5  Authorization                         storing.go, reuse.go
//	         §4    reuse, request directives             request.go, reuse.go
//	         §4.1  Vary                                  vary.go
//	         §4.2  freshness, heuristics, age            freshness.go, age.go
//	         §4.2.4 serving stale                        stale.go
//	         §4.3  validation, 304, HEAD                 validate.go, refresh.go
//	         §4.3.2 conditions of clients                condition.go
//	         §4.4  invalidation                          invalidate.go
//	the path's configuration                             policy.go
//	the preset safe                                      guard.go
//	RFC 9110 §9.3.3 responses to POST                    posted.go
//	RFC 9110 §8.4, §12.5.3 content coding                coder.go, represent.go, forms.go, encodestream.go
//	         §8.8.3.3 entity tags of encoded forms       forms.go, encodepass.go
//	         §13   preconditions, If-Range               condition.go
//	         §14   ranges                                ranges.go
//	         §15.2 informational responses               interim.go
//	RFC 5861       stale-while-revalidate, -if-error     stale.go
//	RFC 8246       immutable                             reuse.go
//	RFC 9211       Cache-Status                          status.go
//	RFC 9213       targeted fields, Surrogate-Control    storing.go, httpfield/targeted.go, surrogate.go
//	No-Vary-Search                                       search.go
//	RFC 9875       Cache-Groups, -Group-Invalidation     groups.go
//
// Where an RFC leaves a choice: of several values for a directive the first counts; a malformed one makes stale;
// private and no-cache with field names keep these fields out of what is stored; s-maxage beside a directive of RFC
// 5861 doesn't forbid stale use; a 304 without a validator confirms what we asked about; conditions on a miss are
// evaluated on what the origin sends, so that it can be stored, and go to the origin where it wasn't. A range on a miss asks
// for the slice it begins in, whatever the size of the content, since that costs the origin the least; one that is all there is
// of the content is stored as the whole, and where slices can't be combined a small content is fetched whole for the next
// range. Ranges are sent of what is stored whether or not the origin would have sent them.
// Warning is obsolete and neither made nor read.
//
// A hit needs no http.Header and allocates nothing: AppendKey, Lookup, and the Response's FieldBlock and Content, which
// a server loop writes as they are. ServeHTTP is an adapter on top for net/http.
//
// A client that accepts a content coding gets a content of a fitting type encoded: an encoded form that is kept beside the
// stored response (forms.go), or one that is made as the content passes (encodestream.go). cache/encoding chooses and
// encodes.
//
// index.go keeps what is stored, table.go finds it without a lock and within two misses of the processor's cache. What is
// stored lives in the index; Residency, which cache/memory fulfils, only says which slots must
// leave it. A fill in flight holds memory of its own share of the budget; when that is in use, responses pass without
// being stored. cache/governor sets the budget, and lowers it when the process runs short.
//
// tier.go decides what goes into the Store, meta.go is the form of a record's head, recall.go brings it back, once for
// all who wait, and shelved.go answers from it: a small content by way of memory, a large one piece by piece, either not
// before its first octets are verified, so that a content that is gone or damaged is a miss. past.go remembers what was
// purged since the oldest record was asked for, and notes.go makes that durable before a purge is acknowledged. Without
// a Store, and on a hit in memory, none of this costs anything.
//
// The package imports httpfield, encoding, lifespan and client_golang, and nothing else of anyedge.
package cache
