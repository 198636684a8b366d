package reach

// MadeByEdit reports whether With made g without compiling.
func (g *Graph) MadeByEdit() bool { return g.fresh != nil }
