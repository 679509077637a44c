package quiclb

// Use marks n nonces as used.
func (g *Generator) Use(n uint64) { g.made.Add(n) }
