package reach

import "github.com/polreach/polreach/policy"

// With returns the Graph of the cluster after edits, one after the other: what
// Compile makes of it, or the errors that Compile returns, and those of
// [policy.Cluster.With]. g stays as it is.
//
// Where only policies change, by what the cluster has already (label keys, blocks
// and port names), With takes time for the pods that these policies select, and
// the new Graph shares all else with g. Then what concerns the cluster as a whole,
// such as Warnings, Edges and Classes, costs as much as Compile the first time
// that it is asked for. All other edits cost as much as Compile at once.
//
// The objects of the cluster must not change as long as With, or a Graph that it
// has made, is in use: put a changed copy. Otherwise these answer for the one or
// the other, and may panic if an object has become faulty.
func (g *Graph) With(edits ...policy.Edit) (*Graph, error) {
	c, err := g.cluster.With(edits...)
	if err != nil {
		return nil, err
	}
	if h := g.withPolicies(c, edits); h != nil {
		return h, nil
	}
	return g.profile.compile(c)
}
