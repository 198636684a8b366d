// Package audit finds what is wrong with the network policies of a cluster: what
// changes nothing, what is open, what one end allows and the other denies, and what
// plugins answer differently.
//
// A [Finding] is proved and not guessed: by a flow of which the [reach.Graph] says
// what the finding claims, or by the set of pods, addresses or ports that it is about.
//
//	g, err := reach.Compile(cluster)
//	...
//	findings, err := audit.Run(g) // or with the identifiers of some checks
//	...
//	err = audit.Text(os.Stdout, findings) // or JSON, or SARIF for code scanning
//
// [Run] makes the checks, and [Checks] lists them. These are all of them, by group.
//
// # No effect
//
// What can be taken away, alone, and every answer of the Graph stays the same: between
// all pods, workloads, nodes and addresses outside, on all ports, over each family. An
// item is a policy, a rule, an item of from or to (a peer), an item of ports (a port)
// or an exception of a block. Each item that is not reported, and is in none that is,
// decides some flow. That a policy isolates its pods counts. Services do not: policies
// see the flows behind them.
//
// A rule without its last peer would be for everybody, so that the last peer is the
// whole rule; so it is with ports. If either of two items can go, but not both, each is
// reported.
//
//   - policy-not-enforced: the Profile is that of a plugin that enforces nothing. Then
//     nothing else of this group is said.
//   - policy-impossible, rule-impossible, peer-impossible, port-impossible: it can
//     never match, whatever pods there are: a selector contradicts itself, exceptions
//     hold all of a block, or the plugin does not handle what it asks for.
//   - policy-unmatched, rule-unmatched, peer-unmatched, port-unmatched,
//     except-unmatched: it matches nothing that there is. A policy selects no pod; of
//     the other items, nothing would be allowed, or kept out, if they were all there is
//     and the policy had no company.
//   - policy-shadowed, rule-shadowed, peer-shadowed, port-shadowed: the pods of the
//     policy may do without it what they may do with it, whatever the other ends of
//     flows say. Other items allow the same, or it passes in any case, as from a pod to
//     itself.
//   - policy-standby: as policy-shadowed, but there could be pods that the policy alone
//     isolates: for some direction, no other one that isolates has the same podSelector
//     or an empty one. Most policies that deny by default are so.
//   - policy-blocked, rule-blocked, peer-blocked, port-blocked, except-blocked: its
//     pods might do something else without it, but the other ends deny all of that.
//   - except-shadowed: other exceptions of the same block hold all of its addresses.
//   - except-defeated: other items allow all of its addresses.
//
// # Isolation
//
// A pod that no policy isolates for a direction is open for it. Pods on the host
// network count as their nodes unless the Profile says otherwise; policies cannot
// isolate them, and they are not meant here. The pods of a workload are one finding.
//
//   - no-default-deny-ingress, no-default-deny-egress: some pod of a namespace is open
//     for the direction. One finding for each namespace and direction. A namespace
//     with a policy that isolates all of its pods has none, nor has one without pods.
//   - pod-unselected: no policy selects a pod, and there are policies in its namespace.
//   - pod-half-isolated: a pod is isolated for one direction only, and for the other
//     one some pod of its namespace is.
//   - unlisted-direction: a policy has rules for a direction that its policyTypes do
//     not list. They mean nothing.
//
// # Half-open flows
//
// A rule is for the flows between the pods of its policy and the pods that its peers
// pick by labels, on the ports that it allows and the receiving pod declares in some
// container; if the pod declares none, on those that the rule allows by a single
// number. Such a flow is half-open if the policies of the other end deny it: somebody
// has written one side only. Of peers that pick all pods of namespaces, flows count if
// all of them are denied, and peers that pick all pods of all namespaces do not count.
// One finding for each rule.
//
//   - half-open-egress: an egress rule allows flows that the ingress of the other end
//     denies.
//   - half-open-ingress: an ingress rule allows flows that the egress of the other end
//     denies.
//
// # Plugins
//
// The answers under the zero [reach.Profile] are compared with those under each other
// choice, whatever the Profile of the Graph is. There is a finding at each rule, policy
// or pod that decides the example of some group of flows that differ, and at least one
// if any flow does. Choices about Services and [reach.Profile.NotEnforced] are not
// looked at, and those about SCTP only if a policy, a container or a Service names it.
//
//   - plugin-block-pods, plugin-block-nodes: IPBlockSkipsPods, IPBlockSkipsNodes.
//   - plugin-host-network: HostNetworkAsPods.
//   - plugin-own-node: EgressToOwnNodeAllowed.
//   - plugin-end-port: EndPortIgnored.
//   - plugin-sctp: SCTPDropped and SCTPBypasses.
//   - plugin-port-names: NamedPortsOfContainers and NamedPortsOfAllContainers.
//   - plugin-repeated-port-name: NamedPortFirst.
//   - plugin-together: a flow differs under a ready-made Profile, and under none of its
//     choices alone.
package audit
