// Package disk keeps stored responses on disks, in a log of segments, and finds them again after a restart. It fulfils
// cache.Store, and is the only package that knows files.
//
//	Put ─▶ queue ─▶ writer ─▶ segment, segment, segment … oldest ─▶ evicted; what was read is copied to the newest
//	                  │          ▲
//	                  ▼          │ pread, verified chunk by chunk
//	Has, Load ─▶ directory ─▶ readers ─▶ Content.WriteRange ─▶ client
//	Note ─▶ notes: synced before it returns, many at a time
//
// A disk is a directory with a label (label.go), segments (footer.go) of records (record.go), and notes (notes.go). It
// belongs to one process; a lock says so. Records are never changed: a newer one stands later in the log.
//
// # What can be relied on
//
// Nothing wrong is read. Every octet is covered by a CRC32C that also says which record it belongs to, and is verified
// before it reaches a client; what isn't right is forgotten, counted and logged. Checksums begin with the directory's
// random seed, so that a content that looks like a record doesn't pass for one.
//
// A start reads the footers of the segments; the segment that had none yet is walked. After a process that was killed
// at any octet, every record is there that was written before, except for those still in the buffer, at most 1 MiB,
// and those in the queue. Records aren't synced: a loss of power may take the latest, and never makes a wrong one.
//
// A record that is replaced isn't there any more as soon as the newer one is offered, whether or not that is taken.
// Only a start may find it again, where the newer one wasn't written, as it may find what was deleted: it is subject
// to its freshness and to the notes, which are synced. Notes outlive everything but the loss of their disk; they stand
// in the file twice, and on every disk.
//
// While a start reads the footers, what is known so far is served; Has answers that everything may be there, Load
// finds what is known, Oldest is 0. A second or two covers a million records.
//
// The size is never exceeded: room is reserved before a segment begins. Eviction takes the oldest segment whole, and
// copies what was read since it was written, half a segment at most. Where the file system has less free room than
// MinFree, the oldest segments go until it has, and nothing is written meanwhile.
//
// No disk holds up a client: Put refuses instead of waiting, a read that takes longer than Slow fails. After a write
// that failed nothing is written for a while, and after three reads that failed nothing is read either; the rest is
// doubled while it doesn't help. Stats say so.
//
// Several disks share the IDs by rendezvous hashing. A disk that comes back may hold older versions of what the others
// had in the meantime; of those the above holds too. One that missed notes that nobody has any more is emptied.
//
// A directory of another version, or with a damaged label, is emptied of what is ours, and begun anew.
//
// The package imports cache, for its types, and nothing else of anyedge.
package disk
