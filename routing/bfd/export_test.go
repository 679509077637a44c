package bfd

// NoJitter has m send exactly at its interval, by a number that isn't below 1.
func NoJitter(m *Machine) {
	m.random = func() float64 { return 1 }
	m.draw()
}
