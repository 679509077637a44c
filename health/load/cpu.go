package load

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
)

// ticks is USER_HZ, the unit of times in /proc/self/stat: 100 on every architecture that Go runs on.
const ticks = 100

// cpu is the share of the time in which work waits for a processor, as far as this process causes it: on a machine that
// others keep busy, sending clients elsewhere frees nothing. So it is never more than twice the share of the processors
// that this process uses. Without pressure information (a kernel before 4.20) it is that share itself.
func (s *Sampler) cpu(elapsed time.Duration, _ *health.LoadOptions) (health.Figure, bool) {
	used, ok := s.processTime()
	if !ok {
		return health.Figure{}, false
	}
	s.process.add(used, elapsed)
	if !s.process.known || s.sources.CPUs < 1 {
		return health.Figure{}, false
	}
	own := min(s.process.value/float64(s.sources.CPUs), 1)
	f := health.Figure{Name: health.CPU, Value: own, Detail: fmt.Sprintf("this process uses %s of %d processors", health.Ratio.Format(own), s.sources.CPUs)}
	if waits, ok := s.pressure(); ok {
		f.Value = min(waits, 2*own)
		f.Detail = fmt.Sprintf("work waits %s of the time; %s", health.Ratio.Format(waits), f.Detail)
	}
	return f, true
}

// pressure is the share of the last ten seconds in which some work waited for a processor: avg10 of the line "some".
func (s *Sampler) pressure() (float64, bool) {
	for line := range s.lines("proc/pressure/cpu") {
		rest, some := strings.CutPrefix(line, "some avg10=")
		if !some {
			continue
		}
		figure, _, _ := strings.Cut(rest, " ")
		percent, err := strconv.ParseFloat(figure, 64)
		return percent / 100, err == nil && percent >= 0
	}
	return 0, false
}

// processTime is the processor time that this process has used, in seconds: utime and stime, the 14th and 15th of
// proc(5)'s fields. The second field, the program's name in brackets, may have blanks and brackets of its own.
func (s *Sampler) processTime() (float64, bool) {
	b := s.read("proc/self/stat")
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return 0, false
	}
	fields := strings.Fields(string(b[end+1:]))
	if len(fields) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseUint(fields[11], 10, 64)
	system, err2 := strconv.ParseUint(fields[12], 10, 64)
	return float64(user+system) / ticks, err1 == nil && err2 == nil
}
