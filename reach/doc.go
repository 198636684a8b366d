// Package reach tells which endpoints of a cluster its network policies let
// talk to which, and why.
//
// [Compile] turns a [policy.Cluster] into a [Graph], or reports every faulty
// object. A Graph always answers. It is immutable and safe for concurrent use.
//
//   - [Graph.Lookup] finds the [Endpoint] that a person names: a pod, a
//     workload, a node, an address. [Graph.Addr] takes an address as a value.
//     A name that is not there is an error, never an answer.
//   - [Graph.Allows] answers one [Flow] in nanoseconds, without allocating.
//     [Graph.Explain] answers it with a [Verdict] that holds the reasons.
//   - [Graph.Target] finds all that a client can name, also Services and DNS
//     names. [Graph.Reaches] answers a [Connection] to a Target, and
//     [Graph.Trace] tells every path that it can take, one for each backend.
//   - [Graph.DNS] tells whether a pod can resolve names, [Graph.Exposures] how
//     clients outside get to a pod, [Graph.Routes] where Ingress objects lead.
//   - [Graph.Ports] returns all ports open between two endpoints.
//     [Graph.Edges] returns all pairs, and [Graph.ClassEdges] the same by each
//     [Class] of endpoints that no policy tells apart, for large clusters.
//   - [Graph.With] returns the Graph after edits: what if a policy changed?
//   - [Compare] returns what two Graphs answer differently, and
//     [Change.Causes] why. [Equivalent], [Graph.Contains], [Graph.Permits],
//     [Graph.Forbids], [Graph.Intersects] and [Graph.Interferes] tell what two
//     sets of policies are to each other.
//   - [Profile] holds the points that Kubernetes leaves to network plugins.
//
// The rules by which it answers are in the file semantics.md beside this one, and
// how fast it is in speed.md.
package reach
