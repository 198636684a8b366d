package reach

// MadeByEdit reports whether With made g without compiling.
func (g *Graph) MadeByEdit() bool { return g.fresh != nil }

// LabelSets returns how many sets of labels g keeps for its pods.
func (g *Graph) LabelSets() int { return len(g.labels.sets) + len(g.labels.more) }

// IsApart reports whether policies may treat a pod or node otherwise at one of its
// addresses.
func IsApart(e Endpoint) bool { return e.g.isApart(e.id) }

// FullName returns the name of e with its kind, if it has one.
func FullName(e Endpoint) string { return e.g.fullName(e.id) }

// IsAt reports whether e is a pod or node as it is reached at one of several addresses.
func IsAt(e Endpoint) bool { return e.g.owner(e.id) != e.id }

// Turns reports whether g answers the flow of c as the Graph does that allows it, or
// if it was closed, as the other.
func Turns(c Change, g *Graph) bool {
	f, ok := newFault(c)
	return ok && f.answer(g) == c.Opened
}
