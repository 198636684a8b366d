package reach

// MadeByEdit reports whether With made g without compiling.
func (g *Graph) MadeByEdit() bool { return g.fresh != nil }

// LabelSets returns how many sets of labels g keeps for its pods.
func (g *Graph) LabelSets() int { return len(g.labels.sets) + len(g.labels.more) }
