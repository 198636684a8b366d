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
// A Graph keeps the objects of its cluster for With. Queries never look at them,
// but an object that has been changed since makes With answer for the change:
// put a changed copy instead.
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
