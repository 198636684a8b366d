// Package generate makes NetworkPolicies for a cluster, and proves what they do by
// compiling the cluster with them.
//
//   - [Tightest] makes the policies that allow a list of needs, and nothing else, in
//     some namespaces.
//   - [DefaultDeny] closes namespaces but for the DNS servers of the cluster.
//   - [Complement] makes the egress policies that say the same as the ingress policies
//     that are there, or the reverse, so that both directions can be closed.
//
// Each returns a [Result]: the policies, the [reach.Graph] of the cluster with them, and
// every flow that is not as it was asked for, because NetworkPolicy cannot say it. What
// it cannot say:
//
//   - that pods of one namespace with equal labels differ; selectors cannot tell them
//     apart
//   - that a pod on the network of its node, or the node, differs from others there;
//     blocks pick an address
//   - anything about a pod to itself, or about a node to the pods that run on it
//
// # Selectors
//
// Pods are selected, in this order, as a [Need] says, as a workload of the cluster does,
// or by the fewest labels that pick these pods and no others of the namespace: by
// matchLabels if that is possible, preferably those that people know, such as
// app.kubernetes.io/name, else with expressions, and else in several policies or peers.
// Labels that controllers make, such as pod-template-hash, are used only if no others
// tell pods apart, and that is among the warnings of the Result. Namespaces are selected
// by name.
//
// So the policies hold for pods that come later and have the labels; what the Result
// proves is about those that are there.
//
// # Names
//
// A policy is named after what it does and for whom: allow-web, web-egress,
// default-deny, allow-dns; "pods" stands for all of a namespace. If the cluster has a
// policy of the name, a number follows: allow-web-2. All names are DNS labels.
package generate
