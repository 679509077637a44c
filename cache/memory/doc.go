// Package memory decides with ristretto which slots of the cache stay in memory. It is ristretto's only home, and
// fulfils cache.Residency without importing cache.
//
//	cache index ── Touch, Admit, Remove ──▶ small: costs up to 256 KiB ─┐
//	     ▲                                  large: costs above          ├─ ristretto: TinyLFU admission,
//	     └──────────── evict(hash) ─────────────────────────────────────┘  sampled LFU eviction
//
// Ristretto ranks by frequency alone, whatever an entry costs, so that one large content would push out thousands of
// small ones; the two classes keep them apart.
//
// What shapes the code, all of it ristretto's behaviour:
//   - The value is the cost and the key is the hash; contents never enter. So neither a lost update nor the queue of
//     pending sets, 32,768 long, keeps a content alive.
//   - A queue that is full drops sets silently. Admit counts what is pending, by the hook that ristretto calls as it
//     takes a set from the queue, and refuses before that happens.
//   - OnReject also fires for a key that is resident, when it was set twice in a row; so it looks before it evicts.
//   - OnEvict may fire with a zero value for a victim that was named twice.
//   - Callbacks run on the goroutine that empties the queue: they never block, nor call Del or Wait.
//   - A buffer of 64 gets, the default, drops most of them on a busy processor, and with them the frequencies that
//     eviction goes by; 4,096 keeps them.
package memory
