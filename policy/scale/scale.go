// Package scale makes large clusters to measure and to test with.
//
//   - [Size.Cluster] makes a realistic cluster of any size, of which [S], [M],
//     [L] and [XL] are four.
//   - [OneNamespace], [UniqueLabels] and [Blocks] make clusters that are hard in
//     one respect.
//   - [WriteYAML] and [WriteJSON] write a cluster as manifests, [DumpYAML] and
//     [DumpJSON] its pods as a running cluster shows them.
//
// All of it depends on its arguments alone: a call returns or writes the same on
// every machine, every time, and shares no memory with other calls. Within one
// cluster no two objects share a map, a slice or a pointer. Every cluster passes
// the checks of [policy.Cluster.Model], whatever the arguments; negative ones
// count as 0. What is made for an argument may change from one version of this
// module to the next, so that figures of different versions compare different
// clusters.
package scale

import (
	"fmt"
	"math"

	"github.com/polreach/polreach/policy"
)

// A Size is the size of a realistic cluster. Sizes are comparable.
type Size struct{ Pods, Policies int }

// The sizes that figures are quoted for.
var (
	S  = Size{30, 10}
	M  = Size{1_000, 200}
	L  = Size{10_000, 2_000}
	XL = Size{100_000, 10_000}
)

// String returns the size as a part of the name of a benchmark, such as
// "pods=1000/policies=200".
func (s Size) String() string { return fmt.Sprintf("pods=%d/policies=%d", s.Pods, s.Policies) }

// Times returns the size of which both numbers are factor times those of s,
// rounded.
func (s Size) Times(factor float64) Size {
	times := func(n int) int { return int(math.Round(factor * float64(n))) }
	return Size{times(s.Pods), times(s.Policies)}
}

// maxPods is how many pods have addresses of their own.
const maxPods = 1_000_000

// Cluster makes a cluster with exactly as many pods and policies as s says, as
// teams would run it:
//
//   - About a hundred pods, of a dozen apps, share a namespace. A team has two
//     of these, which carry labels for the team and the environment. There are
//     also kube-system, with the DNS servers and an agent on each node, and
//     monitoring.
//   - The pods of an app are replicas made by a Deployment, with names, labels and
//     owners as it gives them, a seventh of the apps being in the middle of a
//     rollout; or made by a StatefulSet, where each pod has labels of its own; or
//     by a DaemonSet, which may be on the host network. Their ports have names. A
//     fifth of the pods has an IPv6 address, too.
//   - A node has thirty pods, and an address of each family.
//   - Each app has a Service, headless for a StatefulSet; a few have node ports
//     or a load balancer.
//   - The policies are dealt out to the namespaces of teams in turn. In each, the
//     first denies everything, the second lets pods resolve names, the third lets
//     monitoring in at the port named metrics. The next ones repeat a pattern: an
//     app and those that it talks to, which are half of them; an app and another
//     namespace; blocks outside with exceptions; the first pod of a StatefulSet;
//     ranges of ports; a frontend for everyone; one version of an app.
//   - One selector in twenty has expressions.
//
// It panics if there are more than a million pods.
func (s Size) Cluster() *policy.Cluster {
	s = Size{max(s.Pods, 0), max(s.Policies, 0)}
	if s.Pods > maxPods {
		panic(fmt.Sprintf("scale: no more than %d pods, not %d", maxPods, s.Pods))
	}
	b := newBuilder(s)
	b.system()
	b.teams()
	for i := range s.Policies {
		t := &b.spaces[i%len(b.spaces)]
		b.add(t, b.policy(i%len(b.spaces), i/len(b.spaces)))
	}
	return b.cluster
}

// mix returns a number that looks random and depends on nothing but parts.
func mix(parts ...int) uint64 {
	h := uint64(0x9E3779B97F4A7C15)
	for _, p := range parts {
		h += uint64(p) * 0xD1342543DE82EF95
		h = (h ^ h>>30) * 0xBF58476D1CE4E5B9
		h = (h ^ h>>27) * 0x94D049BB133111EB
		h ^= h >> 31
	}
	return h
}

// pick returns a number below n that depends on parts.
func pick(n int, parts ...int) int { return int(mix(parts...) % uint64(n)) }

// What the numbers that mix gets are for, so that none is used for two things.
const (
	forWeight = iota
	forReplicas
	forRollout
	forVersion
	forHash
	forSuffix
	forUID
	forBlock
	forCaller
	forKey
)
