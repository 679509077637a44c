// Package memory decides which slots of the cache stay in memory. It fulfils cache.Residency without importing cache.
//
//	                        ┌──────────── used meanwhile ───────────┐ ┌─ used ─┐
//	cache index ── Admit ──▶ small queue, a tenth ──▶ its end ──────▶ main queue ──▶ its end
//	     ▲                        ▲ no                   │                              │
//	     │            remembered? ┘                      ▼ never used, remembered       ▼
//	     └──────────────────────────────────────── evict(hash) ◀────────────────────────┘
//
// FIFO is S3-FIFO: fifo.go the rules, nodes.go and ghosts.go what it remembers, about 50 bytes for each slot. A hit costs
// it nothing, since uses are counted in what the hit reads anyway. Ristretto, in ristretto.go and class.go, is TinyLFU
// admission with sampled LFU eviction by the library of that name, which has its only home here; each hit looks a hash
// up in ristretto's map. What they hit, of objects and of bytes, with 200,000 keys, the second of two million requests
// (go test ./cache/memory -run - -bench HitRatio -benchtime 1x):
//
//	                                      LRU          S3-FIFO by the book   FIFO         Ristretto
//	zipf 0.99, 1 % of the bytes           .514         .606                  .605         .471 (.534)
//	zipf 0.99, 10 %                       .738         .788                  .788         .734 (.769)
//	drifting, 30 % one-hit wonders, 10 %  .377         .458                  .460         .383 (.409)
//	CDN sizes, zipf 0.8, 2 %              .275, .288   .387, .390            .385, .388   .363, .338
//	CDN sizes, zipf 0.8, 10 %             .475, .480   .562, .566            .561, .566   .562, .536
//
// In parentheses what Ristretto hits when its class for small slots may use the whole limit. So FIFO is the default.
//
// What shapes the code around ristretto, all of it that library's behaviour:
//   - It ranks by frequency alone, whatever an entry costs, so that one large content would push out thousands of small
//     ones; two classes, of costs up to 256 KiB and above, keep them apart.
//   - The value is the cost and the key is the hash; contents never enter. So neither a lost update nor the queue of
//     pending sets, 32,768 long, keeps a content alive.
//   - A queue that is full drops sets silently. Admit counts what is pending, by the hook that ristretto calls as it
//     takes a set from the queue, and refuses before that happens.
//   - OnReject also fires for a key that is resident, when it was set twice in a row; so it looks before it evicts.
//   - OnEvict may fire with a zero value for a victim that was named twice.
//   - Callbacks run on the goroutine that empties the queue: they never block, nor call Del or Wait.
//   - A buffer of 64 gets, the default, drops most of them on a busy processor, and with them the frequencies that
//     eviction goes by; 4,096 keeps them.
//   - A lower limit is kept only when something new comes, so that a guest has to.
package memory
