package bfd

import "time"

// slowInterval is the least time between packets while a session isn't up (RFC 5880 §6.8.3).
const slowInterval = time.Second

// minTx is bfd.DesiredMinTxInterval.
func (m *Machine) minTx() time.Duration {
	if m.state != Up {
		return max(m.options.MinTx, slowInterval)
	}
	return m.options.MinTx
}

// interval is how often periodic packets are sent, before jitter: as both systems can bear.
func (m *Machine) interval() time.Duration {
	own := m.minTx()
	if m.polling {
		own = min(own, m.before.MinTx)
	}
	return max(own, m.remote.minRx)
}

// Detection is how long the other system may be silent (§6.8.4): as many of its packets as it says, at the rate that both
// systems bear.
func (m *Machine) Detection() time.Duration {
	own := m.options.MinRx
	if m.polling {
		own = max(own, m.before.MinRx)
	}
	return time.Duration(m.remote.multiplier) * max(own, m.remote.minTx)
}

// draw sets the jitter of the time to the next packet: 75 to 100 % of the interval, and with a multiplier of 1, where
// one late packet is a failure, at most 90 % (§6.8.7).
func (m *Machine) draw() {
	most := 1.0
	if m.options.Multiplier == 1 {
		most = 0.9
	}
	m.wait = 0.75 + (most-0.75)*m.random()
}

// transmission is when the next periodic packet is due; zero: the other system wants none.
func (m *Machine) transmission() time.Time {
	if m.remote.minRx == 0 || m.demanded() && !m.polling {
		return time.Time{}
	}
	return m.sent.Add(time.Duration(m.wait * float64(m.interval())))
}

// demanded says whether the other system's demand mode is active: it asks when it wants to hear of us (§6.6).
func (m *Machine) demanded() bool {
	return m.remote.demand && m.state == Up && m.remote.state == Up
}
