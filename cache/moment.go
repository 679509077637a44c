package cache

import "time"

// moment is a time as fields tell it, to the second: a third of a time.Time. It counts seconds since the zero
// time.Time, and is 0 for none.
type moment int64

func momentOf(t time.Time) moment { return moment(t.Unix() - time.Time{}.Unix()) }

func (m moment) time() time.Time { return time.Unix(int64(m)+time.Time{}.Unix(), 0) }

func (m moment) sub(o moment) time.Duration { return m.time().Sub(o.time()) }
