package rescue_test

import (
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/rescue"
	"github.com/anyedge/anyedge/routing/steer"
)

// sink is a tunnel that takes everything.
type sink struct{}

func (sink) Send(steer.NodeID, steer.Segment) steer.Verdict         { return steer.Forwarded }
func (sink) Flush()                                                 {}
func (sink) Ask([]steer.NodeID, steer.Segment, []byte) (asked bool) { return true }

// BenchmarkJudge is what the decision on a segment costs, without reading and sending it.
func BenchmarkJudge(b *testing.B) {
	r := rescue.New(rescue.NewHost(), known(self, near, far), sink{}, nil)
	r.Watch()
	now := time.Now()
	packet := of(far, now, ack)
	b.ReportAllocs()
	for b.Loop() {
		if v := r.Take(packet, now); v != rescue.Marked {
			b.Fatal(v)
		}
	}
}

// Nothing is allocated for a segment whose owner is known.
func TestJudgeAllocates(t *testing.T) {
	r := rescue.New(rescue.NewHost(), known(self, near, far), sink{}, nil)
	r.Watch()
	now := time.Now()
	packet := of(far, now, ack)
	if n := testing.AllocsPerRun(100, func() { r.Take(packet, now) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
