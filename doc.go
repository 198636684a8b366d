// Package polreach is the root of a library that answers, offline and exactly:
// can pod A reach endpoint B on port P, and why?
//
// # The one idea
//
// Two pods that no policy tells apart are one pod. Two addresses that no block
// separates are one address. Two ports that no rule separates are one port.
//
// Compiling a cluster finds those classes. A question maps both of its ends and
// its port to their classes and tests one bit for each direction. The endless
// world outside the cluster becomes a short list, so that the whole relation
// can be enumerated, compared and tested.
//
// # Where to start
//
//   - [github.com/polreach/polreach/policy] reads manifests and API objects, and
//     says what each NetworkPolicy in them means.
//   - [github.com/polreach/polreach/reach] compiles them to a Graph, which
//     answers about pods, nodes, addresses and Services. Its file semantics.md
//     holds the rules, numbered.
//   - [github.com/polreach/polreach/selector] and
//     [github.com/polreach/polreach/cidr] find the classes of labels and of
//     addresses, and can be used alone.
//   - [github.com/polreach/polreach/policy/scale] makes large clusters to measure
//     and to test with.
//   - [github.com/polreach/polreach/reach/audit] finds what is wrong with the policies
//     of a cluster, each finding with its proof.
//   - [github.com/polreach/polreach/reach/reachtest] is for tests: assertions
//     about a cluster, and generators of clusters.
//   - [github.com/polreach/polreach/reach/audit] finds what is wrong with policies,
//     with proofs; [github.com/polreach/polreach/reach/generate] writes policies,
//     and proves what they do; [github.com/polreach/polreach/reach/report] shows
//     who reaches whom, and what has changed, as tables and pictures.
//   - [github.com/polreach/polreach/reach/report] writes who reaches whom, and what a
//     change opens and closes, as tables, pages and graphs.
//   - The folder examples has four examples to copy from: two command-line tools,
//     one that answers questions and one for pull requests, a unit test of a
//     cluster's configuration, and a property test.
//
// The package itself exports nothing.
package polreach
