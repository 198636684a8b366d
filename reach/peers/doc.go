// Package peers measures polreach beside what else there is for the same
// questions. It is a module of its own, so that the library does not depend on
// its peers, and consists of tests and benchmarks alone.
//
// Before anything is timed, the answers are compared; where two differ, there
// is no figure. Only ratios within one run mean something.
//
// # Policies
//
// The clusters are those of the package policy/scale. The engines are
//
//   - polreach: [github.com/polreach/polreach/reach.Graph.Allows].
//   - cyclonus: the matcher of github.com/mattfenwick/cyclonus, built with the
//     present k8s.io modules.
//   - naive: for each question, reads the selectors and blocks of every policy in
//     the namespaces of both ends from the API objects.
//   - parsed: the same, but reads all policies before the first question, and then
//     goes through all of them.
//   - kano: from the paper "Kano: Efficient Container Network Policy
//     Verification" (2020): one bit vector for each label, from which those of the
//     pods that a policy selects and allows are made, and from these a matrix of
//     all pairs. The paper has neither ports nor blocks: here there is a matrix for
//     each port, and a block is the vector of the pods with an address in it. A
//     question is then one bit, but the matrix takes a bit for each pair: 1.25 GB
//     a port for 100,000 pods.
//
// The last three are written here, and plainly. The questions are those that all
// engines model: from one pod to another one, both off the host network, over
// IPv4, on a port of TCP. The peers do not know that a pod always reaches itself,
// what a node is, or that an address of each family may be tried. In cyclonus,
// NotIn does not pick pods without the label, which Kubernetes does; all pods of
// these clusters have the labels that such expressions ask for.
//
// One question:
//
//	go test -run='^$' -bench=BenchmarkQuestion
//
// All pairs on one port. With 10,000 pods, what goes pair by pair is not measured:
// there are a hundred times as many pairs as with 1,000, and each takes as much
// longer as one question does. polreach.ClassEdges goes through the classes of
// pods, with all ports:
//
//	go test -run='^$' -bench=BenchmarkAllPairs -benchtime=1x
//
// From API objects to an engine that answers a question. polreach checks every
// object on the way, as the API server does, and kano makes the matrix of one
// port:
//
//	go test -run='^$' -bench=BenchmarkBuild
//
// # Addresses
//
// The engines are
//
//   - polreach: [github.com/polreach/polreach/cidr.Partition], and where one
//     prefix is asked for, a list of one for each class.
//   - bart, bart.Fast: Table and Fast of github.com/gaissmai/bart.
//   - cidranger: github.com/yl2chen/cidranger, up to 100,000 prefixes.
//   - netipx: the IPSet of go4.org/netipx, which only tells whether any prefix
//     holds an address.
//   - naive: parses every block for each question, with 1,000 blocks.
//
// The longest prefix that holds an address, whether any does, which of many
// blocks with exceptions do, and what it costs to build. B/prefix is the memory
// that remains after a garbage collection:
//
//	go test -run='^$' -bench=BenchmarkLongest
//	go test -run='^$' -bench=BenchmarkContains
//	go test -run='^$' -bench=BenchmarkBlocks
//	go test -run='^$' -bench=BenchmarkPrefixBuild -benchtime=1x
package peers
