// Package audit finds what is wrong with the network policies of a cluster: what
// changes nothing, what is open, what is allowed at one end only, and what plugins
// take differently.
//
// A [Finding] is proved, not guessed: by a flow of which the [reach.Graph] says what
// the finding claims, or by the set of pods, addresses or ports that it is about.
//
//	g, err := reach.Compile(cluster)
//	...
//	findings, err := audit.Run(g) // or with the identifiers of some checks
//	...
//	err = audit.Text(os.Stdout, findings) // or JSON, or SARIF for code scanning
//
// [Run] makes the checks, and [Checks] lists them. By group, they are:
//
// # Isolation
//
// A pod that is not isolated for a direction by some policy is open for it. Pods on
// the host network count as their nodes unless the Profile says otherwise; policies
// cannot isolate them, and they are not meant here.
//
//   - no-default-deny-ingress, no-default-deny-egress: some pod of a namespace is
//     not isolated for the direction. A namespace with a policy that selects every
//     pod and isolates for the direction has none. One finding for each namespace
//     and direction.
//   - pod-unselected: no policy selects a pod, and there are policies in its
//     namespace. The pods of a workload are one finding, here and below.
//   - pod-half-isolated: a pod is isolated for one direction only.
//   - unlisted-direction: a policy has rules for a direction that its policyTypes do
//     not list. They mean nothing.
package audit
