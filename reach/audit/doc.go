// Package audit finds what is wrong with the network policies of a cluster: what
// changes nothing, what is open, what one end allows and the other denies, what plugins
// answer differently, and what means something else than it seems to.
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
//
// # Exposure
//
// What stands open although something isolates it, and what is closed that should not
// be. A pod that no policy isolates is a matter of the group above, and is meant here
// only where that is said. Outside is every address that is not of a pod or a node, be
// it private or not; public are those that IANA gives out for the internet. Nothing is
// said of pods on the host network, but for Services in front of them. The ports that a
// finding names are those of all its pods together.
//
//   - service-exposed: addresses outside get to pods through a Service, at an address
//     of a load balancer, a node port or an external IP. One finding for each Service,
//     whether policies isolate its pods or not.
//   - address-exposed: an ingress rule allows some address outside some port of its
//     pods. One finding for each rule.
//   - source-ranges-bypassed: loadBalancerSourceRanges keep an address out that gets to
//     the pods directly, as their policies allow it, or by another door of the Service:
//     a node port or an external IP.
//   - admin-port-exposed: an address outside gets to a port of administration (22, 23,
//     2375, 2376, 2379, 2380, 3389, 5900, 6443, 10250, 10255, 10257 or 10259, of TCP) or
//     of a data store (1433, 1521, 3306, 5432, 6379, 9042, 9200, 27017, or 11211 of TCP
//     or UDP). It is allowed by a rule that names the port alone, or a container of the
//     pod declares it and a rule allows it or nothing isolates the pod; or it is a port
//     of a Service or one that the Service leads to.
//   - undeclared-port-open: an ingress rule allows a port that no container of its pods
//     declares to some pod, of which the egress policies allow it, too, or to an
//     address outside. Pods that declare no port at all are passed over.
//   - every-namespace-admitted: by its ingress policies, all pods of all other
//     namespaces may connect to a pod on some port, and there are two other namespaces
//     with pods at least.
//   - internet-open: a pod is isolated for egress and may connect to all public
//     addresses of a family on some port. What is not public can be closed.
//   - dns-blocked: a pod is isolated for egress, and policies deny UDP to each DNS
//     server of [reach.Graph.DNSServers] that has pods. It may not ask the DNS cache of
//     its node at 169.254.20.10 either, or no policy has a block for that. One finding
//     for each namespace.
//   - dns-no-tcp: so they do TCP, and not UDP.
//   - dns-open: as internet-open for port 53, unless every port of TCP and UDP is open.
//   - dns-external: a pod is isolated for egress and may connect to port 53 of some
//     address outside, but neither to all ports of TCP and UDP there, nor to port 53 of
//     all public addresses of the family. The address 169.254.20.10 does not count:
//     there is the DNS cache of the node.
//   - dns-server-exposed, dns-server-ports: an address outside gets to a DNS server of
//     the cluster, or it or a pod does on another port than 53 and those that port 53
//     of the Service leads to. Whether something isolates the server does not matter.
//
// # Traps
//
// What is easily written and means something else than it seems to.
//
//   - selectors-apart: a peer has a namespaceSelector only, the next one a podSelector
//     only, or the reverse. The rule allows either; in one item, both would have to
//     hold, and some flow would be denied.
//   - namespace-selector-missing: a peer with a podSelector only picks nothing, as it is
//     about the namespace of the policy; pods of other namespaces have the labels.
//   - block-holds-pods: an ipBlock holds the address of a pod, or one that nodes give to
//     pods. To pick pods by addresses is fragile; a block for the internet should
//     except them.
//   - block-holds-services: an ipBlock holds ClusterIPs or addresses that Services get,
//     and no address of pods, and is not for all addresses. Policies see the pods
//     behind a Service.
//   - family-left-closed: an ipBlock is for all addresses of a family, but for
//     exceptions, and no peer of the rule is so for the other family. Some pod of the
//     policy has both, and a port is open to an address of the block and to no address
//     outside of the other family.
//   - service-port: a port item has one number. No receiving pod declares it, and no
//     Service leads to it there; but a Service in front of some receiving pod has it as
//     its own port, and leads to another one that the rule does not allow.
//   - named-port-unresolved, named-port-varies: no receiving pod declares the name of a
//     port item, though there are some, or it has different numbers at two of them.
//   - host-network-selected: the podSelector of a policy picks pods on the host network.
//     The policies of a namespace that pick the same ones are one finding.
//   - volatile-label, generated-label: a selector asks for a value of a label that a
//     controller gives to pods: pod-template-hash and the like, which are new with
//     each change of the workload, or job-name, statefulset.kubernetes.io/pod-name and
//     the like.
//   - namespace-absent: there is a policy in a namespace, and neither a pod, a Service,
//     an Ingress nor an object for the namespace itself.
//   - namespace-name-unknown: a namespaceSelector has a value for the label
//     kubernetes.io/metadata.name that is no namespace of the input, nor one of the
//     four that every cluster has.
//   - namespace-key-misspelt: a namespaceSelector asks for a label that no namespace has,
//     and whose key is nearly kubernetes.io/metadata.name or whose value is the name of
//     a namespace; or a podSelector asks for that label, and no pod has it.
package audit
