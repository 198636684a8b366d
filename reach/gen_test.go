package reach_test

import (
	"net/netip"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// What the properties draw, without Services and with them.
var (
	genPlain  = reachtest.Gen{}
	genServed = reachtest.Gen{MaxServices: 4}
)

func genCluster(t *rapid.T) *policy.Cluster {
	return reachtest.Draw(t, genPlain.Clusters(), "cluster")
}

func genProfile(t *rapid.T) reach.Profile {
	return reachtest.Draw(t, genPlain.Profiles(), "profile")
}

func genPort(t *rapid.T, c *policy.Cluster) policy.Port {
	return reachtest.Draw(t, genPlain.Ports(c), "port")
}

func genAddr(t *rapid.T, c *policy.Cluster) netip.Addr {
	return reachtest.Draw(t, genPlain.Addrs(c), "addr")
}

// portNames are those that containers and policies have.
var portNames = []string{"web", "dns", "http"}

// controlledBy returns the reference to a controller.
func controlledBy(kind, name string) metav1.OwnerReference {
	version := map[string]string{"Job": "batch/v1", "CronJob": "batch/v1", "ReplicationController": "v1", "Rollout": "argoproj.io/v1alpha1"}[kind]
	if version == "" {
		version = "apps/v1"
	}
	yes := true
	return metav1.OwnerReference{APIVersion: version, Kind: kind, Name: name, Controller: &yes}
}

// podSpecsOf returns the specs of all pods and templates in c.
func podSpecsOf(c *policy.Cluster) []*corev1.PodSpec {
	var specs []*corev1.PodSpec
	for _, pod := range c.Pods {
		specs = append(specs, &pod.Spec)
	}
	for _, w := range newNaive(c, reach.Profile{}).workloads() {
		specs = append(specs, &w.template.Spec)
	}
	return specs
}

// blocksOf returns the blocks in c, in their order.
func blocksOf(c *policy.Cluster) []*networkingv1.IPBlock {
	var blocks []*networkingv1.IPBlock
	for _, np := range c.Policies {
		for _, dir := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			for _, rule := range naiveRules(np, dir) {
				for _, peer := range rule.peers {
					if peer.IPBlock != nil {
						blocks = append(blocks, peer.IPBlock)
					}
				}
			}
		}
	}
	return blocks
}

// boundariesOf returns the first and the last address of every block and
// exception in c.
func boundariesOf(c *policy.Cluster) []netip.Addr {
	var addrs []netip.Addr
	for _, block := range blocksOf(c) {
		for _, cidr := range append([]string{block.CIDR}, block.Except...) {
			prefix := netip.PrefixFrom(rawCIDR(cidr))
			addrs = append(addrs, prefix.Masked().Addr().Unmap(), lastOf(prefix).Unmap())
		}
	}
	return addrs
}

// statusAddrsOf returns the addresses of the pods, terminated ones too, and of
// the nodes in c.
func statusAddrsOf(c *policy.Cluster) []netip.Addr {
	var addrs []netip.Addr
	for _, pod := range c.Pods {
		addrs = append(addrs, statusAddrs(pod)...)
	}
	for _, node := range c.Nodes {
		for _, a := range node.Status.Addresses {
			addrs = append(addrs, rawAddr(a.Address))
		}
	}
	return addrs
}

func addrsOfTexts(texts ...string) []netip.Addr {
	var addrs []netip.Addr
	for _, text := range texts {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs
}

// lastOf returns the last address of prefix.
func lastOf(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Addr().AsSlice()
	for i := prefix.Bits(); i < prefix.Addr().BitLen(); i++ {
		bytes[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// oneIn draws true about once in n times. It shrinks to false.
func oneIn(t *rapid.T, n int) bool {
	return rapid.IntRange(0, n-1).Draw(t, "") == n-1
}

// pick draws one of choices. It shrinks to the first.
func pick[E any](t *rapid.T, choices ...E) E {
	return rapid.SampledFrom(choices).Draw(t, "")
}

// withLabel returns labels with one more, or another value.
func withLabel(labels map[string]string, key, value string) map[string]string {
	if labels == nil {
		labels = map[string]string{}
	}
	labels[key] = value
	return labels
}
